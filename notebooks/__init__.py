"""Tutorials as Jupyter notebooks, and `python -m notebooks.execute`, which runs them."""
