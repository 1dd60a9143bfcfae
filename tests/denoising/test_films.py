"""Planes helped by their neighbours: motion, brightness, agreement, and films that arrive frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from napari_rsmoe import Kernels, PoissonGaussian, denoise, denoise_film, denoise_stack, psnr
from napari_rsmoe.denoising import alignment
from napari_rsmoe.denoising.alignment import with_neighbours
from napari_rsmoe.denoising.brightness import Brightness
from napari_rsmoe.denoising.motion import displacements, followed
from napari_rsmoe.denoising.neighbours import Neighbour
from napari_rsmoe.denoising.observation import Observation
from napari_rsmoe.denoising.options import OPTIONS, Options
from napari_rsmoe.denoising.warm_start import WarmStart
from napari_rsmoe.image.inputs import Inputs

QUICK = {"models": 2, "preset": "fast"}
SIGMA, SIDE = 0.1, 72


def texture(seed: int) -> np.ndarray:
    """A smooth random image with fine detail, twice as large as a frame, on [0, 1]."""
    noise = np.random.default_rng(seed).normal(size=(2, 2 * SIDE, 2 * SIDE))
    image = gaussian_filter(noise[0], 2) / 0.14 + gaussian_filter(noise[1], 8) / 0.035
    return np.clip(0.5 + 0.12 * image, 0, 1)


def view(image: np.ndarray, step: tuple[float, float], zoom: float = 1.0) -> np.ndarray:
    """The middle of an image, seen by a camera that has moved and come closer."""
    centre = (np.array(image.shape) - 1) / 2
    whole = affine_transform(image, np.eye(2) / zoom, centre + step - centre / zoom, order=3, mode="mirror")
    return whole[SIDE // 2 : SIDE // 2 + SIDE, SIDE // 2 : SIDE // 2 + SIDE]


def noisy(frames: np.ndarray, seed: int = 0, sigma: float = SIGMA) -> np.ndarray:
    return (frames + np.random.default_rng(seed).normal(0, sigma, frames.shape)).astype(np.float32)


def averaged(frames: np.ndarray, middle: int = 1, noise: object = SIGMA) -> tuple[np.ndarray, float]:
    """The middle frame averaged with the others, in units of the image, and the share of the noise that is left."""
    inputs = Inputs.of(frames[middle])
    observation = Observation.of(inputs, noise)
    around = [Neighbour(frame, None, k - middle) for k, frame in enumerate(frames) if k != middle]
    helped = with_neighbours(observation, around).observation
    pixels = helped.noise.restored(helped.pixels)[..., 0] * inputs.layout.span + inputs.layout.low
    return pixels, float((helped.noise.variance / observation.noise.variance).mean())


@pytest.fixture(scope="module")
def panning() -> np.ndarray:
    return np.stack([view(texture(1), (0.6 * t, 1.3 * t), 1.01**t) for t in (-1, 0, 1)])


def test_motion_is_found_to_a_tenth_of_a_pixel_and_rest_is_rest(panning: np.ndarray) -> None:
    film = noisy(panning, sigma=SIGMA / 2)
    field = displacements(film[1], film[2], SIGMA / 2)
    centre = (SIDE - 1) / 2
    y, x = np.indices((SIDE, SIDE)) - centre
    # The camera moves by a step and comes closer: what is at p was at p / zoom + step.
    expected = np.stack([y * 0.01 - 0.6 * 1.01, x * 0.01 - 1.3 * 1.01])
    inner = (slice(None), slice(8, -8), slice(8, -8))
    assert np.sqrt(np.square(field - expected)[inner].mean()) < 0.1
    again = np.repeat(panning[1:2], 2, 0)
    assert (displacements(*noisy(again, 3), SIGMA) == 0).mean() > 0.85
    far = np.stack([view(texture(1), (0, 0)), view(texture(1), (-9, 14))])
    assert np.abs(np.median(displacements(*noisy(far), SIGMA), (1, 2)) - [9, -14]).max() < 0.1
    places = np.array([[20.0, 30.0], [50.0, 12.0]], np.float32)
    there = places + np.array([1.5, -2.0], np.float32)
    shift = np.broadcast_to(np.float32([1.5, -2.0])[:, None, None], (2, SIDE, SIDE))
    np.testing.assert_allclose(followed(there, shift), places, atol=1e-4)


def test_a_panning_camera_helps_nearly_as_much_as_a_still_one(panning: np.ndarray) -> None:
    pixels, share = averaged(noisy(panning))
    assert share < 0.45
    assert psnr(pixels, panning[1], 1.0) > psnr(noisy(panning)[1], panning[1], 1.0) + 3.5


def test_flicker_of_the_lamp_does_not_hinder_neighbours(panning: np.ndarray) -> None:
    still = np.repeat(panning[1:2], 3, 0)
    film = noisy(still * np.array([0.6, 1.0, 1.3])[:, None, None] + np.array([0.1, 0, -0.05])[:, None, None])
    assert averaged(film)[1] < 0.5
    same = Brightness.aligned(*(noisy(still)[k][..., None] for k in (0, 1)), (np.float32([SIGMA**2]),) * 2)
    assert not same.changes
    counts = np.random.default_rng(0).poisson(200 * still * np.array([0.5, 1.0, 1.0])[:, None, None])
    pixels, share = averaged(counts.astype(np.uint16), noise=PoissonGaussian(1.0))
    assert 0.35 < share < 0.5  # The frame with half the light counts for less than the other one.
    assert psnr(pixels, 200 * still[1], 200.0) > psnr(counts[1], 200 * still[1], 200.0) + 2.5


def test_frames_that_show_something_else_do_no_harm(panning: np.ndarray) -> None:
    film = noisy(panning)
    others = [texture(7)[:SIDE, :SIDE], texture(8)[:SIDE, :SIDE]]
    assert averaged(np.stack([noisy(others[0]), film[1], noisy(others[1], 5)]))[1] > 0.99
    # A repeated frame has the same noise, and a missing one shows nothing.
    assert averaged(np.stack([film[1], film[1], film[1]]))[1] == 1
    assert averaged(np.stack([np.full_like(film[0], np.nan), film[1], np.zeros_like(film[0])]))[1] > 0.99


def test_a_film_that_arrives_frame_by_frame_is_denoised_as_a_stack(panning: np.ndarray) -> None:
    film = noisy(np.concatenate([panning, panning[:1]]))
    read = []

    def camera() -> Iterator[np.ndarray]:
        for number, frame in enumerate(film):
            read.append(number)
            yield frame

    results = denoise_film(camera(), **QUICK)
    first = next(results)
    assert read == [0, 1]  # The preset "fast" waits for one frame.
    images = np.stack([first.image, *(each.image for each in results)])
    stack = denoise_stack(film, "TYX", **QUICK)
    np.testing.assert_array_equal(images, stack.image)
    alone = denoise(film[:1], axes="TYX", **QUICK)
    np.testing.assert_array_equal(alone.image[0], denoise(film[0], **QUICK).image)
    assert list(denoise_film([], **QUICK)) == []
    gaps = [each.image for each in denoise_film([film[0], np.full_like(film[0], np.nan)], ignore_nan=True, **QUICK)]
    assert np.isnan(gaps[1]).all()
    assert np.isfinite(gaps[0]).all()
    with pytest.raises(ValueError, match="average"):
        denoise_film(camera(), average=-1)


def volume() -> np.ndarray:
    """Five planes of faint threads that run obliquely through depth, on [0, 1]."""
    noise = np.random.default_rng(4).normal(size=(5, 64, 64))
    threads = gaussian_filter(noise, (1.0, 0.8, 4.0))
    return np.clip(0.2 + 0.6 * np.maximum(threads / threads.std() - 0.5, 0), 0, 1)


def test_groups_of_patches_reach_through_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = volume()
    stack = noisy(clean, 6)
    through = denoise_stack(stack, "ZYX", noise=SIGMA, **QUICK)
    monkeypatch.setattr(alignment, "MOST_LEFT", 1.0)
    averages = denoise_stack(stack, "TYX", noise=SIGMA, **QUICK)
    gained = [psnr(a, c, 1.0) - psnr(b, c, 1.0) for a, b, c in zip(through.image, averages.image, clean, strict=True)]
    assert np.mean(gained) > 0.15
    within = np.abs(through.image - clean) < 2 * through.std
    assert 0.85 < within.mean() < 1


def test_content_that_flashes_is_found_in_the_frames_around(
    monkeypatch: pytest.MonkeyPatch, panning: np.ndarray
) -> None:
    brightness = gaussian_filter(np.random.default_rng(6).normal(size=(3, SIDE, SIDE)), (0, 7, 7))
    clean = 0.7 * panning[1] * np.clip(1 + 0.3 * brightness / brightness.std(), 0.3, 1.7)
    film = noisy(clean, 6)
    through = denoise_stack(film, "TYX", noise=SIGMA, **QUICK)
    monkeypatch.setattr(alignment, "MOST_LEFT", 1.0)
    averages = denoise_stack(film, "TYX", noise=SIGMA, **QUICK)
    assert psnr(through.image, clean, 1.0) > psnr(averages.image, clean, 1.0) + 0.1


def test_unrelated_planes_in_depth_do_no_harm() -> None:
    clean = np.stack([texture(seed)[:64, :64] for seed in (3, 1, 9)])
    stack = noisy(clean, 2)
    alone, through = (denoise_stack(stack, "ZYX", noise=SIGMA, average=n, warm_start=False, **QUICK) for n in (0, 1))
    assert psnr(through.image[1], clean[1], 1.0) > psnr(alone.image[1], clean[1], 1.0) - 0.02


def test_a_repeated_or_missing_plane_in_depth_changes_nothing() -> None:
    plane = noisy(volume(), 6)[2]
    alone = denoise(plane, noise=SIGMA, **QUICK)
    for other in (plane, np.full_like(plane, np.nan)):
        same = denoise(plane, noise=SIGMA, neighbours=[Neighbour(other, None, 1, depth=True)], **QUICK)
        np.testing.assert_array_equal(same.image, alone.image)


def test_kernels_follow_rotation_and_zoom_in_shape_and_flicker_in_colour(panning: np.ndarray) -> None:
    angle, zoom = 0.06, 1.04
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / zoom
    centre = np.full(2, (SIDE - 1) / 2)
    # What lies at p now was at turn @ (p - centre) + centre before, and as bright as 0.7 of what it was.
    now = 0.7 * affine_transform(panning[1], turn, centre - turn @ centre, order=3, mode="mirror") + 0.05
    before = denoise(noisy(panning[1], 1, 0.02), **QUICK)
    observation = Observation.of(Inputs.of(noisy(now, 2, 0.02)), 0.02)
    helped = with_neighbours(observation, [Neighbour(noisy(panning[1], 1, 0.02), None, -1)])
    warm = WarmStart.of(before, observation, Options.checked(**OPTIONS | QUICK), helped)
    assert warm is not None
    assert warm.unchanged.mean() > 0.8
    model = before.models[0]
    geometry, experts = warm.kernels(0, observation)
    earlier, later = model.kernels(), Kernels.from_geometry(geometry.numpy(), experts.numpy())
    inner = (np.abs(later.center - centre) < SIDE / 2 - 12).all(1)
    back = turn @ later.covariance()[inner] @ turn.T
    expected = earlier.covariance()[inner]
    moved = np.linalg.norm(back - expected, axis=(1, 2)) / np.linalg.norm(expected, axis=(1, 2))
    left = np.linalg.norm(later.covariance()[inner] - expected, axis=(1, 2)) / np.linalg.norm(expected, axis=(1, 2))
    assert np.median(moved) < 0.3 * np.median(left)
    domain = observation.noise.stabilised(
        ((0.7 * earlier.expert + 0.05 - observation.inputs.layout.low) / observation.inputs.layout.span).astype("f4")
    )
    assert np.abs(experts.numpy() - domain).mean() < 0.02
