"""The kernels that can be drawn, and what is wrong with those that cannot.

Within the bounds no intermediate result of the engine overflows, so no pixel and no value is NaN. They lie far beyond
what images need: `csrc/common/constants.h` derives them.
"""

from __future__ import annotations

import numpy as np
import torch

MOST_SIDE = 2**24
"""Pixels that an image may have along y or x; operators refuse more."""

MOST_CENTER = 2.0**36
"""Sum of the absolute values of a centre's y and x in pixels; kernels above it cannot be drawn."""

MOST_STEERING = 2.0**25
"""Sum of the absolute values of r11, r12 and r22 of a kernel, per pixel; kernels above it cannot be drawn."""

MOST_LOGIT = 2.0**50
"""Absolute value of a logit; kernels above it cannot be drawn."""

MOST_EXPERT = 2.0**50
"""Sum of the absolute values of an expert's columns, in units of the image's range; a larger one cannot be drawn."""

_PARTS = ((slice(0, 2), MOST_CENTER), (slice(2, 5), MOST_STEERING), (slice(5, 6), MOST_LOGIT))
_NAMES: tuple[str, ...] = ("y", "x", "r11", "r12", "r22", "logit")
_SURELY_DRAWN = int(np.float32(2.0**20).view(np.uint32))
"""Bits of a number; if all are below it, all kernels are within the bounds, with up to 2^30 columns of an expert."""


def undrawable(geometry: torch.Tensor, experts: torch.Tensor | None = None) -> str:
    """Say which kernel cannot be drawn, and why.

    Parameters
    ----------
    geometry, experts : torch.Tensor
        (L, 6) and (L, columns), as `napari_rsmoe.engine.render` takes them, or with a first dimension for several
        models. Experts may be left out.

    Returns
    -------
    str
        What is wrong with the first such kernel, and how many more there are; empty if all can be drawn.

    Examples
    --------
    >>> undrawable(torch.tensor([[4.0, 4.0, 0.5, 0.0, 0.5, 0.0], [4.0, 4.0, 3e38, 0.0, 0.5, 0.0]]))
    'kernel 1 has r11 = 3e+38; the absolute values of its r11, r12, r22 may add up to at most 3.36e+07'
    """
    # In NumPy, because a few torch operators on many kernels would wake torch's threads, which takes longer.
    with np.errstate(all="ignore"):
        tensors = [each.detach().cpu() for each in (geometry, experts) if each is not None]
        arrays = [np.asarray(each.numpy(), np.float32) for each in tensors]
    if all(each.size and _largest_bits(each) < _SURELY_DRAWN for each in arrays):
        return ""
    rows = [(_NAMES[columns], arrays[0][..., columns], most) for columns, most in _PARTS]
    if experts is not None:
        rows.append((tuple(f"expert[{column}]" for column in range(experts.shape[-1])), arrays[1], MOST_EXPERT))
    with np.errstate(all="ignore"):
        wrong = [~(np.abs(values).sum(-1, dtype=np.float64) <= most) for _, values, most in rows]
    bad = np.logical_or.reduce(wrong)
    if not bad.any():
        return ""
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    names, values, most = next(row for row, mask in zip(rows, wrong, strict=True) if mask[first])
    column = int(np.nan_to_num(np.abs(values[first]), nan=np.inf).argmax())
    what = "the absolute value of its" if len(names) == 1 else "the absolute values of its"
    rule = f"{what} {', '.join(names[:3])}{', ...' if len(names) > 3 else ''} may "
    rule += f"be at most {most:.3g}" if len(names) == 1 else f"add up to at most {most:.3g}"
    message = f"kernel {first[-1]} has {names[column]} = {float(values[first][column]):.3g}; {rule}"
    if len(first) > 1:
        message = f"model {first[0]}, {message}"
    more = int(bad.sum()) - 1
    return f"{message} ({more} more out of bounds)" if more else message


def _largest_bits(values: np.ndarray) -> int:
    """Bits of the largest absolute value, which have the order of the values; NaN is above all.

    Unlike a comparison of floats, it costs nothing where numbers are denormal.
    """
    return int((values.view(np.uint32) & np.uint32(0x7FFFFFFF)).max())
