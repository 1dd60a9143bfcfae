"""The printed numbers of the R-SMoE paper."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def printed() -> dict[str, Any]:
    """Tables I to IV and their source; times in seconds, LPIPS of a network that the paper does not name."""
    content: dict[str, Any] = json.loads((files(__package__) / "paper.json").read_text("utf-8"))
    return content


def regression_rows(table: str, kernels: int) -> list[tuple[str, dict[str, Any]]]:
    """Name and figures of the rows of ``"table_1"`` or ``"table_2"`` for a kernel count."""
    found = printed()
    return [
        (row["method"], row | {"hardware": found["hardware"], "images": found[table]["images"]})
        for row in found[table]["rows"]
        if row["kernels"] == kernels
    ]


def denoising_rows(level: str) -> list[tuple[str, dict[str, Any]]]:
    """Name (with the number of models) and figures of the rows of tables III and IV at a noise variance."""
    found = printed()
    rows = []
    for table in ("table_3", "table_4"):
        for row in found[table]["rows"]:
            if level in row["levels"]:
                models = f", {row['models']} models" if row["models"] and table == "table_4" else ""
                figures = row["levels"][level] | {"hardware": found["hardware"], "images": found[table]["images"]}
                rows.append((row["method"] + models, figures))
    return rows
