"""What the pane sends to its drawing in the browser: pictures, parts of them, kernels, colour bars and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ..display import measure
from ..display.pictures import Limits, shrink, uncertainty_rgb
from ..model.kernels import Kernels
from .contrast import Contrast, table

# Largest side in pixels of a picture that is sent whole; of larger ones, the part in view follows in full resolution.
MOST_SIDE = 1024
MOST_KERNELS = 10_000
Message = dict[str, Any]
Box = Sequence[float]
"""Top, left, bottom and right in pixels of the image, as in slices."""


def picture(rgb: np.ndarray, box: Box) -> Message:
    """A picture (H, W, 3) uint8, and the part of the image that it covers."""
    return {"data": rgb.tobytes(), "size": list(rgb.shape[:2]), "box": list(box)}


def detail(
    image: np.ndarray, size: Sequence[int], view: Mapping[str, Any], colours: Callable[[np.ndarray], np.ndarray]
) -> Message | None:
    """The part in view of an image that is finer than what was sent of it; None if nothing finer is to be seen.

    Parameters
    ----------
    image : ndarray
        (Y, X) or (Y, X, C), of any size.
    size : (int, int)
        Rows and columns of the image whose pixels are the coordinates.
    view : mapping
        What the browser shows: ``{"box": [y0, x0, y1, x1], "pixels": [height, width]}``.
    colours : callable
        Turns a part of the image into RGB.
    """
    if max(image.shape[:2]) <= MOST_SIDE:
        return None
    y0, x0, y1, x1 = view["box"]
    fine = np.array(image.shape[:2]) / size  # Pixels for each pixel of the coordinates.
    sent = MOST_SIDE / max(image.shape[:2]) * fine
    if view["pixels"][1] / (x1 - x0) <= sent[1]:
        return None
    low = np.clip(np.floor(np.array([y0, x0]) * fine), 0, image.shape[:2]).astype(int)
    high = np.clip(np.ceil(np.array([y1, x1]) * fine), 0, image.shape[:2]).astype(int)
    if (high <= low).any():
        return None
    rgb = shrink(colours(image[low[0] : high[0], low[1] : high[1]]), MOST_SIDE)
    return picture(rgb, np.concatenate([low / fine, high / fine]).tolist())


class KernelTable(NamedTuple):
    """The kernels that are drawn.

    Attributes
    ----------
    message : dict
        Columns index, y, x, long axis, short axis, angle, weight and the expert, float32.
    note : str
        How many kernels there are, and how many are drawn.
    fewer : bool
        Whether some of those in view may be missing, so that another view needs another table.
    """

    message: Message
    note: str
    fewer: bool


def kernel_table(kernels: Kernels, kept: np.ndarray | None, box: Box | None, limits: Limits) -> KernelTable:
    """The table of kernels that are kept, in view (if a box is given) where there are many, and the heaviest of them.

    Parameters
    ----------
    kernels : Kernels
        All kernels.
    kept : ndarray of bool or None
        Those to draw; None: all.
    box : sequence of float or None
        What the browser shows.
    limits : (float, float)
        Values shown as black and as white.
    """
    rows = np.arange(len(kernels)) if kept is None else np.flatnonzero(kept)
    fewer = len(rows) > MOST_KERNELS
    if fewer and box is not None:
        margin = kernels.axes[rows, :1]
        inside = (kernels.center[rows] + margin >= box[:2]) & (kernels.center[rows] - margin <= box[2:])
        rows = rows[inside.all(1)]
    if len(rows) > MOST_KERNELS:
        rows = rows[kernels[rows].heaviest(MOST_KERNELS)]
    note = f"{len(rows)} of {len(kernels)} kernels" if len(rows) < len(kernels) else f"{len(rows)} kernels"
    columns = np.column_stack(
        [rows, kernels.center[rows], kernels.axes[rows], kernels.angle[rows], kernels.weight[rows],
         kernels.expert[rows, :3]]
    ).astype("<f4")  # fmt: skip
    return KernelTable({"data": columns.tobytes(), "columns": columns.shape[1], "range": list(limits)}, note, fewer)


def value_bar(look: Contrast, colormap: str) -> Message:
    """The colour bar of an image without colour."""
    return {"title": "value", "ticks": look.ticks(), "colours": table(colormap).tobytes()}


def uncertainty_bar(high: float) -> Message:
    """The colour bar of standard deviations from 0 to `high`."""
    ramp = np.linspace(0, high, 256, dtype=np.float32)[None]
    ticks = [f"{value:.4g}" for value in (0.0, high / 2, high)]
    return {
        "title": "standard deviation of the error",
        "ticks": ticks,
        "colours": uncertainty_rgb(ramp, high).tobytes(),
    }


def profile(
    curves: Sequence[tuple[str, np.ndarray, np.ndarray | None]], line: Box, pixel_size: Mapping[str, Any] | None
) -> Message | None:
    """Curves along a line: title, values, and standard deviations where they are known; None without curves."""
    if not curves:
        return None
    shown = [
        {"title": title, "values": values.astype("<f4").tobytes(),
         "std": None if std is None else std.astype("<f4").tobytes()}
        for title, values, std in curves
    ]  # fmt: skip
    length = float(np.hypot(line[2] - line[0], line[3] - line[1]))
    return {"curves": shown, "length": measure.physical(length, pixel_size)}


def reduced(image: np.ndarray, most: int = MOST_SIDE) -> np.ndarray:
    """Reduce an image (Y, X) or (Y, X, C) by averaging its values until no side exceeds `most` pixels.

    8-bit images stay 8-bit, others become float32.
    """
    factor = most / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    kind = image if image.dtype == np.uint8 else image.astype(np.float32)
    channels = kind[..., None] if kind.ndim == 2 else kind
    layers = [
        np.asarray(Image.fromarray(np.ascontiguousarray(channels[..., c])).resize(size, Image.Resampling.BOX))
        for c in range(channels.shape[2])
    ]
    return layers[0] if image.ndim == 2 else np.stack(layers, 2)
