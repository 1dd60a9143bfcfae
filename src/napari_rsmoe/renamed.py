"""Earlier names of public keywords and values: still accepted, with a warning that says what they are called now."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

KEYWORDS = {"allotment": "allocation", "resume": "checkpoint"}
"""Keywords by their earlier names."""
OUTPUTS = {"uncertainty": "std", "kernels": "model"}
"""Further results of a job by their earlier names in napari, where they are keywords, fields and roles of layers."""
P = ParamSpec("P")
R = TypeVar("R")


def accept_earlier_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function take keywords by their earlier names too, each with a FutureWarning.

    Raises TypeError when it is called with both names of one keyword.
    """
    return _accepting(function, KEYWORDS)


def accept_earlier_outputs(function: Callable[P, R]) -> Callable[P, R]:
    """As `accept_earlier_keywords`, for keywords that ask for further results of a job."""
    return _accepting(function, OUTPUTS)


def _accepting(function: Callable[P, R], names: Mapping[str, str]) -> Callable[P, R]:
    @functools.wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> R:
        for old in names.keys() & keywords.keys():
            new = names[old]
            if new in keywords:
                raise TypeError(f"{old} is the earlier name of {new}; give {new} alone.")
            _warn(old, new, stacklevel=3)
            keywords[new] = keywords.pop(old)
        return function(*args, **keywords)

    return wrapper


def current_value(value: Any, renamed: Mapping[str, str]) -> Any:
    """The present name of a value that a public function was called with; a FutureWarning if it is an earlier one."""
    if not isinstance(value, str) or value not in renamed:
        return value
    _warn(repr(value), repr(renamed[value]), stacklevel=6)
    return renamed[value]


def current_keywords(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords that were kept earlier, by their present names."""
    return {KEYWORDS.get(name, name): value for name, value in given.items()}


def current_outputs(asked: Mapping[str, bool]) -> dict[str, bool]:
    """Which further results were asked for, as it was kept earlier, by their present names."""
    return {OUTPUTS.get(name, name): value for name, value in asked.items()}


def earlier_keywords(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords by their earlier names, as files hold them that were written before and must still be understood."""
    earlier = {new: old for old, new in KEYWORDS.items()}
    return {earlier.get(name, name): value for name, value in given.items()}


def _warn(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(f"{old} is now called {new}; the earlier name will go.", FutureWarning, stacklevel=stacklevel)
