"""The documentation site: ``make docs`` builds it into build/docs."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

project = METADATA["name"]
author = METADATA["authors"][0]["name"]
release = version = METADATA["version"]
copyright = author  # noqa: A001

extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx.ext.intersphinx",
    "sphinx.ext.extlinks", "sphinx_design", "sphinx_copybutton",
]  # fmt: skip
exclude_patterns = ["README.md", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
default_role = "py:obj"  # A name between single backticks in a docstring leads to its page, if it has one.
html_theme = "pydata_sphinx_theme"
html_title = f"{project} {version}"
html_static_path = ["images"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
}
# Pages without pages below them need no column for these.
html_sidebars: dict[str, list[str]] = {page: [] for page in ("install", "first-steps", "gallery", "faq")}

nb_execution_mode = "off"  # The tutorials carry their pictures; `make notebooks` renews them.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # They stand in the docstrings.
suppress_warnings = ["ref.python"]  # Words of types, such as "shape", that are names of several classes too.
autosummary_generate = True
autosummary_ignore_module_all = False
napoleon_google_docstring = False
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}
intersphinx_mapping: dict[str, tuple[str, None]] = {}  # Built without a network; links to other sites are written out.

# What lies outside this folder, for readers on GitHub, is shown on the site too.
WHOLE = {"changelog": "CHANGELOG.md", "security": "SECURITY.md"}
LINKS = {"docs/README.md": "index.md", "docs/": "", "notebooks/": "tutorials/"}
LINKS |= {file: f"{page}.md" for page, file in WHOLE.items()}
OUTSIDE = re.compile(r"\]\((?:\.\./)*(" + "|".join(map(re.escape, LINKS)) + ")")


def to_pages(app: object, name: str, source: list[str]) -> None:
    """Fill the pages that lie outside this folder, and let links that lead out of it lead to the pages of the site."""
    if name in WHOLE:
        source[0] = (ROOT / WHOLE[name]).read_text("utf-8")
    up = "../" * name.count("/")
    source[0] = OUTSIDE.sub(lambda link: f"]({up}{LINKS[link[1]]}", source[0])


def setup(app: Any) -> None:
    """Collect what lies outside this folder."""
    tutorials = Path(__file__).parent / "tutorials"
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, tutorials / notebook.name)
    app.connect("source-read", to_pages)
