"""Parameters whose values are numbers, one or several."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from ...checks import Range
from .parameter import Parameter

MAX_INT = 2**31 - 1
"""Largest whole number that the fields of all front ends hold."""
FIELD_LIMIT = 1e12
"""Largest magnitude of a number that a field offers where the range has no bound."""


@dataclass(frozen=True, kw_only=True)
class Number(Parameter):
    """A number within a range, both ends included.

    Attributes
    ----------
    low, high : float
        The range; infinite where there is no bound.
    unit : str
        Shown behind the label; empty: none, or that of the image.
    step : float
        By how much an arrow key changes the number.
    first : float, optional
        The number that a field begins with when the choice is no longer left to the program; `low` if it is not given.
    """

    low: float
    high: float
    unit: str = ""
    step: float = 1
    first: float | None = None

    @property
    def caption(self) -> str:
        """The label of a field, with the unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def _first(self) -> Any:
        return self.accept(self.low if self.first is None else self.first)

    @property
    @abstractmethod
    def range(self) -> Range:
        """The numbers that are accepted."""

    def _accept_own(self, value: Any) -> Any:
        number = self.range.number(value)
        if number is None:
            raise self._refusal(value, self.range.text)
        return number

    def _read(self, text: str) -> Any:
        number = _number_in(text)
        return text if number is None else number


@dataclass(frozen=True, kw_only=True)
class IntParameter(Number):
    """A whole number."""

    low: float = 0
    high: float = math.inf

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest number that a field offers."""
        return int(self.low), int(min(self.high, MAX_INT))

    @property
    def range(self) -> Range:
        """The numbers that are accepted."""
        return Range(self.low, self.high, whole=True)

    def _placeholder(self) -> str:
        return "N"


@dataclass(frozen=True, kw_only=True)
class FloatParameter(Number):
    """A finite number.

    Attributes
    ----------
    positive : bool
        Whether the number must be above 0; `low` is then of no account.
    nan : bool
        Whether NaN is accepted too, which fields of forms cannot hold.
    decimals : int
        How many digits a form shows behind the point.
    slider : (float, float)
        The part of the range that a slider covers, where a front end has one.
    """

    low: float = -math.inf
    high: float = math.inf
    positive: bool = False
    nan: bool = False
    decimals: int = 2
    slider: tuple[float, float] = (0.0, 1.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest number that a field offers: fields hold no infinity."""
        low = max(self.low, -FIELD_LIMIT)
        return max(low, 10.0**-self.decimals) if self.positive else low, min(self.high, FIELD_LIMIT)

    @property
    def range(self) -> Range:
        """The numbers that are accepted."""
        return Range(self.low, self.high, positive=self.positive, nan=self.nan)

    def write(self, value: Any) -> str:
        """Return the shortest text that gives the same number."""
        return value if isinstance(value, str) else _shortest(value)

    def _placeholder(self) -> str:
        return "VALUE"


@dataclass(frozen=True, kw_only=True)
class Numbers(Parameter):
    """Several numbers, written with commas between them.

    Attributes
    ----------
    parts : tuple of str
        What each number is.
    whole : bool
        Whether they are whole numbers.
    """

    parts: tuple[str, ...]
    whole: bool = False

    def _accept_own(self, value: Any) -> tuple[float, ...]:
        given = value if isinstance(value, list | tuple) else ()
        numbers = [number for number in map(_finite, given) if number is not None]
        good = len(numbers) == len(given) == len(self.parts)
        if not good or (self.whole and any(number != int(number) for number in numbers)):
            kind = "whole numbers" if self.whole else "numbers"
            raise self._refusal(value, f"{len(self.parts)} {kind} {self._placeholder()}")
        return tuple(map(int if self.whole else float, numbers))

    def _read(self, text: str) -> Any:
        numbers = [_number_in(part) for part in text.split(",")]
        return text if None in numbers else tuple(numbers)

    def write(self, value: Any) -> str:
        """Return the numbers with commas between them."""
        return ",".join(map(_shortest, value))

    def _placeholder(self) -> str:
        return ",".join(self.parts)


@dataclass(frozen=True, kw_only=True)
class NoiseParameter(Parameter):
    """A standard deviation, or gain, offset and read noise of a camera.

    The gain and the read noise are not negative, and not both 0.

    Attributes
    ----------
    first : float
        The standard deviation that a field begins with when the noise is no longer estimated.
    """

    first: float = 10.0

    def _accept_own(self, value: Any) -> float | tuple[float, ...]:
        given = value if isinstance(value, list | tuple) else (value,)
        numbers = [number for number in map(_finite, given) if number is not None]
        alone = len(given) == 1 and numbers and numbers[0] >= 0
        if not alone and not (len(numbers) == 3 == len(given) and min(numbers[::2]) >= 0 and any(numbers[::2])):
            raise self._refusal(
                value,
                "a number of at least 0 or GAIN,OFFSET,READ, of which GAIN and READ are not negative and not both 0",
            )
        return numbers[0] if alone else tuple(numbers)

    def _read(self, text: str) -> Any:
        numbers = _one_or_more_in(text)
        return text if numbers is None else numbers

    def write(self, value: Any) -> str:
        """Return the number, or three with commas between them."""
        return _one_or_more(value)

    def _first(self) -> float:
        return self.first

    def _placeholder(self) -> str:
        return "SIGMA|GAIN,OFFSET,READ"


@dataclass(frozen=True, kw_only=True)
class PointSpread(Parameter):
    """A point spread function: a standard deviation, three numbers of a lens, or the name of an image file."""

    def _accept_own(self, value: Any) -> float | tuple[float, ...] | str:
        given = self._read(value) if isinstance(value, str) else value
        if isinstance(given, str):
            return given  # The name of a file, or nothing yet.
        numbers = [_finite(number) for number in (given if isinstance(given, list | tuple) else [given])]
        found = tuple(number for number in numbers if number is not None and number > 0)
        if len(found) != len(numbers) or len(found) not in (1, 3):
            raise self._refusal(value, "a positive number, three as NA,WAVELENGTH,PIXEL, or the name of an image file")
        return found if len(found) == 3 else found[0]

    def _read(self, text: str) -> Any:
        numbers = _one_or_more_in(text)
        return text.strip() if numbers is None else numbers

    def write(self, value: Any) -> str:
        """Return the number, three with commas between them, or the name of the file."""
        return _one_or_more(value)

    def _placeholder(self) -> str:
        return "SIGMA|NA,WAVELENGTH,PIXEL|FILE"


def _one_or_more_in(text: str) -> float | tuple[float, ...] | None:
    """The number that a text holds, or those that have commas between them; None if it holds anything else."""
    found = [_number_in(part) for part in text.split(",")]
    numbers = tuple(number for number in found if number is not None)
    if len(numbers) < len(found):
        return None
    return numbers if len(numbers) > 1 else numbers[0]


def _one_or_more(value: Any) -> str:
    """Undo `_one_or_more_in`; a text stays."""
    if isinstance(value, str):
        return value
    return ",".join(map(_shortest, value)) if isinstance(value, list | tuple) else _shortest(value)


def _finite(value: Any) -> float | None:
    """`value` as a finite number; None if it is none. True, false and texts are no numbers."""
    return Range().number(value)


def _number_in(text: str) -> float | int | None:
    """The number that is written as `text`; None if it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return None


def _shortest(number: float) -> str:
    """The shortest text that gives the same number."""
    exact = repr(number if isinstance(number, int) else float(number))
    return min(f"{number:g}", exact, key=lambda text: (float(text) != number, len(text)))
