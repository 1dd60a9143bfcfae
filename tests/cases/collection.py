"""All kinds of trouble, with their cases."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from .frame import Case


def kinds() -> list[tuple[str, list[Case]]]:
    """The kinds, in the order of their modules' names: their words and their cases."""
    found = []
    for module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda each: each.name):
        if module.name in ("__main__", "collection", "frame", "test_cases"):
            continue
        loaded = import_module(f".{module.name}", __package__)
        found.append((loaded.KIND, loaded.CASES))
    names = [case.name for _, cases in found for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"cases with the same name: {twice}"
    return found
