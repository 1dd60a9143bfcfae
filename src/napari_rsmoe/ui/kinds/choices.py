"""Parameters with a few possible values: one of several names, or true and false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from .parameter import Parameter

NEAR = 0.6
"""Similarity of two words, from 0 to 1, above which one may have been meant by the other."""


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
