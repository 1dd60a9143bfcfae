"""The kinds of parameters: what a value may be, how it is written, and what to say when it is not accepted.

Nothing here knows a user interface. The front ends turn a `Parameter` into a field of a form, an option of the command
line, or a keyword of a copied call; each of them needs one branch for each class below and none for a single parameter.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from os import PathLike, fspath
from typing import Any

from ..checks import Range
from ..memory import checked_memory

NEAR = 0.6
"""Similarity of two words, from 0 to 1, above which one may have been meant by the other."""
MAX_INT = 2**31 - 1
"""Largest whole number that the fields of all front ends hold."""
FIELD_LIMIT = 1e12
"""Largest magnitude of a number that a field offers where the range has no bound."""


@dataclass(frozen=True)
class Automatic:
    """The value of a parameter that leaves the choice to the program.

    Attributes
    ----------
    value : "auto" or None
        What the function takes for it.
    label : str
        What the program then does, in a few words: beside a tick box, and as the default on the command line.
    resolve : callable, optional
        Given all values, returns the value that the program will take, where that is known beforehand.
    """

    value: Any
    label: str
    resolve: Callable[[Mapping[str, Any]], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Parameter(ABC):
    """The description of one parameter, from which every front end makes what it shows.

    Attributes
    ----------
    name : str
        Keyword of the function in the public API; the command line writes it with dashes, as in ``--n-kernels``.
    label : str
        Name in a form, a few words.
    help : str
        One or two full sentences: tooltip in forms, help text on the command line.
    default : Any
        Accepted by `check`.
    automatic : Automatic, optional
        Given if the choice may be left to the program.
    advanced : bool
        Whether forms fold the parameter away.
    required : bool
        Whether the function has no default of its own: `default` is then only what forms begin with.
    excludes : tuple of str
        Parameters that must be left to the program when this one is not.
    only_with : (str, Any), optional
        Name and value of another parameter, without which this one must be left to the program.
    former_flags : tuple of str
        Earlier options of the command line, which are still accepted.
    remembered : bool
        Whether a form may keep the value for the next session.
    short : str
        One letter that stands for the option on the command line, after one dash; empty: none.
    """

    name: str
    label: str
    help: str
    default: Any
    automatic: Automatic | None = None
    advanced: bool = False
    required: bool = False
    excludes: tuple[str, ...] = ()
    only_with: tuple[str, Any] | None = None
    former_flags: tuple[str, ...] = ()
    remembered: bool = True
    short: str = ""

    def __post_init__(self) -> None:
        if self.automatic is None:
            if self.excludes or self.only_with:
                raise ValueError(f"{self.name} must be one that can be left to the program.")
        elif self.automatic.value is None and self.default is not None:
            raise ValueError(f"{self.name}: no option of a command line stands for None, so it must be the default.")

    def check(self, value: Any) -> Any:
        """Return `value` in the parameter's type. Raises ValueError with the label and what is accepted."""
        try:
            return self.accept(value)
        except ValueError as error:
            raise ValueError(f"{self.label}: {error}") from None

    def accept(self, value: Any) -> Any:
        """Return `value` in the parameter's type. Raises ValueError that says what is accepted."""
        return value if self.is_automatic(value) else self._accept_own(value)

    def parse(self, text: str) -> Any:
        """Return the value that is written as `text`. Raises ValueError that says what is accepted."""
        return text if self.is_automatic(text) else self.accept(self._read(text))

    def write(self, value: Any) -> str:
        """Return `value` as a text that `parse` understands."""
        return str(value)

    def is_automatic(self, value: Any) -> bool:
        """Whether `value` leaves the choice to the program."""
        known = self.automatic
        return known is not None and (value is None if known.value is None else known.value == value)

    @property
    def initial(self) -> Any:
        """What a field begins with that shows no automatic choice."""
        return self._first() if self.is_automatic(self.default) else self.default

    @property
    def caption(self) -> str:
        """The label of a field."""
        return self.label

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def placeholder(self) -> str:
        """What stands for a value in the usage of the command line."""
        own = self._placeholder()
        return own if self.automatic is None or self.automatic.value is None else f"{own}|{self.automatic.value}"

    def _first(self) -> Any:
        """What a field begins with when the choice is no longer left to the program."""
        return ""

    @abstractmethod
    def _accept_own(self, value: Any) -> Any:
        """`accept` of a value that is not left to the program."""

    @abstractmethod
    def _placeholder(self) -> str:
        """`placeholder` of a value that is not left to the program."""

    def _read(self, text: str) -> Any:
        """Turn a text into a value that `accept` may still refuse."""
        return text

    def _refusal(self, value: Any, wanted: str) -> ValueError:
        """The error for a value that is not accepted."""
        also = "" if self.automatic is None or self.automatic.value is None else f", or {self.automatic.value!r}"
        return ValueError(f"{value!r} is not {wanted}{also}.")


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
class Choice(Parameter):
    """One of several names.

    Attributes
    ----------
    choices : tuple of str
        The names.
    what : str
        Stands for the names in the usage of the command line; by default they are listed there.
    renamed : mapping of str to str
        Names that were accepted earlier, and what they are called now.
    """

    choices: tuple[str, ...]
    what: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)

    def _accept_own(self, value: Any) -> str:
        name = self.renamed.get(value, value) if isinstance(value, str) else value
        if name not in self.choices:
            near = get_close_matches(str(value), self.choices, 1, NEAR)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise self._refusal(value, f"one of {', '.join(self.choices)}{meant}")
        return str(name)

    def _first(self) -> str:
        return self.choices[0]

    def _placeholder(self) -> str:
        return self.what or "|".join(self.choices)


@dataclass(frozen=True, kw_only=True)
class Flag(Parameter):
    """True or false."""

    def _accept_own(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self._refusal(value, "true or false")
        return value

    @property
    def off_flag(self) -> str:
        """The option of the command line that sets it to false."""
        return f"--no-{self.flag[2:]}"

    def _placeholder(self) -> str:
        return ""


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
        numbers = [_number_in(part) for part in text.split(",")]
        return text if None in numbers else tuple(numbers)

    def write(self, value: Any) -> str:
        """Return the number, or three with commas between them."""
        if isinstance(value, str):
            return value
        return ",".join(map(_shortest, value)) if isinstance(value, list | tuple) else _shortest(value)

    def _first(self) -> float:
        return self.first

    def _placeholder(self) -> str:
        return "SIGMA|GAIN,OFFSET,READ"


@dataclass(frozen=True, kw_only=True)
class Text(Parameter):
    """Any text.

    Attributes
    ----------
    what : str
        Placeholder in the usage of the command line.
    """

    what: str = "TEXT"

    def _accept_own(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._refusal(value, "a text")
        return value

    def _placeholder(self) -> str:
        return self.what


@dataclass(frozen=True, kw_only=True)
class Axes(Text):
    """A letter for each axis of an image, with Y and X among them."""

    what: str = "LETTERS"

    def _accept_own(self, value: Any) -> str:
        letters = super()._accept_own(value).upper()
        if not re.fullmatch("[A-Z]{2,}", letters) or len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters):
            raise self._refusal(value, "a different letter for each axis, with Y and X among them, such as TYX")
        return letters


@dataclass(frozen=True, kw_only=True)
class Size(Parameter):
    """An amount of memory: a number of bytes, or a text with a unit such as 500M or 4G."""

    def _accept_own(self, value: Any) -> int | str:
        try:
            checked_memory(value)
        except ValueError:
            raise self._refusal(value, "a size of at least 1 MiB, such as 500M or 4G") from None
        # A text without a unit is a number of bytes.
        accepted: int | str = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
        return accepted

    def _placeholder(self) -> str:
        return "SIZE"

    def _first(self) -> str:
        return "4G"


@dataclass(frozen=True, kw_only=True)
class Folder(Parameter):
    """A folder, which need not exist yet."""

    def _accept_own(self, value: Any) -> str:
        if not isinstance(value, str | PathLike) or not str(fspath(value)).strip():
            raise self._refusal(value, "the name of a folder")
        return str(fspath(value))

    def _placeholder(self) -> str:
        return "FOLDER"


@dataclass(frozen=True, kw_only=True)
class Output(Parameter):
    """A further result of a job: a file that the command line names, and a layer that a box asks for in napari.

    Attributes
    ----------
    shown : bool
        Whether the box is ticked by default.
    suffix : str
        Suffix of the file in a folder.
    dtype : str or None
        Data type of an image; None: that of the input.
    """

    default: Any = None
    automatic: Automatic | None = Automatic(None, "")
    shown: bool = False
    suffix: str = ".tif"
    dtype: str | None = None

    def _accept_own(self, value: Any) -> str:
        if not isinstance(value, str | PathLike) or not str(fspath(value)).strip():
            raise self._refusal(value, "the name of a file")
        return str(fspath(value))

    def _placeholder(self) -> str:
        return "FILE"


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
