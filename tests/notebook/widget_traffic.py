"""What widgets send to the browser, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """What a widget sent to the browser."""

    time: float
    state: dict[str, Any]
    size: int  # bytes, of the binary parts and of the rest as JSON
    binary: int


@dataclass
class Traffic:
    """All messages since the last `clear`."""

    messages: list[Message] = field(default_factory=list)

    def clear(self) -> None:
        self.messages.clear()

    @property
    def bytes(self) -> int:
        return sum(message.size for message in self.messages)

    @property
    def pictures(self) -> list[Message]:
        """Those with binary parts."""
        return [message for message in self.messages if message.binary]
