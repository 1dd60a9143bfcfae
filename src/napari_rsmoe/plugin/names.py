"""The name of the plugin in napari, and of its entries in the metadata of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..renamed import OUTPUTS

PLUGIN = "napari-rsmoe"
METADATA_KEY = "rsmoe"
"""Key in the metadata of result layers for the record of the job."""
ORIGINAL_KEY = "rsmoe layer"
"""Key in the metadata of result layers for their own identity; a copy by the user has that of the original."""


def role_of(record: Mapping[str, Any]) -> str:
    """The role of a layer in the record in its metadata, by its present name; empty if the record has none."""
    role = str(record.get("role") or "")
    return OUTPUTS.get(role, role)
