"""What holds inside every public function, whatever its caller has set: numpy's error handling, and memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from .memory import Memory, limited, out_of_memory_named

P = ParamSpec("P")
R = TypeVar("R")
NUMPY_DEFAULTS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""What numpy does at floating-point errors unless it is told otherwise."""


def door(function: Callable[P, R]) -> Callable[P, R]:
    """Let a public function compute in the same way for every caller.

    * Floating-point errors are treated as by numpy's own defaults, whatever `numpy.seterr` was told: a caller's "raise"
      would end the work at the first underflow of a gate.
    * The keyword ``memory``, where the function has it, sets the budget for all that happens within.
    * Where memory does not suffice after all, the error is a `NotEnoughMemoryError` that says what to do.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> R:
        given = cast("Memory", keywords.get("memory"))
        with out_of_memory_named(), limited(given), np.errstate(**NUMPY_DEFAULTS):
            return function(*args, **keywords)

    return wrapper
