"""Films and volumes for the benchmark: made from photographs or simulated, with noise of known kind, or real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, shift

from ..io.files import read_image
from .pictures import Picture
from .protocol import Level, middle, unit

STEP, CLOSER = (0.6, 1.3), 1.01
"""Motion of the panning camera, px (y, x) a frame, and magnification of the zooming one a frame."""
PACE = 3.3
"""Motion of the disc, px a frame."""
FLICKER = (1.0, 0.8, 1.15, 0.9, 1.05)
"""Brightness of the flickering lamp, in turn."""
PHOTONS = 20.0
"""Mean photons of the brightest places of the volumes."""
PLANES, VOLUME_SIDE = 11, 96
"""Planes of a simulated volume, and their side in px."""
DARK_BLUR = 4.0
"""Standard deviation, in px, of the blur that tells dark places of a film without truth."""
ANISOTROPIES = (1, 5)
"""Distance of planes, in px."""


@dataclass(frozen=True)
class Film:
    """A film (T, Y, X) or volume (Z, Y, X).

    Attributes
    ----------
    dataset, name : str
        The kind of scene, and what it was made from.
    axes : str
        "TYX" or "ZYX".
    noisy : ndarray
        Planes with noise.
    clean : ndarray or None
        The truth in the same units, if it is known.
    sigma : float
        Standard deviation of the noise; 0: photon noise, one unit for each photon.
    range : float
        Range of values that the PSNR refers to.
    still : ndarray of bool, shape (Y, X)
        Where nothing moves or changes.
    apart : int or None
        Distance of planes along Z, px; None: unknown.
    """

    dataset: str
    name: str
    axes: str
    noisy: np.ndarray
    clean: np.ndarray | None
    sigma: float
    range: float
    still: np.ndarray
    apart: int | None = None

    @property
    def spacing(self) -> dict[str, float] | None:
        """As for `napari_rsmoe.Planes`."""
        return None if self.apart is None else {"Z": float(self.apart), "Y": 1.0, "X": 1.0}

    def flicker(self, film: np.ndarray) -> float | None:
        """Standard deviation over time where all stands still, of the noisy film or a denoised one."""
        if not self.still.any():
            return None
        return float(np.sqrt(np.var(film.astype(np.float64), axis=0, ddof=1)[self.still].mean()))


Scene = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def _grey(picture: Picture) -> np.ndarray:
    whole = unit(replace(picture, crop=None).clean)
    return whole if whole.ndim == 2 else whole.mean(2)


def _seen(image: np.ndarray, step: np.ndarray, magnification: float, side: int) -> np.ndarray:
    """The middle of an image as a camera sees it that has moved by `step` px and come closer."""
    centre = (np.array(image.shape) - 1) / 2
    offset = centre + step - centre / magnification
    whole = affine_transform(image, np.eye(2) / magnification, offset, order=3, mode="mirror")
    return middle(np.clip(whole, 0, 1), side)


def _with_disc(image: np.ndarray, moved: float, side: int) -> np.ndarray:
    """The middle of an image with a disc from its left upper corner before it, `moved` px right of its middle."""
    still = middle(image, side)
    y, x = np.mgrid[: still.shape[0], : still.shape[1]] - (np.array(still.shape) - 1)[:, None, None] / 2
    disc = np.clip(side / 8 - np.hypot(y, x - moved) + 0.5, 0, 1)
    corner = image[: still.shape[0], : still.shape[1]]
    return still + disc * (np.clip(shift(corner, (0, moved), order=3, mode="mirror"), 0, 1) - still)


SCENES: dict[str, Scene] = {
    "still camera": lambda image, times, side: np.stack([middle(image, side) for _ in times]),
    "panning camera": lambda image, times, side: np.stack([_seen(image, t * np.array(STEP), 1, side) for t in times]),
    "panning and zooming camera": lambda image, times, side: np.stack(
        [_seen(image, t * np.array(STEP), CLOSER**t, side) for t in times]
    ),
    "moving disc": lambda image, times, side: np.stack([_with_disc(image, PACE * t, side) for t in times]),
    "flicker": lambda image, times, side: np.stack(
        [0.85 * FLICKER[k % len(FLICKER)] * middle(image, side) for k, _ in enumerate(times)]
    ),
    "scene cuts": lambda image, times, side: np.stack(
        [np.roll(image, (97 * k, 131 * k), (0, 1))[:side, :side] for k, _ in enumerate(times)]
    ),
}
"""How a photograph becomes a film: takes the grey photograph, times in frames around 0, and the side in px."""


def from_photograph(picture: Picture, level: Level, frames: int, side: int, seed: int) -> Iterator[Film]:
    """Films made from a photograph, with noise of a level; sampled between pixels by cubic splines."""
    image = _grey(picture)
    times = np.arange(frames) - (frames - 1) / 2
    for name, scene in SCENES.items():
        clean = scene(image, times, min(side, *image.shape))
        noisy = np.stack([level.add(frame, picture.number, seed=seed * frames + t) for t, frame in enumerate(clean)])
        still = np.ptp(clean, axis=0) < 1e-6
        yield Film(f"{name}, {level.name}", picture.name, "TYX", noisy, clean, level.sigma, 1.0, still)


def volumes(seed: int) -> Iterator[Film]:
    """Simulated volumes of cells, filaments and beads with photon noise, with planes as far apart as pixels or more."""
    for kind, make in {"cells": _cells, "filaments": _filaments, "beads": _beads}.items():
        for apart in ANISOTROPIES:
            rng = np.random.default_rng([seed, apart, len(kind)])
            clean = PHOTONS * make(rng, apart)
            noisy = rng.poisson(clean).astype(np.uint16)
            name = f"volume of {kind}, planes {apart} px apart"
            yield Film(name, kind, "ZYX", noisy, clean, 0.0, PHOTONS, np.zeros(clean.shape[1:], bool), apart)


def _cells(rng: np.random.Generator, apart: int) -> np.ndarray:
    depth = PLANES * apart
    z, y, x = np.indices((PLANES, VOLUME_SIDE, VOLUME_SIDE)).astype(np.float64)
    volume = np.full(z.shape, 0.05)
    for _ in range(14):
        centre = rng.uniform(0, (depth, VOLUME_SIDE, VOLUME_SIDE))
        radius, stretch = rng.uniform(6, 14), rng.uniform(0.8, 1.3, 3)
        parts = zip((z * apart, y, x), centre, stretch, strict=True)
        distance = np.sqrt(sum(((place - middle_) * factor) ** 2 for place, middle_, factor in parts))
        volume = np.maximum(volume, rng.uniform(0.4, 1) * np.clip((radius - distance) / 1.5, 0, 1))
    texture = gaussian_filter(rng.normal(size=(depth, VOLUME_SIDE, VOLUME_SIDE)), 2)[::apart]
    return np.asarray(volume * np.clip(1 + 3 * texture, 0.3, 2))


def _filaments(rng: np.random.Generator, apart: int) -> np.ndarray:
    volume = np.zeros((PLANES * apart, VOLUME_SIDE, VOLUME_SIDE))
    for _ in range(40):
        place, direction = rng.uniform(0, volume.shape), rng.normal(size=3)
        for _ in range(200):
            direction = direction + 0.15 * rng.normal(size=3)
            direction /= np.linalg.norm(direction)
            place = place + 0.5 * direction
            index = np.rint(place).astype(int)
            if (index >= 0).all() and (index < volume.shape).all():
                volume[tuple(index)] += 1
    blurred = gaussian_filter(volume, 1.2)[::apart]
    return np.asarray(0.03 + blurred / np.quantile(blurred, 0.999))


def _beads(rng: np.random.Generator, apart: int) -> np.ndarray:
    volume = np.zeros((PLANES * apart, VOLUME_SIDE, VOLUME_SIDE))
    for _ in range(150):
        volume[tuple(rng.integers(0, volume.shape))] = rng.uniform(0.3, 1)
    blurred = gaussian_filter(volume, (2.5, 1.5, 1.5))[::apart]
    return np.asarray(0.03 + blurred / blurred.max())


def of_pairs(pictures: list[Picture], frames: int) -> Film:
    """Pairs of a noisy image and its truth as the frames of a film, by their names; their brightness is not known."""
    taken = [replace(picture) for picture in pictures[:frames]]
    noisy = np.stack([picture.noisy for picture in taken])
    clean = np.stack([picture.clean for picture in taken]).astype(np.float64)
    offset = (noisy - clean).mean((1, 2), keepdims=True)
    sigma = float((noisy - clean - offset).std())
    still = np.ptp(clean, axis=0) == 0
    largest = float(np.iinfo(noisy.dtype).max) if noisy.dtype.kind == "u" else float(np.ptp(clean))
    return Film(f"{taken[0].dataset}, real pairs", "film", "TYX", noisy, clean + offset, sigma, largest, still)


def without_truth(path: Path, frames: int, side: int | None) -> Film | None:
    """A real film or volume whose truth nobody knows; None if the file has no axis T or Z, or further ones."""
    image = read_image(path)
    letters = [letter for letter, length in zip(image.axes, image.shape, strict=True) if length > 1]
    if len(letters) != 3 or letters[0] not in "TZ" or letters[1:] != ["Y", "X"]:
        return None
    whole = np.squeeze(image.numpy())[:frames]
    noisy = np.stack([middle(plane, side) for plane in whole])
    brightness = gaussian_filter(noisy.mean(0), DARK_BLUR)
    dark = brightness <= np.quantile(brightness, 0.25)
    return Film(f"{path.parent.name}, no truth", path.stem, f"{letters[0]}YX", noisy, None, -1.0, 1.0, dark)
