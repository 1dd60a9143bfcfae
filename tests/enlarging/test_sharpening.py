"""Sharpening by kernel editing: kernels much narrower than their neighbours (needles) show no cracks."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter
from skimage import data

from napari_rsmoe import Kernels, Model
from napari_rsmoe.enlarging.sharpening import overshoot, sharpened
from napari_rsmoe.enlarging.upscale import Settings, prepare
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.masks import Selection

SCALE = 4
SHARPEN = 3.0
SEEN = 0.05
"""Difference from the surroundings, as a fraction of the range, that is seen as a crack."""


def cracks(image: np.ndarray, plain: np.ndarray) -> float:
    """Fraction of the pixels that visibly leave the values of the plain drawing within a pixel of the image."""
    size = (2 * SCALE + 1, 2 * SCALE + 1, 1)
    beyond = np.maximum(image - maximum_filter(plain, size), minimum_filter(plain, size) - image)
    return float(np.mean(beyond > SEEN))


def test_a_needle_between_wide_kernels_shows_no_crack() -> None:
    # Three dark wide kernels share a place with a bright needle, which alone wins there once the kernels are narrower.
    centres = np.array([[16.0, 11.0], [16.0, 16.0], [16.0, 21.0], [16.0, 16.0]])
    axes = np.array([[12.0, 6.0], [12.0, 6.0], [12.0, 6.0], [14.0, 0.6]])
    table = Kernels(centres, axes, np.full(4, np.pi / 2), np.array([1.0, 1.0, 1.0, 1.2]), np.c_[[0.2, 0.2, 0.2, 0.9]])
    model = Model.from_kernels(table, (32, 32))
    plain, narrow = (model.render(scale=SCALE, sharpen=factor)[..., None] for factor in (1.0, SHARPEN))
    assert cracks(narrow, plain) > 0
    assert narrow.max() > plain.max() + 0.2
    result = sharpened(plain, narrow - plain, (SCALE, SCALE))
    assert cracks(result, plain) == 0
    assert result.max() <= plain.max()


def test_a_photograph_with_cracks_gets_no_more_of_them() -> None:
    photo = data.camera()[80:128, 200:248].astype(np.float32) / 255
    for row in (8, 13, 26):
        photo[np.arange(row, row + 18), np.arange(5, 41, 2)] = photo.max()
    made, _ = prepare(Inputs.of(photo, None, Selection(defects="keep")), SCALE, Settings(noise=0, preset="fast"))
    plain, result = (made.estimate(SCALE, factor).image for factor in (1.0, SHARPEN))
    models = [np.mean([model.render(scale=SCALE, sharpen=s) for model in made.models], 0) for s in (1.0, SHARPEN)]
    raw = plain + (models[1] - models[0])[..., None] / np.ptp(photo)
    assert cracks(raw, plain) > 0
    assert cracks(result, plain) == 0


def test_overshoot_of_a_part_is_measured_where_it_lies_in_the_image() -> None:
    small = np.random.default_rng(0).random((40, 30, 1), np.float32)
    rows, columns = np.arange(13, 57), np.arange(5, 60)
    part = small.repeat(2, 0).repeat(2, 1)[np.ix_(rows, columns)]
    assert overshoot(part, small, (rows // 2, columns // 2)).max() == 0
    assert overshoot(part, small).max() > 0
