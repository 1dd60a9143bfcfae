"""Image and model files: formats, metadata, writing without half files.

May import `image` and the ground. `files` opens and writes images of any format; `rsmoe` holds models.
"""
