"""What holds inside every public function, whatever its caller has set: numpy's error handling, and memory."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from .memory import Memory, limited, out_of_memory_named

P = ParamSpec("P")
R = TypeVar("R")
NUMPY_DEFAULTS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""What numpy does at floating-point errors by default."""


def door(function: Callable[P, R]) -> Callable[P, R]:
    """Let a public function compute in the same way for every caller.

    * Floating-point errors are treated as by numpy's own defaults, whatever was set by `numpy.seterr`: the "raise" of a
      caller would end the work at the first underflow of a gate.
    * The keyword ``memory``, where the function has it, sets the budget for all that happens within.
    * A keyword that the function does not have is a TypeError that names the one that may have been meant.
    * Where memory does not suffice after all, the error is a `NotEnoughMemoryError` that says what to do.
    """
    parameters = inspect.signature(function).parameters.values()
    known = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters)

    @functools.wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> R:
        if not open_ended:
            refuse_unknown(function.__name__, keywords, known)
        given = cast("Memory", keywords.get("memory"))
        with out_of_memory_named(), limited(given), np.errstate(**NUMPY_DEFAULTS):
            return function(*args, **keywords)

    return wrapper


def refuse_unknown(function: str, given: Iterable[str], known: set[str]) -> None:
    """Raise a TypeError for a keyword that a function does not have."""
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise TypeError(f"{function}() has no keyword {name}.{meant}")
