"""Pictures and summaries of plain arrays and values, for notebooks and consoles.

May import the ground only, and knows none of the classes of the other packages.
"""
