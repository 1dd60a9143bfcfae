"""Models that are kept as they finish, and taken up again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import noisy_of, scene

from napari_rsmoe import CheckpointError, Progress, denoise
from napari_rsmoe.denoising.checkpoint import Checkpoint

QUICK = {"models": 4, "preset": "fast", "device": "cpu"}


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return noisy_of(scene(48, 56))


def test_an_interrupted_job_goes_on_to_the_same_bits(noisy: np.ndarray, tmp_path: Path) -> None:
    whole = denoise(noisy, **QUICK)

    def interrupt(progress: Progress) -> None:
        if progress.fraction > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(noisy, checkpoint=tmp_path / "models", callback=interrupt, **QUICK)
    kept = sorted(path.name for path in (tmp_path / "models").glob("model_*"))
    assert kept == ["model_000.safetensors", "model_001.safetensors"]
    seen: list[str] = []
    again = denoise(noisy, checkpoint=tmp_path / "models", callback=lambda p: seen.append(p.stage) and None, **QUICK)
    assert set(seen) == {"noise", "model 3 of 4", "model 4 of 4"}
    np.testing.assert_array_equal(again.image, whole.image)
    np.testing.assert_array_equal(again.std, whole.std)
    for ours, theirs in zip(again.models, whole.models, strict=True):
        np.testing.assert_array_equal(ours.experts.numpy(), theirs.experts.numpy())


def test_models_of_another_job_are_refused(noisy: np.ndarray, tmp_path: Path) -> None:
    denoise(noisy, checkpoint=tmp_path, **QUICK)
    with pytest.raises(CheckpointError, match=r"another job: image.* differ"):
        denoise(noisy + 0.01 * noisy**2, checkpoint=tmp_path, **QUICK)
    with pytest.raises(CheckpointError, match="seed"):
        denoise(noisy, checkpoint=tmp_path, seed=1, **QUICK)
    with pytest.raises(CheckpointError, match="settings"):
        denoise(noisy, checkpoint=tmp_path, **{**QUICK, "preset": "best"})


def test_unsuitable_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(CheckpointError, match="holds other files"):
        Checkpoint(tmp_path, {})
    with pytest.raises(CheckpointError, match="cannot be a checkpoint"):
        Checkpoint(tmp_path / "missing" / "folder", {})
    checkpoint = Checkpoint(tmp_path / "new", {"seed": 1})
    assert checkpoint.load([0]) is None
    (tmp_path / "new" / "model_000.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"model_000\.safetensors is damaged"):
        checkpoint.load([0])
    (tmp_path / "new" / "job.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"job\.json is damaged"):
        Checkpoint(tmp_path / "new", {"seed": 1})
