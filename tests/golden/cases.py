"""Results that are kept: small jobs of every kind, by the public functions only.

``python tests/golden/cases.py FOLDER`` writes what the installed version makes of them; the files beside this one were
written by version 0.1.0 before the package was divided into floors, except for those of `denoise` and `upscale`, which
have other settings and another patch filter since. They are made anew only if a change of results is wanted and
CHANGELOG.md says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from skimage import data

import napari_rsmoe

FORMAT = np.float16
RANGE = 255.0  # of the pictures, which 8 bits hold; float16 keeps 0.06 of it at least


def colour() -> np.ndarray:
    """The eye of a cat, uint8 (48, 64, 3)."""
    image: np.ndarray = data.chelsea()[100:148, 130:194]
    return image


def noisy(sigma: float = 20.0) -> np.ndarray:
    """The same with even noise."""
    noise = np.random.default_rng(0).normal(0, sigma, colour().shape)
    return np.clip(colour() + noise, 0, 255).astype(np.uint8)


def photons() -> np.ndarray:
    """Its brightness as a photon counter sees it: gain 2.5, offset 10; uint16 (48, 64)."""
    return (2.5 * np.random.default_rng(1).poisson(colour().mean(2) / 4) + 10).astype(np.uint16)


@cache
def denoised() -> napari_rsmoe.Denoised:
    """The eye without its noise."""
    return napari_rsmoe.denoise(noisy(), preset="fast", noise=20.0)


CASES: dict[str, Callable[[], np.ndarray]] = {
    "fit": lambda: napari_rsmoe.fit(colour(), 150, iterations=80, seed=1).render(),
    "fit_sum": lambda: napari_rsmoe.fit(colour().mean(2), 100, iterations=60, mode="rbf").render(),
    "fit_linear": lambda: napari_rsmoe.fit(colour(), 80, iterations=60, experts="linear").render(sharpen=1.3),
    "denoise": lambda: denoised().image,
    "denoise_std": lambda: denoised().std,
    "denoise_photons": lambda: napari_rsmoe.denoise(photons(), preset="fast", noise=(2.5, 10.0, 0.0)).image,
    "upscale": lambda: napari_rsmoe.upscale(colour()[:24, :32], 2, models=2),
}

if __name__ == "__main__":
    np.savez_compressed(
        Path(sys.argv[1]) / "golden.npz", **{name: case().astype(FORMAT) for name, case in CASES.items()}
    )
