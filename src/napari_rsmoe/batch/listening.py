"""Who hears what happens while files are processed."""

from __future__ import annotations

from typing import Protocol

from ..progress import Callback


class Listener(Protocol):
    """Hears what happens to one file after the other."""

    def begin(self, number: int, name: str) -> None:
        """File `number`, counted from 0, is being processed."""

    def callback(self) -> Callback:
        """Return the callback for the progress on the planes of the file; it may ask to stop."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def detail(self, text: str) -> None:
        """Something that was found or decided."""
