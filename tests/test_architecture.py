"""The floors of the house: which package may import which, read from the import statements of every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import napari_rsmoe

ROOT = Path(napari_rsmoe.__file__).parent
NAME = "napari_rsmoe"
COMPILED = "_C"

FLOORS = (
    (
        "errors",
        "arrays",
        "checks",
        "door",
        "endings",
        "memory",
        "notes",
        "plain_text",
        "progress",
        "preload",
        "ranges",
        "renamed",
        "roomy",
    ),
    ("engine", "display"),
    ("image",),
    ("io",),
    ("model", "noise"),
    ("fitting",),
    ("denoising",),
    ("enlarging",),
    ("ui", "bench"),
    ("batch",),
    ("", "plots", "compat"),
    ("cli", "plugin", "notebook"),
    ("__main__",),
)
"""Packages and modules from the ground up; "" is `napari_rsmoe/__init__.py`.

A module imports from its own package and from lower floors only. Neighbours on one floor do not know each other, but
for the modules of the ground. `bench` lies below the front ends, as the command line starts it."""
GROUND = FLOORS[0]
FACES = ("", "engine", "io", "notebook")
"""Packages whose `__init__` gives names to users; that of every other package holds a docstring only."""
MARK = re.compile(r"#.*\bhere\b", re.IGNORECASE)
"""A comment such as "Imported here to save start-up time" marks an import inside a function, and those that follow."""
LONGEST = 60
"""Lines of a function without its signature and docstring. Longer ones hold more than one idea."""
MOST_ARGUMENTS = 9
"""Arguments of a constructor. More belong into values of their own."""


@dataclass(frozen=True)
class Import:
    """One name that a module imports from this package."""

    module: str
    target: str
    line: int
    kind: str  # "top", "function" or "typing"

    def __str__(self) -> str:
        return f"{self.module or '__init__'}:{self.line} imports {self.target or '__init__'}"


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")


FILES = {dotted(path): path for path in sorted(ROOT.rglob("*.py"))}


def room(module: str) -> str:
    """The package of a module, or the module itself if it lies at the top."""
    return module.split(".")[0]


def floor(module: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


Statement = ast.Import | ast.ImportFrom


@cache
def statements_of(text: str) -> tuple[tuple[Statement, str], ...]:
    """Every import statement, and whether it lies at the top, in a function, or is for type checkers only."""

    def walk(node: ast.AST, kind: str) -> Iterator[tuple[Statement, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Statement):
                yield child, kind
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from walk(child, "function")
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for part in child.body:
                    yield from walk(ast.Module([part], []), "typing")
                for part in child.orelse:
                    yield from walk(ast.Module([part], []), kind)
            elif not isinstance(child, ast.expr):
                yield from walk(child, kind)

    return tuple(walk(parsed(text), "top"))


def statements(module: str) -> tuple[tuple[Statement, str], ...]:
    """The import statements of a module."""
    return statements_of(FILES[module].read_text())


def base(module: str, statement: ast.ImportFrom) -> str | None:
    """The module that names are imported from, without the name of the package; None if it is another package's."""
    parts = (statement.module or "").split(".") if statement.module else []
    if not statement.level:
        return ".".join(parts[1:]) if parts[:1] == [NAME] else None
    here = module.split(".") if module else []
    if FILES[module].name != "__init__.py":
        here = here[:-1]
    return ".".join(here[: len(here) - statement.level + 1] + parts)


def imports(module: str) -> Iterator[Import]:
    for statement, kind in statements(module):
        if isinstance(statement, ast.Import):
            for name in statement.names:
                if name.name.split(".")[0] == NAME:
                    yield Import(module, name.name.removeprefix(NAME).lstrip("."), statement.lineno, kind)
            continue
        origin = base(module, statement)
        if origin is None:
            continue
        for name in statement.names:
            full = f"{origin}.{name.name}".lstrip(".")
            if full != COMPILED:
                yield Import(module, full if full in FILES else origin, statement.lineno, kind)


@cache
def all_imports() -> list[Import]:
    return [each for module in FILES for each in imports(module)]


def test_every_module_has_a_floor() -> None:
    rooms = {room(module) for module in FILES}
    assert rooms == {each for rooms_ in FLOORS for each in rooms_}
    assert sum(map(len, FLOORS)) == len(rooms)


@pytest.mark.parametrize("kind", ["top", "function", "typing"])
def test_imports_go_down(kind: str) -> None:
    """But the lazy face names what it gives to users for type checkers, and looks it up when it is asked for."""
    wrong = [
        str(each)
        for each in all_imports()
        if each.kind == kind
        and room(each.module) != room(each.target)
        and floor(each.target) >= floor(each.module)
        and not (room(each.module) in GROUND and room(each.target) in GROUND)
        and not (each.module == "" and kind == "typing")
    ]
    assert not wrong, "\n".join(wrong)


def circle() -> list[str]:
    """Modules that import each other in a circle; empty if there are none.

    What is imported inside a function counts, what is imported for type checkers does not.
    """
    graph = {module: {each.target for each in imports(module) if each.kind != "typing"} for module in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circles() -> None:
    assert not circle(), " -> ".join(circle())


def unmarked(module: str) -> list[int]:
    """Lines with an import inside a function and no mark."""
    lines, wrong = FILES[module].read_text().splitlines(), []
    marked = 0  # the last line of a marked import: those that follow at once share its mark
    for statement, kind in statements(module):
        if kind != "function":
            continue
        last = statement.end_lineno or statement.lineno
        if MARK.search(" ".join(lines[statement.lineno - 2 : last])) or statement.lineno == marked + 1:
            marked = last
        else:
            wrong.append(statement.lineno)
    return wrong


def test_imports_inside_functions_save_start_up() -> None:
    wrong = [f"{path.relative_to(ROOT)}:{line}" for module, path in FILES.items() for line in unmarked(module)]
    assert not wrong, "\n".join(wrong)


def test_packages_hold_a_docstring_only() -> None:
    for module, path in FILES.items():
        if path.name == "__init__.py":
            tree = parsed(path.read_text())
            assert ast.get_docstring(tree), f"{module} has no docstring"
            assert module in FACES or len(tree.body) == 1, f"{module}/__init__.py holds more than a docstring"


def test_functions_are_short_and_constructors_take_few_arguments() -> None:
    wrong = []
    for module, path in FILES.items():
        for node in ast.walk(parsed(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST:
                wrong.append(f"{module}:{node.lineno}: {node.name} has {lines} lines")
            arguments = len(node.args.args) + len(node.args.kwonlyargs) - 1
            if node.name == "__init__" and arguments > MOST_ARGUMENTS:
                wrong.append(f"{module}:{node.lineno}: a constructor with {arguments} arguments")
    assert not wrong, "\n".join(wrong)


def test_planted_faults_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "from ..denoising.denoise import denoise\n"
        "import napari_rsmoe.cli\n"
        "if TYPE_CHECKING:\n    from ..fitting import fit\n"
        "def late():\n    from .. import plots\n"
        "def marked():\n    # Imported here to save start-up time.\n    import json\n    import csv\n"
    )
    monkeypatch.setitem(FILES, "image.planted", planted)
    found = [(each.target, each.kind) for each in imports("image.planted")]
    assert found == [("denoising.denoise", "top"), ("cli", "top"), ("fitting.fit", "typing"), ("plots", "function")]
    assert all(floor(target) > floor("image.planted") for target, _ in found)
    assert unmarked("image.planted") == [6]
    planted.write_text("def late():\n    from . import other\n")
    other = tmp_path / "other.py"
    other.write_text("from .planted import late\n")
    monkeypatch.setitem(FILES, "image.other", other)
    assert set(circle()) == {"image.planted", "image.other"}
