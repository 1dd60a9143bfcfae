"""Parts of docs/results/benchmarks.md: results that were kept, the facts of the machine, and prose."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

from benchmarks.machine import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results"
WIDTH = 118  # characters of a line of prose


def load(name: str) -> dict[str, Any] | None:
    """A file of results, or None if it was not measured."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def machine_line(facts: dict[str, Any]) -> str:
    """The machine and versions of a measurement."""
    return (
        f"{facts['processor']}, {facts['threads']} threads of {facts['cores']} cores, {facts['simd']}, "
        f"torch {facts['torch']}, Python {facts['python']}, {facts['date'][:10]}, load {facts['load']} at the end."
    )


def prose(*paragraphs: str) -> str:
    """Paragraphs wrapped to `WIDTH`, without breaking code spans."""
    wrapped = []
    for paragraph in paragraphs:
        joined = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), paragraph)
        lines = textwrap.wrap(joined, WIDTH, break_long_words=False, break_on_hyphens=False)
        wrapped.append("\n".join(lines).replace("\0", " "))
    return "\n\n".join(wrapped) + "\n"
