"""TIFF, OME-TIFF, ImageJ TIFF and files of instruments that are TIFF under other names.

`file` is the format for `io.format_modules`; the other modules are its parts. May import the rest of `io`, which knows
it only by `io.format_modules`.
"""
