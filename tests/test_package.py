"""The package as a whole: its public names, what importing it costs, the napari manifest."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

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


def test_a_fit_and_its_summary_load_no_gui_no_widgets_and_nothing_that_only_benchmarks_need() -> None:
    loaded = modules_loaded_by(
        "import numpy as np, napari_rsmoe; napari_rsmoe.denoise; napari_rsmoe.upscale\n"
        "assert 'data:image/png' in napari_rsmoe.fit(np.eye(16), 3, iterations=5)._repr_html_()"
    )
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "matplotlib", "bm3d"}
    assert not loaded & {"ipywidgets", "anywidget", "IPython"}


def test_napari_finds_the_manifest() -> None:
    manifest = npe2.PluginManifest.from_distribution("napari-rsmoe")
    assert manifest.name == "napari-rsmoe"
    assert manifest.package_version == napari_rsmoe.__version__
    manifest.validate_imports()


def test_without_a_compiler_the_build_says_what_to_do(tmp_path: Path) -> None:
    """As `pip install .` does it, which brings cmake and ninja."""
    cmake, ninja = (shutil.which(name, path=sysconfig.get_path("scripts")) for name in ("cmake", "ninja"))
    if cmake is None or ninja is None:
        pytest.skip("cmake and ninja are not installed beside Python")
    command = [cmake, "-S", Path(__file__).parents[1], "-B", tmp_path, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    said = " ".join(done.stderr.split())
    assert done.returncode != 0
    assert said.count("CMake Error") == 1
    assert "none was found: install GCC 12" in said
    assert "sudo apt install g++" in said
    assert "xcode-select --install" in said
    assert "a wheel, which needs no compiler" in said
