"""Hot and dead pixels are found, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_rsmoe.image.defects import find_defects


@pytest.mark.parametrize("share", [0.0005, 0.005])
@pytest.mark.parametrize("value", [0.0, 2000.0, 65535.0])
def test_hot_and_dead_pixels_are_found(share: float, value: float) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    image = 400 + 100 * np.sin(x / 9) * np.cos(y / 7) + rng.normal(0, 5, (96, 96))
    bad = rng.random(image.shape) < share
    image[bad] = value
    found = find_defects(np.rint(image).astype(np.uint16)[..., None])
    assert not (found & ~bad).any()
    assert (found & bad).sum() > 0.9 * bad.sum()


@pytest.mark.parametrize("name", ["camera", "cat", "brick", "moon", "page", "text", "hubble_deep_field", "cell"])
def test_pictures_have_none(name: str) -> None:
    image = getattr(data, name)()
    assert not find_defects(image[..., None] if image.ndim == 2 else image).any()


def test_photons_stars_and_salt_are_none() -> None:
    rng = np.random.default_rng(1)
    for mean in (0.01, 0.3, 5):
        assert not find_defects(rng.poisson(mean, (128, 128, 1))).any()
    y, x = np.mgrid[:96, :96]
    sky = rng.normal(100, 5, (96, 96))
    for cy, cx in rng.uniform(4, 92, (20, 2)):
        sky += rng.uniform(100, 1e5) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 0.7**2))
    assert not find_defects(sky[..., None]).any()
    many = np.where(rng.random((96, 96)) < 0.03, rng.uniform(200, 255, (96, 96)), rng.normal(100, 5, (96, 96)))
    assert not find_defects(many[..., None]).any()  # Of no common value.
    clipped = np.where(data.camera() > 180, 180, data.camera())
    assert not find_defects(clipped[..., None]).any()


@pytest.mark.parametrize("share", [0.012, 0.03, 0.09])
@pytest.mark.parametrize("ends", [(65535,), (0,), (0, 65535)])
def test_many_stuck_pixels_are_found(share: float, ends: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    image = np.rint(500 + 300 * np.sin(x / 9) * np.cos(y / 7) + rng.normal(0, 9, (96, 96))).astype(np.uint16)
    bad = rng.random(image.shape) < share
    image[bad] = rng.choice(ends, bad.sum())
    found = find_defects(image[..., None])
    np.testing.assert_array_equal(found, bad)


def test_tiny_images_have_none() -> None:
    assert not find_defects(np.array([[[1.0], [1000.0], [1.0]]])).any()


def _detector(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """A noisy micrograph of 16 bits with defects, and where they are."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:112, :112]
    clean = 500 + 300 * np.sin(x / 9) * np.sin(y / 11)
    image, at = np.rint(clean + rng.normal(0, 20, clean.shape)).astype(np.uint16), np.zeros(clean.shape, bool)
    if kind == "clusters":
        for top, left, side in ((20, 30, 2), (60, 80, 3), (90, 12, 2)):
            at[top : top + side, left : left + side] = True
        image[at] = rng.integers(3500, 4096, at.sum())
    elif kind == "dead columns":
        at[:, 37] = at[:, 60:62] = at[50:, 90] = True
        image[at] = 0
    elif kind == "hot row":
        at[40] = True
        image[40] += 900
    else:
        at = rng.random(clean.shape) < 0.4
        image[at] = rng.choice([0, 4095], at.sum())
    return image, at


@pytest.mark.parametrize("kind", ["clusters", "dead columns", "hot row", "two fifths of the pixels"])
def test_defects_that_lie_together_are_found(kind: str) -> None:
    image, at = _detector(kind)
    found = find_defects(image[..., None])
    assert (found & at).sum() >= 0.97 * at.sum()
    assert (found & ~at).sum() <= 3


def test_points_of_light_and_lines_of_a_lens_are_none() -> None:
    image = _detector("clusters")[0].astype(float)
    image[image > 3000] = 500
    y, x = np.mgrid[:112, :112]
    for row, column, width in ((20.5, 30.5, 0.6), (60.2, 70.4, 0.7), (90, 40, 1.0)):
        image += 3000 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    image += 3000 * np.exp(-((x - 100.3) ** 2) / (2 * 0.7**2))
    assert not find_defects(np.rint(image)[..., None].astype(np.uint16)).any()
