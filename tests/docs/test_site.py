"""The documentation site is built without a warning, and holds what it promises."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import napari_rsmoe

pytest.importorskip("myst_nb", reason="the documentation tools are not installed (pip install '.[docs]')")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it but for the index of the search. It must be built without a warning.

    In this process, where much of what it needs is loaded.
    """
    from sphinx.application import Sphinx

    folder, warnings = tmp_path_factory.mktemp("docs"), io.StringIO()
    docs = str(ROOT / "docs")
    app = Sphinx(docs, docs, str(folder / "site"), str(folder / "trees"), "html", status=None, warning=warnings)
    app.builder.search = False
    app.build()
    assert warnings.getvalue() == ""
    assert app.statuscode == 0
    return folder / "site"


def test_every_public_name_has_its_page_in_the_reference(site: Path) -> None:
    reference = (site / "api.html").read_text("utf-8")
    names = [name for name in napari_rsmoe.__all__ if name != "__version__"]
    assert [name for name in names if f"napari_rsmoe.{name}" not in reference] == []
    for module, names in (
        ("engine", "render fit_steps"),
        ("compat", "RsmoeDenoiser"),
        ("notebook", "DeblurWidget show"),
    ):
        page = (site / "generated" / f"napari_rsmoe.{module}.html").read_text("utf-8")
        assert [name for name in names.split() if f'id="napari_rsmoe.{module}.{name}"' not in page] == []


def test_tutorials_and_the_gallery_have_their_pictures(site: Path) -> None:
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        outputs = [out for cell in json.loads(notebook.read_text("utf-8"))["cells"] for out in cell.get("outputs", [])]
        pictures = sum(kind.startswith("image/") for output in outputs for kind in output.get("data", {}))
        page = (site / "tutorials" / f"{notebook.stem}.html").read_text("utf-8")
        assert page.count("<img") >= pictures > 0, notebook.stem
    gallery = (site / "gallery.html").read_text("utf-8")
    shown = {path.name for path in (site / "_images").iterdir() if path.name in gallery}
    assert {"demo.jpg", "napari_deblur.png", "notebook_deblur.png"} <= shown
    assert [name for name in shown if not (site / "_static" / name).exists()] == []  # Cards lead to the full size.
