"""Image and model files: formats, metadata, and writing that leaves no partial files.

Modules here may import `image` and the ground. `files` reads and writes images of any format; `rsmoe` holds models.
"""
