"""Checks of numbers that users give, with errors that say what was given and what is accepted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is one finite real number; True and False are not."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def checked_count(value: Any, name: str, smallest: int = 1) -> int:
    """The value as a whole number of at least `smallest`; a ValueError if it is none."""
    if not is_number(value) or int(value) != value or value < smallest:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {smallest}.")
    return int(value)


def checked_positive(value: Any, name: str) -> float:
    """The value as a positive finite number; a ValueError if it is none."""
    if not is_number(value) or value <= 0:
        raise ValueError(f"{name}={value!r} must be a positive number.")
    return float(value)
