"""Numbers in metadata, which may be anything: a number that makes no sense is left out, and the pixels are read."""

from __future__ import annotations

import math
from typing import Any


def real(value: Any) -> float | None:
    """A finite number, from a number, a text or a fraction as TIFF stores it; None for anything else."""
    if isinstance(value, tuple | list) and len(value) == 2:
        numerator, denominator = real(value[0]), real(value[1])
        return numerator / denominator if numerator is not None and denominator else None
    if isinstance(value, tuple | list) and len(value) == 1:
        (value,) = value
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def positive(value: Any) -> float | None:
    """A finite number above zero; None for anything else."""
    number = real(value)
    return number if number is not None and number > 0 else None
