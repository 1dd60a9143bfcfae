"""The compared methods, one per file, each with its published or usual settings.

Modules here may import everything below the front ends; `methods` lists them.
"""
