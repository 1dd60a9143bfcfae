"""The description of one parameter: its name, its help, and how a value is checked, read and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


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
