"""Results and files of version 0.1.0 that must stay as they are: see `golden/cases.py`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from golden.cases import CASES, RANGE
from napari_rsmoe import CheckpointError, Model, Progress, denoise

GOLDEN = Path(__file__).parent / "golden"

TOLERANCE = 1.0
"""Root mean square difference allowed, of 255. Fits amplify the rounding of other processors: between instruction sets
upscaled images differ by 0.4, all others by less than 0.1."""


@pytest.mark.parametrize("name", CASES)
def test_results_stay_as_they_were(name: str) -> None:
    expected = np.load(GOLDEN / "golden.npz")[name].astype(np.float64)
    result = CASES[name]().astype(np.float64)
    assert result.shape == expected.shape
    assert np.sqrt(np.mean(np.square(result - expected))) < TOLERANCE


@pytest.mark.parametrize("name", ["old", "old_rbf", "old_linear"])
def test_old_model_files_load_and_draw_the_same(name: str) -> None:
    """On another processor they may differ by rounding: 8-bit values by one step in few pixels, floats by 1e-3."""
    model = Model.load(GOLDEN / f"{name}.rsmoe")
    expected = np.load(GOLDEN / "drawn.npz")[name].astype(np.float64)
    drawn = model.render()
    assert np.abs(drawn - expected).max() <= (1 if drawn.dtype == np.uint8 else RANGE / 1000)
    if drawn.dtype == np.uint8:
        assert np.mean(drawn != expected) < 0.01


def test_an_old_checkpoint_is_taken_up(tmp_path: Path) -> None:
    """Its models are not fitted again."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN / "checkpoint", folder)
    seen: list[Progress] = []
    noisy = np.load(GOLDEN / "checkpoint_image.npy")
    result = denoise(noisy, models=2, noise=15.0, n_kernels=20, checkpoint=folder, device="cpu", callback=seen.append)
    assert not [progress for progress in seen if progress.stage.startswith("model")]
    assert [model.n_kernels for model in result.models] == [20, 20]
    assert result.noise == pytest.approx(15)


def test_an_old_checkpoint_of_other_choices_is_refused(tmp_path: Path) -> None:
    """Only what the presets choose may differ from the job that was begun."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN / "checkpoint", folder)
    noisy = np.load(GOLDEN / "checkpoint_image.npy")
    begun = {"models": 2, "noise": 15.0, "n_kernels": 20}
    for change in ({"models": 3}, {"n_kernels": 21}, {"start": "random"}, {"seed": 1}, {"noise": 16.0}):
        with pytest.raises(CheckpointError, match="another job"):
            denoise(noisy, **begun | change, checkpoint=folder, device="cpu")  # type: ignore[arg-type]
