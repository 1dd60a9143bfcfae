"""What widgets send to the browser, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """What a widget sent to the browser."""

    widget: str  # its model id
    time: float
    state: dict[str, Any]
    size: int  # bytes, of the binary parts and of the rest as JSON
    binary: int


@dataclass
class Traffic:
    """All messages so far; earlier tests may have left widgets that still send."""

    messages: list[Message] = field(default_factory=list)

    def of(self, widget: Any) -> list[Message]:
        """Those of one widget."""
        return [message for message in self.messages if message.widget == widget.model_id]

    def pictures(self, widget: Any) -> list[Message]:
        """Those of one widget that have binary parts."""
        return [message for message in self.of(widget) if message.binary]
