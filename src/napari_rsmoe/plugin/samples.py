"""Sample data that is generated or comes with scikit-image; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np

LayerData = tuple[Any, dict[str, Any], str]
PIXEL = 0.1  # Pixel size in micrometres.


def micrograph() -> list[LayerData]:
    """A micrograph of cells with photon noise, 16 bit, and the same without noise."""
    clean = _cells(np.random.default_rng(0), (256, 256))
    noisy = _counted(clean, np.random.default_rng(1))
    common: dict[str, Any] = {"scale": (PIXEL, PIXEL), "units": ("um", "um"), "axis_labels": ("y", "x")}
    limits = (100, float(np.percentile(clean, 99.8)))
    return [
        (
            clean.astype(np.uint16),
            {"name": "micrograph without noise", "contrast_limits": limits, "visible": False, **common},
            "image",
        ),
        (noisy, {"name": "noisy micrograph", "contrast_limits": limits, **common}, "image"),
    ]


def time_series() -> list[LayerData]:
    """Four frames of moving cells, noisy, 16 bit."""
    clean = [_cells(np.random.default_rng(2), (128, 160), drift=3.0 * t) for t in range(4)]
    frames = np.stack([_counted(frame, np.random.default_rng(10 + t)) for t, frame in enumerate(clean)])
    options = {
        "name": "noisy time series", "scale": (1.0, PIXEL, PIXEL), "units": ("s", "um", "um"),
        "axis_labels": ("t", "y", "x"), "contrast_limits": (100, float(np.percentile(clean[0], 99.8))),
    }  # fmt: skip
    return [(frames, options, "image")]


def photograph() -> list[LayerData]:
    """A colour photograph of a cat, with noise of standard deviation 25."""
    # Imported here to save start-up time.
    import skimage.data

    image = skimage.data.chelsea()[:256, 64:384]
    noise = np.random.default_rng(0).normal(0, 25, image.shape)
    return [(np.clip(image + noise, 0, 255).astype(np.uint8), {"name": "noisy photograph", "rgb": True}, "image")]


def small_photograph() -> list[LayerData]:
    """A small grey photograph to enlarge."""
    # Imported here to save start-up time.
    import skimage.data

    image = skimage.data.camera().reshape(128, 4, 128, 4).mean((1, 3))
    return [(image.astype(np.uint8), {"name": "small photograph"}, "image")]


def _cells(rng: np.random.Generator, shape: tuple[int, int], drift: float = 0.0) -> np.ndarray:
    """The expected photon counts of round cells with bright nuclei and fine threads."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    image = np.full(shape, 20.0)
    for _ in range(max(4, shape[0] * shape[1] // 5000)):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]) + drift
        long, short, angle = rng.uniform(14, 26), rng.uniform(9, 14), rng.uniform(0, np.pi)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        inside = 1 / (1 + np.exp(8 * (np.hypot(u / long, v / short) - 1)))
        stripes = 0.75 + 0.25 * np.sin(u * rng.uniform(0.6, 0.9) + 2 * np.sin(v / 4))
        nucleus = 1 / (1 + np.exp(12 * (np.hypot((u - 2) / (long * 0.35), v / (short * 0.45)) - 1)))
        image += 90 * inside * stripes * (1 - nucleus) + 190 * nucleus
    return image * 4 + 100


def _counted(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The readout of a camera: Poisson noise of the photons, Gaussian read noise, and an offset of 100."""
    photons = rng.poisson((expected - 100) / 12)
    counts: np.ndarray = np.clip(100 + 12 * photons + rng.normal(0, 12, expected.shape), 0, 65535)
    return np.rint(counts).astype(np.uint16)
