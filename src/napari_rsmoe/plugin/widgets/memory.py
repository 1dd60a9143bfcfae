"""The last settings of the user, kept between sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSettings

from ..names import PLUGIN


def _settings() -> QSettings:
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, PLUGIN, "widgets")


def remember(widget: str, given: Mapping[str, Any]) -> None:
    """Store values that JSON can hold."""
    settings = _settings()
    settings.setValue(widget, json.dumps(dict(given)))
    settings.sync()


def remembered(widget: str) -> dict[str, Any]:
    """The stored values; empty if there are none or they cannot be read."""
    text = _settings().value(widget, "")
    try:
        found = json.loads(str(text)) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
