"""Models that are kept as they finish, and taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scenes import noisy_of, scene

from napari_rsmoe import CheckpointError, Progress, denoise, denoise_stack
from napari_rsmoe.denoising.checkpoint import Checkpoint

QUICK = {"models": 4, "preset": "fast", "device": "cpu"}


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return noisy_of(scene(48, 56))


def test_an_interrupted_job_goes_on_to_the_same_bits(noisy: np.ndarray, tmp_path: Path) -> None:
    whole = denoise(noisy, **QUICK)

    def interrupt(progress: Progress) -> None:
        if progress.stage == "model 3 of 4":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(noisy, checkpoint=tmp_path / "models", callback=interrupt, **QUICK)
    kept = sorted(path.name for path in (tmp_path / "models").glob("model_*"))
    assert kept == ["model_000.safetensors", "model_001.safetensors"]
    seen: list[str] = []
    again = denoise(noisy, checkpoint=tmp_path / "models", callback=lambda p: seen.append(p.stage) and None, **QUICK)
    assert {"model 3 of 4", "model 4 of 4"} <= set(seen)
    assert not {"model 1 of 4", "model 2 of 4"} & set(seen)
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
    assert checkpoint.load([0], 9, 1) is None
    (tmp_path / "new" / "model_000.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"model_000\.safetensors is damaged"):
        checkpoint.load([0], 9, 1)
    (tmp_path / "new" / "job.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"job\.json is damaged"):
        Checkpoint(tmp_path / "new", {"seed": 1})


LEFT_BEHIND = (".DS_Store", "._job.json", "Thumbs.db", ".model_000.safetensors.0123abcd.rsmoe.part", "job.json.x1.part")


def test_what_systems_and_killed_programs_leave_behind_does_not_matter(tmp_path: Path) -> None:
    for name in LEFT_BEHIND:
        (tmp_path / name).write_bytes(b"x")
    Checkpoint(tmp_path, {"seed": 1})
    Checkpoint(tmp_path, {"seed": 1}).save([0], (torch.rand(1, 3, 6), torch.rand(1, 3, 1)))
    Checkpoint(tmp_path, {"seed": 1})
    with pytest.raises(CheckpointError, match="another job"):
        Checkpoint(tmp_path, {"seed": 2})
    assert (tmp_path / ".DS_Store").exists()


def test_foreign_folders_are_not_touched(noisy: np.ndarray, tmp_path: Path) -> None:
    for name, words in (
        (".git", r"\(\.git\)"),
        ("a.safetensors", "safetensors"),
        ("model_000.safetensors", "model_000"),
    ):
        folder = tmp_path / name.strip(".")
        folder.mkdir()
        (folder / name).write_bytes(b"precious")
        for work in (
            lambda folder=folder: denoise(noisy, checkpoint=folder, **QUICK),
            lambda folder=folder: denoise_stack(np.stack([noisy, noisy]), "TYXC", checkpoint=folder, **QUICK),
        ):
            with pytest.raises(CheckpointError, match=rf"holds other files.*{words}"):
                work()
        assert [path.name for path in folder.iterdir()] == [name]


@pytest.fixture(scope="module")
def finished(noisy: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    denoise(noisy, checkpoint=folder, **QUICK)
    return folder


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda t: {"geometry": t["geometry"]}, "it holds geometry, not geometry and experts"),
        (lambda t: t | {"more": t["geometry"].clone()}, "more"),
        (lambda t: t | {"geometry": t["geometry"].double()}, "geometry is float64"),
        (lambda t: t | {"geometry": t["geometry"][:, :5].contiguous()}, r"geometry is float32 of shape \(\d+, 5\)"),
        (lambda t: t | {"experts": t["experts"][:-1].contiguous()}, "experts is float32 of shape"),
        (lambda t: {name: each.repeat(3, 1) for name, each in t.items()}, "geometry is float32 of shape"),
        (lambda t: t | {"geometry": t["geometry"] * torch.nan}, "kernel 0 has y = nan"),
        (lambda t: t | {"experts": t["experts"] * 1e30}, "expert"),
        (lambda t: t | {"geometry": -t["geometry"]}, "must be positive"),
    ],
)
def test_tensors_of_a_checkpoint_are_checked(
    noisy: np.ndarray, finished: Path, tmp_path: Path, harm: object, words: str
) -> None:
    for path in finished.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "model_001.safetensors"
    save_file(harm(load_file(path)), path)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=rf"model_001\.safetensors is damaged \(.*{words}.*delete it"):
        denoise(noisy, checkpoint=tmp_path, **QUICK)


@pytest.mark.parametrize("text", ["", "[]", "5", '{"edition": 1}', "[" * 100_000, "\udcff"])
def test_a_damaged_job_file_is_reported(noisy: np.ndarray, finished: Path, tmp_path: Path, text: str) -> None:
    for path in finished.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "job.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError, match=r"job\.json is damaged|is of another job"):
        denoise(noisy, checkpoint=tmp_path, **QUICK)


@pytest.mark.parametrize(
    ("place", "value"),
    [("iterations", "many"), ("betas", [0.9]), ("tau", True), ("n_kernels", 1e9), ("shift", [1]), ("shift", "ab")],
)
def test_settings_of_an_earlier_job_are_taken_only_if_they_are_sound(
    noisy: np.ndarray, finished: Path, tmp_path: Path, place: str, value: object
) -> None:
    for path in finished.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    job = json.loads((tmp_path / "job.json").read_text())
    del job["edition"]
    (job["settings"] if place in job["settings"] else job["models"][0])[place] = value
    (tmp_path / "job.json").write_text(json.dumps(job))
    with pytest.raises(CheckpointError, match="is of another job"):
        denoise(noisy, checkpoint=tmp_path, **QUICK)
