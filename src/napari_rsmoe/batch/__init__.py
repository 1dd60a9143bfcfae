"""Image files in, image files out: which files belong together, the work on each, and one after the other.

Modules here may import `ui` and the floors below. The front ends show what happens.
"""
