"""Checks of values that users give, with errors that say what was given and what is accepted."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any


def is_number(value: Any) -> bool:
    """Whether a value is one finite real number, of Python or NumPy; True and False are not."""
    if isinstance(value, bool):
        return False
    return isinstance(value, Integral) or (isinstance(value, Real) and math.isfinite(value))


@dataclass(frozen=True)
class Range:
    """The numbers that a parameter accepts, both ends included.

    Attributes
    ----------
    low, high : float
        The ends; infinite where there is no bound.
    whole : bool
        Whether only whole numbers are accepted.
    positive : bool
        Whether the number must be above 0; `low` is then of no account.
    nan : bool
        Whether NaN is accepted too.

    Examples
    --------
    >>> Range(1, 10, whole=True).check(3.0, "models")
    3
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    positive: bool = False
    nan: bool = False

    def number(self, value: Any) -> float | int | None:
        """The value as a number of this range, whole ones as int; None if it is none of them."""
        if self.nan and isinstance(value, Real) and math.isnan(value):
            return math.nan
        if not is_number(value) or (self.whole and value != int(value)):
            return None
        try:
            number = int(value) if self.whole else float(value)
        except OverflowError:  # a whole number beyond what a float holds
            return None
        return number if self.low <= number <= self.high and not (self.positive and number <= 0) else None

    def check(self, value: Any, name: str, *, also: str = "") -> Any:
        """Return the value as a number of this range.

        Parameters
        ----------
        value : Any
            What the user gave.
        name : str
            Keyword that it was given for.
        also : str
            What else is accepted there, for the error.

        Raises
        ------
        ValueError
            If it is not in this range.
        """
        number = self.number(value)
        if number is None:
            raise ValueError(f"{name}={value!r} must be {self.text}{f', or {also}' if also else ''}.")
        return number

    @property
    def text(self) -> str:
        """The numbers that are accepted, in words."""
        kind = "a whole number" if self.whole else "a positive number" if self.positive else "a number"
        kind = f"{kind} or nan" if self.nan else kind
        low, high = (f"{end}" if self.whole else f"{end:g}" for end in (self.low, self.high))
        if math.isinf(self.high):
            return kind if self.positive or math.isinf(self.low) else f"{kind} of at least {low}"
        return f"{kind} of at most {high}" if self.positive or math.isinf(self.low) else f"{kind} from {low} to {high}"

    @property
    def ends(self) -> dict[str, Any]:
        """The ends as keywords of the parameters in `ui.kinds`."""
        lower = {"positive": True} if self.positive else {"low": self.low}
        return {"high": self.high, **lower, **({"nan": True} if self.nan else {})}


def checked_choice(value: Any, name: str, choices: Collection[str]) -> str:
    """Return one of several names; a ValueError that lists them if it is none of them."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r} is not known; use one of {', '.join(choices)}.")
    return value


def checked_flag(value: Any, name: str) -> bool:
    """Return True or False; a ValueError if it is neither."""
    # Imported here to save start-up time: the command line shows its help without NumPy.
    import numpy as np

    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r} must be True or False.")
    return bool(value)
