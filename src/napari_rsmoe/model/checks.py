"""What a model may be: its kernels, its size and its range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ..engine.bounds import undrawable
from ..image.format import ImageFormat


def check_kernels(geometry: torch.Tensor, experts: torch.Tensor, *, linear: bool) -> None:
    """Raise a ValueError unless these are the kernels of a model; see the attributes of `Model`."""
    kernels, columns = len(geometry), experts.shape[-1]
    if geometry.shape != (kernels, 6) or experts.shape != (kernels, columns):
        raise ValueError(
            f"geometry {tuple(geometry.shape)} and experts {tuple(experts.shape)} must have shapes (L, 6) and (L, C)."
        )
    if linear and columns % 3:
        raise ValueError(f"Linear experts need three columns for each channel, not {columns} in all.")
    if kernels == 0 or columns == 0:
        raise ValueError("A model needs at least one kernel and one channel.")
    if reason := undrawable(geometry, experts):
        raise ValueError(f"A kernel is out of bounds: {reason}.")
    flat = (geometry[:, [2, 4]] <= 0).any(1).nonzero()
    if len(flat):
        raise ValueError(f"r11 and r22 must be positive; those of kernel {int(flat[0])} are not.")


def check_layout(layout: ImageFormat, channels: int) -> None:
    """Raise a ValueError unless a model of so many channels can have this layout."""
    if layout.channel_axis is None and channels != 1:
        raise ValueError(f"{channels} channels need a channel axis in the layout.")
    if not math.isfinite(layout.span):
        raise ValueError(f"The range from {layout.low} to {layout.high} is too wide.")


def checked_shape(shape: Any) -> tuple[int, int]:
    """Height and width; a ValueError if they are no positive whole numbers."""
    sides = tuple(shape)
    whole = all(isinstance(side, int | np.integer) and not isinstance(side, bool) and side >= 1 for side in sides)
    if len(sides) != 2 or not whole:
        raise ValueError(f"shape={shape!r} must be two positive whole numbers (H, W).")
    return int(sides[0]), int(sides[1])


def checked_confidence(confidence: Any) -> float:
    """The radius of the confidence ellipse; a ValueError if it is no finite number of at least 0."""
    if isinstance(confidence, str | bool) or not (math.isfinite(confidence) and confidence >= 0):
        raise ValueError(f"confidence={confidence!r} must be a finite number of at least 0.")
    return float(confidence)


def checked_range(value_range: Any) -> tuple[float, float]:
    """The smallest and the largest value; a ValueError if they are none."""
    low, high = map(float, value_range)
    if not (math.isfinite(high - low) and low <= high):
        raise ValueError(f"value_range={low, high} must be two numbers not too far apart, the smaller one first.")
    return low, high
