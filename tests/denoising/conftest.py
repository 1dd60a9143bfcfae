"""The image of `large_jobs` in a file, and what becomes of it."""

from large_jobs import expected, source

__all__ = ["expected", "source"]
