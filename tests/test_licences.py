"""Licences of what the extras install: nobody gets a GPL or non-commercial package without asking for it."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
NAME = "napari-rsmoe"
EXEMPT = ("bench", "test")
"""Extras for measuring and testing only: BM3D is for non-commercial use, PyQt6 is under the GPL."""
REVIEWED = {"pyside6": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", "axe-playwright-python": "MIT"}
"""Licences of packages that do not state one, or that the tests do not install."""
UNKNOWN = ("nvidia-", "cuxray")
"""Tools of NVIDIA in `dev`, under a licence of their own, which is free of charge for commercial use too."""


def project() -> dict[str, list[str]]:
    """The requirements without an extra, as "", and those of each extra."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": table["dependencies"], **table["optional-dependencies"]}


def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def closure(extra: str) -> dict[str, Distribution | None]:
    """All packages that an extra installs, directly or not; None for those that are not installed here."""
    own = project()
    found: dict[str, Distribution | None] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(NAME, ""), (NAME, extra)]
    while waiting:
        name, part = waiting.pop()
        if (name, part) in seen:
            continue
        seen.add((name, part))
        if name == NAME:
            required = own[part]
        else:
            found[name] = installed(name)
            required = (found[name].requires or []) if found[name] else []  # type: ignore[union-attr]
        for line in required:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": part if name != NAME else ""}):
                waiting += [(canonicalize_name(need.name), each) for each in ("", *need.extras)]
    return found


def licence(package: Distribution) -> str:
    """What a package says of its licence."""
    words = package.metadata
    classifiers = [each for each in words.get_all("Classifier") or [] if each.startswith("License")]
    return words.get("License-Expression") or " OR ".join(classifiers) or (words.get("License") or "")[:200]


def is_restricted(text: str) -> bool:
    """Whether a licence leaves no choice but the GPL, or excludes commercial use."""
    if re.search(r"non-?commercial", text, re.IGNORECASE):
        return True
    choices = re.split(r"\s+OR\s+", text)
    gpl = r"\bA?GPL|GNU (Affero )?General Public"
    return all(re.search(gpl, choice) and "Lesser" not in choice for choice in choices)


def restricted(extra: str) -> dict[str, str]:
    """The packages of an extra that are restricted, or of which no licence is known, and what they say."""
    found = {}
    for name, package in closure(extra).items():
        text = REVIEWED.get(name) or (licence(package) if package else "")
        if name.startswith(UNKNOWN) or (package is None and name not in REVIEWED):
            continue
        if not text or is_restricted(text):
            found[name] = text
    return found


@pytest.mark.parametrize("extra", [extra for extra in project() if extra not in EXEMPT])
def test_no_extra_for_users_installs_a_restricted_package(extra: str) -> None:
    assert not restricted(extra)


def test_restricted_packages_are_noticed() -> None:
    assert "bm3d" in restricted("bench")
    assert "pyqt6" in restricted("test")
    assert is_restricted("GPL-3.0-only")
    assert is_restricted("License :: OSI Approved :: GNU General Public License v3 (GPLv3)")
    assert not is_restricted("LGPL-3.0-only OR GPL-3.0-only")
    assert not is_restricted("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)")


def test_the_readme_says_so() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    assert "no package under the GPL or for non-commercial use only" in text
