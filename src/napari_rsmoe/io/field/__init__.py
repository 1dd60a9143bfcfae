"""Formats of instruments, read by the libraries of the field that come with the extra ``formats``.

Each module has `read(path, how)`, and `list_series(path, allow_outside=)` if a file may hold several images. It may
import `io` and what `io` may import.
"""
