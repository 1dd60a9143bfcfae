"""Pictures of one plane: PNG, JPEG, and what is only read, BMP and WebP. `bitmap` holds what they share.

May import the rest of `io`, which knows them only by `io.format_modules`.
"""
