"""Images that are denoised block by block look as if they were denoised as a whole, whatever the size of the blocks."""

import json
import pickle

import numpy as np
import pytest

from napari_rsmoe import denoise, psnr
from napari_rsmoe.denoising import blockwise
from napari_rsmoe.denoising.blockwise import HALO, DenoiseBlocks, surveyed
from napari_rsmoe.denoising.options import split_settings
from napari_rsmoe.denoising.survey import Survey
from napari_rsmoe.errors import NotEnoughMemoryError, StoppedError
from napari_rsmoe.image import sample
from napari_rsmoe.image.blocks import ALIGNMENT, BlockPlan, largest_plan

FAST = {"preset": "fast", "models": 2, "noise": 12.0}


def picture(height=150, width=180):
    y, x = np.mgrid[:height, :width]
    return 100 + 40 * np.sin(x / 9) * np.cos(y / 11) + 30 * ((x // 40 + y // 50) % 2)


@pytest.fixture(scope="module")
def noisy():
    clean = picture()
    return (clean + np.random.default_rng(0).normal(0, 12, clean.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def one_block(noisy):
    return denoise(noisy, block=1000, **FAST)


def test_plans_cover_every_pixel_once_and_read_enough():
    plan = BlockPlan((300, 205), 100, 30)
    count = np.zeros(plan.shape, int)
    for block in plan:
        count[block.core] += 1
        for core, read, length in zip(block.core, block.read, plan.shape, strict=True):
            assert read.start % ALIGNMENT == 0
            assert core.start - read.start >= min(30, core.start)
            assert read.stop - core.stop >= min(30, length - core.stop)
    assert (count == 1).all()
    assert plan.largest == max(np.prod(block.shape) for block in plan)
    assert largest_plan((5000, 5000), 48, 10**6).side == 768
    assert largest_plan((5000, 5000), 48, 10**3) is None


def test_the_result_does_not_depend_on_the_blocks(noisy, one_block):
    """At most 0.01 dB, and steps between blocks as large as elsewhere; as a whole other random numbers are drawn."""
    clean = picture()
    whole = denoise(noisy, **FAST)
    quality = psnr(one_block.image, clean, data_range=200)
    assert abs(psnr(whole.image, clean, data_range=200) - quality) < 0.15
    blocks = denoise(noisy, block=64, **FAST)
    assert (blocks.image.dtype, blocks.models) == (np.float32, [])
    assert abs(psnr(blocks.image, clean, data_range=200) - quality) < 0.02
    assert np.sqrt(np.mean(np.square(blocks.image - one_block.image))) < 0.2 * one_block.std.mean()
    assert blocks.std.mean() == pytest.approx(one_block.std.mean(), rel=0.02)
    steps = [
        np.abs(np.diff(result.image, axis=0))[63:-1:64].mean()
        + np.abs(np.diff(result.image, axis=1))[:, 63:-1:64].mean()
        for result in (blocks, one_block)
    ]
    assert steps[0] == pytest.approx(steps[1], rel=0.04)


def test_bits_do_not_depend_on_where_a_block_is_worked_on(noisy):
    """The function of a block goes to another process, or to a file as JSON, and yields the same there."""
    options, selection = split_settings(FAST)
    work = surveyed(lambda _, part: noisy[part], noisy.shape, [0], options, selection, dtype="same")
    block = BlockPlan(noisy.shape, 64, HALO)[4]
    expected = work(noisy[block.read], 0, block)
    sent = pickle.loads(pickle.dumps(work))
    assert len(pickle.dumps(work)) < 200_000
    kept = Survey.described(json.loads(json.dumps(work.found.description())))
    for other in (sent, DenoiseBlocks(options, kept, selection, noisy.shape)):
        for mine, theirs in zip(expected, other(noisy[block.read], 0, block), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_blocks_of_counts_in_colour_with_gaps_and_notes(monkeypatch):
    """Photon noise, integers rounded by chance, left-out and missing pixels, an empty block, channels first."""
    monkeypatch.setattr(sample, "SIDE", 48)
    clean = np.stack([picture(120, 100) / 20, picture(120, 100) / 10])
    counts = np.random.default_rng(1).poisson(clean).astype(np.int16)
    counts[:, :64, :64] = -9999
    mask = np.zeros((120, 100), bool)
    mask[100, 50:60] = True
    with pytest.warns(UserWarning, match="missing data"):
        result = denoise(counts, block=64, mask=mask, fill=False, channel_axis=0, preset="fast", models=2)
    assert (result.image.dtype, result.image.shape, result.std.shape) == (np.int16, counts.shape, counts.shape)
    assert (result.image[:, :64, :64] == -9999).all()
    assert np.isnan(result.std[:, :64, :64]).all()
    np.testing.assert_array_equal(result.image[:, mask], counts[:, mask])
    there = (counts != -9999) & ~mask
    assert result.image[there].mean() == pytest.approx(clean[there].mean(), rel=0.02)
    with pytest.warns(UserWarning, match="missing data"):
        whole = denoise(counts, mask=mask, fill=False, channel_axis=0, preset="fast", models=2)
    error, expected = (np.square(each.image - clean)[there].mean() for each in (result, whole))
    assert error == pytest.approx(expected, rel=0.1)


def test_what_does_not_fit_is_done_in_blocks_or_refused(noisy, monkeypatch):
    seen = []
    monkeypatch.setattr(blockwise, "SIDE", 8)  # Else the survey takes as much as the whole.
    monkeypatch.setattr("napari_rsmoe.denoising.memory.FIXED", 0)
    monkeypatch.setattr("napari_rsmoe.image.blocks.SIDES", (96, 64))
    monkeypatch.setattr("napari_rsmoe.memory.LEAST", 1)

    def stop(progress):
        seen.append(progress.stage)
        return progress.stage.startswith("block 2")

    result = denoise(noisy, memory=3_300_000, callback=stop, **FAST)
    assert seen[0].startswith("block 1 of 4, ")
    assert np.isfinite(result.std[:96, :96]).all()
    assert np.isnan(result.std[96:]).all()
    np.testing.assert_array_equal(result.image[96:], noisy[96:])
    with pytest.raises(NotEnoughMemoryError, match="in blocks would take"):
        denoise(noisy, memory=10_000, **FAST)
    with pytest.raises(NotEnoughMemoryError, match="150 x 180 px with 2 models"):
        denoise(noisy, memory=10_000, checkpoint="folder", **FAST)
    with pytest.raises(ValueError, match="block and checkpoint exclude"):
        denoise(noisy, block=64, checkpoint="folder", **FAST)
    with pytest.raises(StoppedError):
        denoise(noisy, block=64, callback=lambda progress: True, **FAST)
    with pytest.raises(ValueError, match="block="):
        denoise(noisy, block=5)
