"""Drawing keeps to the device that was asked for, whoever draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_helpers import run

from napari_rsmoe import Kernels, Model, deblur, fit, upscale, write_image
from napari_rsmoe.engine import devices
from napari_rsmoe.fitting.upscale import draw_part
from napari_rsmoe.model.quality import kernel_errors
from napari_rsmoe.progress import Progress


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the devices that were asked for, in order; every job runs on the CPU."""
    names: list[str] = []

    def resolve(name: str) -> torch.device:
        names.append(name)
        return torch.device("cpu")

    monkeypatch.setattr(devices, "resolve_device", resolve)
    monkeypatch.setattr("napari_rsmoe.engine.resolve_device", resolve)
    return names


@pytest.fixture
def model() -> Model:
    kernels = Kernels([[4, 4], [9, 9]], [[3, 2], [3, 2]], [0, 0], [1, 1], [[50.0], [250.0]])
    return Model.from_kernels(kernels, (16, 16), dtype=np.uint8)


@pytest.fixture
def image(model: Model) -> np.ndarray:
    return model.render()


JOBS: dict[str, Callable[[Model, np.ndarray], object]] = {
    "render": lambda model, image: model.render(device="cuda"),
    "errors": lambda model, image: kernel_errors(model, image, device="cuda"),
    "upscale": lambda model, image: upscale(image, 2, models=2, n_kernels=3, iterations=2, device="cuda"),
    "deblur": lambda model, image: deblur(image, 1.0, preset="fast", noise=0, device="cuda"),
    "slider": lambda model, image: draw_part(
        [model], 2.0, 1.5, (0, 0, 8, 8), device="cuda"
    ),  # that napari's widget has
}


def assert_asked(asked: list[str]) -> None:
    """Only the device that was given is asked for, or the one that it was resolved to, the CPU here."""
    assert asked[0] == asked[-1] == "cuda"
    assert set(asked) <= {"cuda", "cpu"}


@pytest.mark.parametrize("job", JOBS)
def test_functions_draw_on_the_given_device(job: str, asked: list[str], model: Model, image: np.ndarray) -> None:
    asked.clear()
    JOBS[job](model, image)
    assert_asked(asked)


def test_notebooks_draw_on_the_given_device(asked: list[str], model: Model) -> None:
    pytest.importorskip("ipywidgets", reason="install the notebook extra to draw in notebooks")
    from napari_rsmoe.notebook import KernelExplorer

    KernelExplorer(model, device="cuda")
    assert_asked(asked)


def test_previews_of_a_fit_are_drawn_where_it_runs(asked: list[str], image: np.ndarray) -> None:
    def preview(progress: Progress) -> None:
        asked.clear()
        progress.preview()
        assert asked == ["cpu"]  # what "cuda" was resolved to, not "auto"
        asked.clear()

    asked.clear()
    fit(image, 3, iterations=40, device="cuda", callback=preview)


@pytest.mark.parametrize("verb", ["render", "fit", "upscale"])
def test_the_command_line_draws_on_the_given_device(
    verb: str, asked: list[str], model: Model, image: np.ndarray, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.tif", image)
    model.save(tmp_path / "a.rsmoe")
    source = tmp_path / ("a.rsmoe" if verb == "render" else "a.tif")
    more = {"render": [], "fit": ["--n-kernels", 3], "upscale": ["--models", 1, "--scale", 2]}[verb]
    quick = [] if verb == "render" else ["--iterations", 2]
    target = tmp_path / "b.tif"
    asked.clear()
    done = run(verb, source, target, "--device", "cuda", *more, *quick)
    assert done.exit_code == 0, done.output
    assert_asked(asked)
