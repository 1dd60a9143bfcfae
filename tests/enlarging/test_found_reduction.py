"""The reduction that made the pixels of an image, found from its spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_rsmoe.enlarging.found_reduction import best_share, likely_bicubic, shape_of_spectrum, share_of
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.reduction import Reduction


def reduced(kind: str) -> np.ndarray:
    image = data.cat()[:260, :300].mean(2).astype(np.float32)[None] / 255
    return Reduction.of(image.shape[1:], (104, 120), kind).reduced(image)[0]


def test_means_and_bicubic_interpolation_are_told_apart() -> None:
    mean, bicubic = likely_bicubic([reduced("mean")]), likely_bicubic([reduced("bicubic")])
    assert mean < 0.3
    assert bicubic > 0.7
    # At 2 times means that are taken for bicubic pixels lose more than the reverse, at 4 times as much.
    assert mean < best_share([reduced("bicubic")], 2) < bicubic < best_share([reduced("bicubic")], 4)
    assert best_share([reduced("bicubic")], 8) == best_share([reduced("bicubic")], 4)


@pytest.mark.parametrize("image", [np.full((96, 96), 0.5, np.float32), np.zeros((40, 40), np.float32)])
def test_images_that_say_nothing_are_taken_for_those_of_a_camera(image: np.ndarray) -> None:
    assert best_share([image], 2) < 0.2


def test_what_is_said_counts() -> None:
    inputs = Inputs.of(reduced("bicubic"))
    assert share_of("mean", [inputs], 2) == 0
    assert share_of("bicubic", [inputs], 2) == 1
    assert share_of("auto", [inputs], 2) > 0.5


def test_images_with_noise_of_single_pixels_are_taken_for_those_of_a_camera() -> None:
    noisy = reduced("bicubic") + np.random.default_rng(0).normal(0, 0.04, (104, 120)).astype(np.float32)
    assert share_of("auto", [Inputs.of(noisy)], 4) < 0.2


def test_blocks_without_data_do_not_count() -> None:
    image = reduced("mean")
    holes = image.copy()
    holes[:3] = np.nan
    rest = shape_of_spectrum([image[16:]])
    assert rest is not None
    np.testing.assert_array_equal(shape_of_spectrum([holes]), rest)
    assert shape_of_spectrum([np.full_like(image, np.nan)]) is None


def test_a_blend_lies_between_the_reductions() -> None:
    image = np.random.default_rng(0).random((1, 24, 24), np.float32)
    mean, half, bicubic = (Reduction.of((24, 24), (24, 8), kind).reduced(image) for kind in ("mean", 0.5, "bicubic"))
    np.testing.assert_allclose(half, (mean + bicubic) / 2, atol=1e-6)
    assert not np.allclose(mean, bicubic)
