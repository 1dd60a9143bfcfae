"""Code with a button that copies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent / "viewer"


class Code(str):
    """Python source code that a notebook displays unchanged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class CodeBox(anywidget.AnyWidget):
    """Code on lines as they are, which scroll and never wrap, with a Copy button; nothing if there is no code.

    Parameters
    ----------
    text : str
        The code.
    """

    _esm = (HERE / "code_box.js").read_text("utf-8")
    _css = (HERE / "viewer.css").read_text("utf-8")

    text = traitlets.Unicode().tag(sync=True)

    def __init__(self, text: str = "", **traits: Any) -> None:
        super().__init__(text=text, **traits)
