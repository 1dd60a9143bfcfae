"""The package as a whole: its public names, what importing it costs, the napari manifest."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import npe2
import pytest

import napari_rsmoe


@pytest.mark.parametrize("name", napari_rsmoe.__all__)
def test_public_name_exists(name: str) -> None:
    assert getattr(napari_rsmoe, name) is not None
    assert name in dir(napari_rsmoe)


def test_version_is_that_of_the_distribution() -> None:
    assert napari_rsmoe.__version__ == importlib.metadata.version("napari-rsmoe")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        napari_rsmoe.no_such_name  # noqa: B018


def modules_loaded_by(statement: str) -> set[str]:
    """Top-level names in `sys.modules` after `statement`, in a new interpreter."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_import_loads_neither_torch_nor_a_gui() -> None:
    loaded = modules_loaded_by("import napari_rsmoe")
    assert "napari_rsmoe" in loaded
    assert not loaded & {"torch", "numpy", "napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "ipywidgets", "anywidget"}


def test_the_engine_loads_no_gui_and_nothing_that_only_benchmarks_need() -> None:
    loaded = modules_loaded_by("import napari_rsmoe; napari_rsmoe.fit; napari_rsmoe.denoise; napari_rsmoe.upscale")
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "matplotlib", "bm3d"}


def test_napari_finds_the_manifest() -> None:
    manifest = npe2.PluginManifest.from_distribution("napari-rsmoe")
    assert manifest.name == "napari-rsmoe"
    assert manifest.package_version == napari_rsmoe.__version__
    manifest.validate_imports()
