"""Denoising, its patch filter, and the noise estimate."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

import napari_rsmoe as rsmoe
from napari_rsmoe.denoising.nonlocal_bayes import refine

from .pictures import NOISE, Benchmark, clean, error, noisy


class Denoise(Benchmark):
    """Denoising of 128x128 RGB pixels with unknown noise, by preset."""

    param_names = ("preset",)
    params = ("fast", "balanced", "best")

    def setup(self, preset: str) -> None:
        """Add the noise."""
        self.picture, self.truth = noisy(128), clean(128)

    def time_denoise(self, preset: str) -> None:
        """CPU time from pixels to pixels."""
        rsmoe.denoise(self.picture, preset=preset, device="cpu")

    def track_error(self, preset: str) -> float:
        """Quality against the picture without noise."""
        return error(rsmoe.denoise(self.picture, preset=preset, device="cpu").image, self.truth)

    track_error.unit = "grey levels"  # type: ignore[attr-defined]


class Noise(Benchmark):
    """The noise estimate of 512x512 RGB pixels."""

    def setup(self) -> None:
        """Add the noise."""
        self.picture = noisy(512)

    def time_estimate(self) -> None:
        """CPU time of the estimate."""
        rsmoe.estimate_noise(self.picture)

    def track_error(self) -> float:
        """Relative error of the standard deviation of the noise over the whole image."""
        return abs(rsmoe.estimate_noise(self.picture).sigma / NOISE - 1)

    track_error.unit = "relative"  # type: ignore[attr-defined]


class PatchFilter(Benchmark):
    """The filter of similar patches on 256x256 RGB pixels, with a blurred pilot."""

    def setup(self) -> None:
        """Prepare planes of white noise and a pilot."""
        self.planes = np.ascontiguousarray(np.moveaxis(noisy(256), 2, 0), np.float32)
        self.pilot = gaussian_filter(self.planes, (0, 1.0, 1.0))
        self.variance = np.full_like(self.planes, NOISE**2)

    def time_filter(self) -> None:
        """CPU time of all passes."""
        refine(self.planes, self.pilot, self.variance)
