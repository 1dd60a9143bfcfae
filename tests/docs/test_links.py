"""Links between pages lead somewhere, and pages that are generated lie where they belong and are up to date."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from benchmarks import report

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PAGE_NAME = re.compile(r"\bdocs/[\w/.-]*\.(?:md|png|jpg)\b")
SOURCE_NAME = re.compile(r"`([\w./-]+\.(?:py|h|cpp|cu|sh|c))`")
PACKAGE_NAME = re.compile(r"`~?(napari_rsmoe(?:\.\w+)+)`")
FOLDERS = {"guide", "method", "results", "trials", "tutorials", "images", "_templates"}
TOP = {"README.md", "conf.py", "index.md", "install.md", "first-steps.md", "gallery.md", "api.md", "faq.md"}
TOP |= {"about.md", "cite.md", "changelog.md", "security.md"}
SOURCES = (".py", ".h", ".cpp", ".cu", ".md", ".ipynb", ".toml", ".yaml", ".sh")


@cache
def tracked() -> tuple[Path, ...]:
    """All files under version control; without git all files of the folders that hold pages and sources."""
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        return tuple(ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        folders = ("docs", "src", "csrc", "tests", "benchmarks", "notebooks", "scripts")
        return tuple(p for f in folders for p in (ROOT / f).rglob("*") if p.is_file()) + tuple(ROOT.glob("*.md"))


def markdown(path: Path) -> str:
    """The Markdown of a page, or of the text cells of a notebook, without fenced code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return FENCED.sub("", text)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", markdown(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> Iterator[str]:
    for target in LINK.findall(markdown(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        if not page.exists() or (anchor and anchor not in anchors(page)):
            yield target


PAGES = [path for path in tracked() if path.suffix in (".md", ".ipynb")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    assert list(broken_links(path)) == []


def test_a_broken_link_or_anchor_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, with `code`\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#a-heading-with-code) [b](missing.md) [c](there.md#none) [d](https://example.org/x.md)"
    )
    assert list(broken_links(page)) == ["missing.md", "there.md#none"]


def test_pages_named_in_the_sources_exist() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked()
        if path.suffix in SOURCES and path != Path(__file__)
        for name in PAGE_NAME.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    }
    assert missing == set()


def test_files_named_in_the_pages_exist() -> None:
    """Code spans such as `fitting/fit.py` name files of the repository, of the package or of a folder named before."""
    missing = set()
    for path in tracked():
        if path.suffix != ".md" or path.name == "CHANGELOG.md" or "tables" in path.parts:
            continue
        folder = ROOT
        for name in SOURCE_NAME.findall(markdown(path)):
            places = [base / name for base in (ROOT, ROOT / "src" / "napari_rsmoe", folder)]
            found = [place for place in places if place.exists()]
            if found:
                folder = found[0].parent
            else:
                missing.add(f"{path.relative_to(ROOT)}: {name}")
    assert missing == set()


def exists(name: str) -> bool:
    """Whether a dotted name is that of a module, or of something in one or in its class."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if part in getattr(found, "__annotations__", {}):  # A field without a default.
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_names_of_the_package_in_texts_exist() -> None:
    """Error messages, docstrings, comments and pages name modules and functions where they are now."""
    texts = [
        path for path in tracked() if path.suffix in SOURCES and path.name not in ("CHANGELOG.md", Path(__file__).name)
    ]
    named = {name: path for path in texts for name in PACKAGE_NAME.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 40
    assert not {name: path.name for name, path in named.items() if not exists(name)}
    assert not exists("napari_rsmoe.measure.noise")


def test_pages_lie_in_the_folders_of_the_documentation() -> None:
    folders = {path.relative_to(ROOT / "docs").parts[0] for path in tracked() if path.is_relative_to(ROOT / "docs")}
    assert folders <= FOLDERS | TOP


def test_the_page_of_benchmarks_is_made_from_the_results_that_are_kept() -> None:
    assert report.PAGE == ROOT / "docs" / "results" / "benchmarks.md"
    assert report.PAGE.read_text() == report.page(), "run `python -m benchmarks.report` and commit the page"


def test_lines_of_prose_are_at_most_120_characters_long() -> None:
    """Tables, pictures, code and the tables of `napari-rsmoe bench` may be longer."""
    long = [
        f"{path.relative_to(ROOT)}: {line[:60]}"
        for path in tracked()
        if path.suffix == ".md" and "tables" not in path.parts
        for line in markdown(path).splitlines()
        if len(line) > 120 and not re.match(r"\||!\[|`[^`]*`$", line)
    ]
    assert long == []
