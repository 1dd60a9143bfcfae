"""The display of results in notebooks without widgets: small pictures and a table.

It is plain HTML without styles or scripts, because static exports and viewers strip those. Formats without HTML (LaTeX,
a terminal with pictures) get the picture as PNG and the text.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .pictures import data_uri, png, shrink

SIDE = 240
"""Largest side of a picture in pixels. Larger pictures show more but make notebooks heavier."""


def size_row(shape: tuple[int, ...], channels: int, dtype: Any) -> str:
    """The size (height, width) and data type of an image, as text."""
    colours = f", {channels} channels" if channels > 1 else ""
    return f"{shape[0]} x {shape[1]} px{colours}, {np.dtype(dtype).name}"


def bundle(
    text: str, pictures: Mapping[str, np.ndarray], rows: Mapping[str, str], side: int = SIDE, *, compact: bool = False
) -> dict[str, Any]:
    """What ``_repr_mimebundle_`` returns.

    Parameters
    ----------
    text : str
        Text for consoles.
    pictures : mapping
        Pictures (Y, X, 3) uint8 by caption, which are reduced to `side`.
    rows : mapping
        Lines of the table below the pictures: name and value.
    side : int
        Largest side of a picture in pixels.
    compact : bool
        Whether photographs in the HTML are JPEG instead of PNG.
    """
    small = {name: shrink(rgb, side) for name, rgb in pictures.items()}
    cells = [f'<img src="{data_uri(rgb, compact=compact)}" alt="{name}"><br>{name}' for name, rgb in small.items()]
    cells.append("<br>".join(f"<b>{name}</b>: {html.escape(value)}" for name, value in rows.items()))
    # Notebooks align table cells to the right; the inner element restores left alignment.
    columns = "".join(f'<td valign="top"><div align="left">{cell}</div></td>' for cell in cells)
    table = f"<table><tr>{columns}</tr></table>"
    return {"text/plain": text, "text/html": table, "image/png": png(side_by_side(list(small.values())))}


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures (Y, X, 3) uint8 in a row; below shorter ones it is white."""
    height = max(len(rgb) for rgb in pictures)
    padded = [np.pad(rgb, ((0, height - len(rgb)), (0, 0), (0, 0)), constant_values=255) for rgb in pictures]
    return np.concatenate(padded, 1)
