"""Parameters whose values are texts: words, axes, amounts of memory, and names of files and folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

from ...memory import checked_memory
from .parameter import Automatic, Parameter


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


NOT_MADE = Automatic(None, "")
"""Of an output that the user has not named."""


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
    automatic: Automatic | None = NOT_MADE
    shown: bool = False
    suffix: str = ".tif"
    dtype: str | None = None

    def _accept_own(self, value: Any) -> str:
        if not isinstance(value, str | PathLike) or not str(fspath(value)).strip():
            raise self._refusal(value, "the name of a file")
        return str(fspath(value))

    def _placeholder(self) -> str:
        return "FILE"
