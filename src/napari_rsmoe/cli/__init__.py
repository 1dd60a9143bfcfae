"""The command line: ``napari-rsmoe VERB INPUT OUTPUT [options]``; `program` is its entry point.

Importing it loads neither torch nor Qt: each verb is imported when it is called, and torch when it computes.
May import everything but the other front ends.
"""
