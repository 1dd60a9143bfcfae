"""Results as a notebook shows them without widgets: small pictures and a table.

Plain HTML without styles or scripts, so that static exports and viewers that strip those show all of it. Formats that
have no HTML (LaTeX, a terminal with pictures) get the picture as PNG and the text.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np

from .pictures import data_uri, png, shrink

SIDE = 240
"""Longer side of a picture at most, in pixels. Larger ones show more and make notebooks heavier."""


def size_row(shape: tuple[int, ...], channels: int, dtype: Any) -> str:
    """The size of an image (height, width) and its type, as text."""
    colours = f", {channels} channels" if channels > 1 else ""
    return f"{shape[0]} x {shape[1]} px{colours}, {np.dtype(dtype).name}"


def bundle(text: str, pictures: Mapping[str, np.ndarray], rows: Mapping[str, str]) -> dict[str, Any]:
    """What ``_repr_mimebundle_`` returns.

    Parameters
    ----------
    text : str
        For consoles.
    pictures : mapping
        Caption and picture, (Y, X, 3) uint8; drawn smaller where they are larger than `SIDE`.
    rows : mapping
        Lines of the table below: name and value.
    """
    small = {name: shrink(rgb, SIDE) for name, rgb in pictures.items()}
    cells = [f'<img src="{data_uri(png(rgb))}" alt="{name}"><br>{name}' for name, rgb in small.items()]
    cells.append("<br>".join(f"<b>{name}</b>: {html.escape(value)}" for name, value in rows.items()))
    # Notebooks align cells to the right, but not what is in them.
    columns = "".join(f'<td valign="top"><div align="left">{cell}</div></td>' for cell in cells)
    table = f"<table><tr>{columns}</tr></table>"
    return {"text/plain": text, "text/html": table, "image/png": png(np.concatenate(list(small.values()), 1))}
