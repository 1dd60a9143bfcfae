"""The version of the code behind a figure: a hash of all code that could change the figure."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec, resolve_name
from pathlib import Path

ROOT = __package__.split(".")[0]


@cache
def code_version(modules: tuple[str, ...], alone: tuple[str, ...] = ()) -> str:
    """Hash of modules and of everything that they import, directly or indirectly.

    The hash covers the statements of modules of this package, without comments and docstrings, the bytes of the
    compiled engine, and the versions of other packages.

    Parameters
    ----------
    modules : tuple of str
        Full names of modules.
    alone : tuple of str
        Full names of modules that are hashed without their imports.
    """
    sources, outside = imported_by(*modules)
    sources |= {name: path for name in alone if (path := _source(name))}
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\n".encode() + _content(sources[name]))
    distributions = _distributions()
    for package in sorted(outside - set(sys.stdlib_module_names)):
        for distribution in distributions.get(package, []):
            digest.update(f"{distribution} {version(distribution)}\n".encode())
    return digest.hexdigest()[:12]


def imported_by(*modules: str) -> tuple[dict[str, Path], set[str]]:
    """The imported modules of this package with their files, including the given ones, and the other packages."""
    sources: dict[str, Path] = {}
    outside: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is None or name in sources:
            continue
        sources[name] = path
        for imported in _imports(name, path):
            if imported.split(".")[0] != ROOT:
                outside.add(imported.split(".")[0])
            elif imported != ROOT:  # The package itself would add everything through its lazy names.
                waiting.append(imported)
    return sources, outside


@cache
def _distributions() -> Mapping[str, list[str]]:
    """The distributions of each installed package. All their lists of files are read, which takes seconds."""
    return packages_distributions()


@cache
def _source(name: str) -> Path | None:
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _for_types(tree: ast.Module) -> set[ast.AST]:
    """The statements below ``if TYPE_CHECKING``, which do not run."""
    blocks = [
        node.body for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {node for body in blocks for statement in body for node in ast.walk(statement)}


@cache
def _imports(name: str, path: Path) -> frozenset[str]:
    """Full names of the imports of a module; in ``from a import b``, b may be a module or a name in a."""
    if path.suffix != ".py":
        return frozenset()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    for node in set(ast.walk(tree)) - _for_types(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else str(node.module)
            found.add(base)
            if base.split(".")[0] == ROOT:
                found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(found)


@cache
def _content(path: Path) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # Strings that are statements are docstrings.
            body[:] = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return ast.dump(tree).encode()
