"""Finished results in a JSON file, with which an interrupted benchmark continues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..io.atomic import replacing_file
from . import machine

Rows = dict[str, dict[str, Any]]
"""Figures by row name; one run may fill several rows of a table."""


@dataclass(frozen=True)
class Key:
    """Everything a result depends on.

    Attributes
    ----------
    picture : str
        Data set and name of the image.
    method : str
        Name of the method.
    settings : mapping
        All settings, as values that JSON can hold: noise level, crop, kernels, iterations.
    seed : int
        Seed of the method and the noise.
    code : str
        The hash from `code.code_version`.
    """

    picture: str
    method: str
    settings: Mapping[str, Any] = field(hash=False)
    seed: int
    code: str

    def text(self, *, code: bool = True) -> str:
        """The key as JSON; without `code`, the key of the same result for any version of the code."""
        parts = [self.picture, self.method, self.settings, self.seed, *([self.code] if code else [])]
        return json.dumps(parts, sort_keys=True)


class Store:
    """A file of results, which is rewritten after each result.

    Parameters
    ----------
    path : Path
        The file, which is read if it exists. Its folder must exist.

    Raises
    ------
    ValueError
        If the file has other contents.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, dict[str, Any]] = {}
        if not path.exists():
            return
        try:
            for entry in json.loads(path.read_text("utf-8"))["results"]:
                key = Key(**entry["key"])
                self._found[key.text(code=False)] = entry
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no results of this benchmark: {error}. Move it away.") from error

    def get(self, key: Key) -> Rows | None:
        """The rows of a result, or None if there is none for this version of the code."""
        entry = self._found.get(key.text(code=False))
        return entry["rows"] if entry is not None and entry["key"]["code"] == key.code else None

    def put(self, key: Key, rows: Rows) -> None:
        """Keep a result, replacing that of another version of the code."""
        self._found[key.text(code=False)] = {"key": vars(key), "rows": rows}
        self.write({})

    def write(self, header: Mapping[str, Any]) -> None:
        """Rewrite the file, with the facts of the machine and a header before the results."""
        content = {"machine": machine.facts(), **header, "results": list(self._found.values())}
        with replacing_file(self.path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")
