"""Print the oldest versions that `pyproject.toml` allows, as requirements: ``python scripts/oldest.py``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def oldest() -> list[str]:
    """The requirements without an extra, each at its lower bound.

    Raises
    ------
    ValueError
        If one has no lower bound.
    """
    found = []
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]:
        match = re.fullmatch(r"([\w.-]+)\s*>=\s*([\w.]+)", line)
        if match is None:
            raise ValueError(f"{line!r} in pyproject.toml needs a lower bound, such as {line}>=1.0.")
        found.append(f"{match[1]}=={match[2]}")
    return found


if __name__ == "__main__":
    print("\n".join(oldest()))
