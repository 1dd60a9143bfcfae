"""The command line: ``napari-rsmoe VERB INPUT OUTPUT [options]``.

Importing it loads neither torch nor Qt: each verb is imported when it is called, and torch when it computes.
"""

from .program import main

__all__ = ["main"]
