"""Images that are enlarged block by block look as if they were enlarged as a whole, whatever the size of the blocks."""

from __future__ import annotations

import errno
import mmap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from skimage import data

from napari_rsmoe import ImageError, Restored, StoppedError, denoise, psnr, roomy, upscale
from napari_rsmoe.batch.pairs import Pair
from napari_rsmoe.batch.upscale import UpscaleFile
from napari_rsmoe.denoising.large.kept import Kept, keeping
from napari_rsmoe.denoising.large.names import folder_of
from napari_rsmoe.denoising.large.running import status_of
from napari_rsmoe.enlarging import upscale_in_blocks
from napari_rsmoe.enlarging.blocks import EnlargeBlocks
from napari_rsmoe.errors import CheckpointError, NotEnoughMemoryError
from napari_rsmoe.image import sample
from napari_rsmoe.image.blocks import BlockPlan
from napari_rsmoe.image.reduction import Reduction
from napari_rsmoe.io.raw import RawArray
from napari_rsmoe.ui.parameters.enlarging import UPSCALE
from napari_rsmoe.ui.parameters.values import values

FAST = {"preset": "fast", "models": 1, "noise": 0, "iterations": 25, "return_std": True}
COARSE = {"preset": "fast", "models": 1, "iterations": 5, "reduction": "mean"}
"""Settings for tests that compare bits, whatever the quality."""


@pytest.fixture(autouse=True)
def small_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares of 32 px in the sample."""
    monkeypatch.setattr(sample, "SIDE", 32)


def picture(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """An image of 110 x 130 px, and what it is reduced from."""
    height, width = round(110 * scale), round(130 * scale)
    large = data.camera()[60 : 60 + height, 100 : 100 + width].astype(np.float32)
    return Reduction.of((height, width), (110, 130)).reduced(large[None])[0], large


def enlarged(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, scale: float, side: int, **more: object) -> Restored:
    monkeypatch.setattr(upscale_in_blocks.Job, "plan", lambda job: BlockPlan(job.plane.shape[:2], side, 40))
    return upscale(image, scale, **(FAST | more))


def test_the_result_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = 2.4
    small, large = picture(scale)
    whole = upscale(small, scale, reduction="mean", **FAST)
    results = [enlarged(monkeypatch, small, scale, side, reduction="mean") for side in (96, 48)]
    quality = [psnr(each.image, large, data_range=255) for each in (whole, *results)]
    assert quality[1] == pytest.approx(quality[0], abs=0.03)  # What is unsure is measured in some squares only.
    assert quality[2] == pytest.approx(quality[1], abs=0.02)
    assert results[0].std.mean() == pytest.approx(results[1].std.mean(), rel=0.02)
    assert results[0].std.mean() == pytest.approx(whole.std.mean(), rel=0.05)
    back = Reduction.of(large.shape, small.shape).reduced(results[1].image[None])[0]
    assert np.sqrt(np.mean(np.square(back - small))) < 1


def test_blocks_of_counts_in_colour_with_missing_pixels_and_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    small, _ = picture(1.5)
    noisy = small + np.random.default_rng(0).normal(0, 9, (2, *small.shape))
    image = noisy.round().clip(0).astype(np.int16)
    image[:, :100, :100] = -9999
    with pytest.warns(UserWarning, match="missing data"):
        found = enlarged(monkeypatch, image, 1.5, 48, noise=9, channel_axis=0, sharpen=1.2)
    assert (found.image.dtype, found.image.shape, found.std.shape) == (np.int16, (2, 165, 195), (2, 165, 195))
    assert (found.image[:, :150, :150] == -9999).all()
    assert np.isnan(found.std[:, :150, :150]).all()
    assert np.isfinite(found.std[:, 150:]).all()
    assert found.noise == pytest.approx(9)
    there = found.image[:, 152:].astype(float)
    assert there.mean() == pytest.approx(noisy[:, 102:].mean(), rel=0.02)


def test_values_far_from_0_are_enlarged_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    small = picture(1.5)[0][:48].astype(np.float64)
    noisy = small + np.random.default_rng(0).normal(0, 9, small.shape)
    expected = enlarged(monkeypatch, noisy, 1.5, 48, **COARSE, noise=9)
    found = enlarged(monkeypatch, noisy / 1000 + 1e7, 1.5, 48, **COARSE, noise=0.009)
    assert found.models == []
    np.testing.assert_allclose(1000 * (found.image - 1e7), expected.image, atol=0.5)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.filterwarnings("default:.*error bar is NaN")
@pytest.mark.parametrize("noise", [0.0, 9.0])
def test_values_beyond_single_precision_are_enlarged_like_others(monkeypatch: pytest.MonkeyPatch, noise: float) -> None:
    small = picture(1.5)[0][:48].astype(np.float64)
    noisy = small + np.random.default_rng(0).normal(0, 9, small.shape)
    expected, found = (
        enlarged(monkeypatch, noisy * scale, 1.5, 48, **COARSE, noise=noise * scale) for scale in (1.0, 2.0**1000)
    )
    np.testing.assert_array_equal(found.image / 2.0**1000, expected.image)
    assert np.isnan(found.std).all()
    assert np.isfinite(expected.std).all()


@pytest.mark.parametrize(("dtype", "offset"), [(np.uint32, 2**32 - 10_000), (np.int64, -(2**40)), (np.int32, -(2**31))])
def test_integers_far_from_0_keep_their_digits(monkeypatch: pytest.MonkeyPatch, dtype: type, offset: int) -> None:
    small = picture(1.5)[0][:48].astype(np.float64)
    counts = (small + np.random.default_rng(0).normal(0, 9, small.shape)).round().clip(0).astype(np.int64)
    given = {**COARSE, "noise": 9.0, "dtype": "same"}
    expected = enlarged(monkeypatch, counts.astype(np.uint16), 1.5, 48, **given)
    found = enlarged(monkeypatch, (counts + offset).astype(dtype), 1.5, 48, **given)
    assert found.image.dtype == dtype
    np.testing.assert_allclose(found.image.astype(np.int64) - offset, expected.image.astype(np.int64), atol=1)


def test_a_result_that_takes_much_of_the_memory_lies_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file is then read part by part, and the result is the same to the bit."""
    small = picture(1.5)[0][:48]
    noisy = (small + np.random.default_rng(0).normal(0, 9, small.shape)).astype(np.float32)
    expected = enlarged(monkeypatch, noisy, 1.5, 48, **COARSE, noise=9)
    monkeypatch.setattr(roomy, "SHARE", 0.0)
    monkeypatch.setattr(roomy, "FOLDERS", (str(tmp_path),))
    monkeypatch.delenv("TMPDIR", raising=False)
    found = enlarged(monkeypatch, noisy, 1.5, 48, **COARSE, noise=9)
    assert isinstance(found.image.base.base, memoryview | mmap.mmap)
    for mine, theirs in ((found.image, expected.image), (found.std, expected.std)):
        np.testing.assert_array_equal(mine, theirs)
    np.save(tmp_path / "in.npy", noisy)
    given = COARSE | {"scale": 1.5, "noise": 9}
    read, own = [], RawArray.__getitem__
    monkeypatch.setattr(RawArray, "__getitem__", lambda self, index: read.append(index) or own(self, index))
    heard = SimpleNamespace(callback=lambda: lambda progress: None, note=print, detail=print)
    UpscaleFile(values(UPSCALE, given))(Pair(tmp_path / "in.npy", tmp_path / "out.npy"), heard)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected.image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy"]
    assert min(noisy[index].size for index in read) < 0.6 * noisy.size
    monkeypatch.setattr(roomy, "_reserve", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(ImageError, match=r"temporary room.*Set TMPDIR"):
        enlarged(monkeypatch, noisy, 1.5, 48, **COARSE, noise=9)


def test_a_stopped_job_repeats_pixels_and_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    small, _ = picture(2)
    stop = enlarged(monkeypatch, small, 2, 48, callback=lambda progress: progress.stage.startswith("block 2"))
    assert np.isfinite(stop.std[:96, :96]).all()
    assert np.isnan(stop.std[96:]).all()
    np.testing.assert_array_equal(stop.image[96:], small.repeat(2, 0).repeat(2, 1)[96:])
    monkeypatch.undo()
    with pytest.raises(NotEnoughMemoryError, match="Enlarging 110 x 130 px"):
        upscale(small, 2, memory="1M")


def test_an_interrupted_job_goes_on_with_the_same_bits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is done is not done again, unless it is damaged; another job on the same result is refused."""
    monkeypatch.setattr(sample, "SIDE", 64)
    small = picture(1.5)[0][:48, :72]
    expected = enlarged(monkeypatch, small, 1.5, 24, **COARSE)
    np.save(tmp_path / "in.npy", small)
    target, said, done = tmp_path / "out.npy", [], []
    given = COARSE | {"scale": 1.5, "noise": 0}
    own = EnlargeBlocks.__call__
    monkeypatch.setattr(EnlargeBlocks, "__call__", lambda *given: done.append(given[2].number) or own(*given))

    def run(stop: str, **more: object) -> None:
        heard = SimpleNamespace(
            callback=lambda: lambda progress: progress.stage.startswith(stop), note=said.append, detail=print
        )
        UpscaleFile(values(UPSCALE, given | more))(Pair(tmp_path / "in.npy", target), heard)

    with pytest.raises(StoppedError):
        run("block 4 of 6")
    assert "the same command goes on" in said[-1]
    assert (status_of(str(target)).done, status_of(str(target)).total, len(set(done))) == (3, 6, 4)
    with pytest.raises(CheckpointError, match=r"begun with other .*settings\."):
        run("never", seed=4)
    damaged = next(folder_of(str(target)).path.glob("plane-0/upscale/blocks/*"))
    damaged.write_bytes(damaged.read_bytes()[:-50])
    monkeypatch.setattr(upscale_in_blocks.Job, "plan", lambda job: BlockPlan(job.plane.shape[:2], 16, 40))
    done.clear()
    run("never")  # With other blocks, by the memory that is free; those of before are taken up.
    assert len(done) == 4
    np.testing.assert_array_equal(np.load(target), expected.image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy"]
    monkeypatch.setattr(Kept, "keep", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(ImageError, match=r"full: make room.*goes on where it was"):
        run("never")
    monkeypatch.undo()
    noisy = np.round(small[:, :64] + np.random.default_rng(0).normal(0, 9, (48, 64))).astype(np.float32)
    blocks = {"block": 32, "noise": 9, "preset": "fast", "models": 1, "n_kernels": 60}
    with keeping(tmp_path / "kept"):
        stopped = denoise(noisy, **blocks, callback=lambda now: now.stage.startswith("block 3"))
        assert np.isnan(stopped.std).any()
        again = denoise(noisy, **blocks)
    np.testing.assert_array_equal(again.image, denoise(noisy, **blocks).image)


@pytest.mark.parametrize("colour", [False, True])
def test_the_whole_is_enlarged_as_one_block(monkeypatch: pytest.MonkeyPatch, colour: bool) -> None:
    """To the bit: whether an image is enlarged in blocks changes no random number."""
    monkeypatch.undo()
    small = picture(2)[0][:60, :70]
    image = np.stack([small, small[::-1], small[:, ::-1]], -1) if colour else small
    given = FAST | {"iterations": 10}
    whole = upscale(image, 2, **given)
    one = enlarged(monkeypatch, image, 2, 200, **given)
    np.testing.assert_array_equal(whole.image, one.image)
