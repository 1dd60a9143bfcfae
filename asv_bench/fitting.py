"""Fits, renderings and super-resolution."""

from __future__ import annotations

import napari_rsmoe as rsmoe

from .pictures import Benchmark, clean, error

STEPS = 100
SIDES = {2000: 256, 10_000: 512}
"""Side of the square picture in pixels, by the number of kernels."""


class Fit(Benchmark):
    """Fits of 2000 kernels to 256x256 and of 10 000 kernels to 512x512 pixels, 100 steps each."""

    param_names = ("kernels",)
    params = (2000, 10_000)

    def setup(self, kernels: int) -> None:
        """Cut the picture."""
        self.picture = clean(SIDES[kernels])

    def time_fit(self, kernels: int) -> None:
        """CPU time of a fit."""
        rsmoe.fit(self.picture, kernels, iterations=STEPS, device="cpu")

    def track_error(self, kernels: int) -> float:
        """Quality of the fit."""
        model = rsmoe.fit(self.picture, kernels, iterations=STEPS, device="cpu")
        return error(model.render(device="cpu"), self.picture)

    track_error.unit = "grey levels"  # type: ignore[attr-defined]


class Render(Benchmark):
    """Drawing of a trained model with 2000 kernels at 512x512 pixels."""

    def setup(self) -> None:
        """Fit the model."""
        self.model = rsmoe.fit(clean(256), 2000, iterations=STEPS, device="cpu")

    def time_render(self) -> None:
        """CPU time of a drawing."""
        self.model.render(scale=2, device="cpu")


class Upscale(Benchmark):
    """Super-resolution of a picture that was reduced by the means of 4x4 pixels, from 64x64 to 256x256 pixels."""

    def setup(self) -> None:
        """Reduce the picture."""
        self.truth = clean(256)
        self.small = self.truth.reshape(64, 4, 64, 4, 3).mean((1, 3)).round().astype(self.truth.dtype)

    def time_upscale(self) -> None:
        """CPU time of four models and their mean."""
        rsmoe.upscale(self.small, 4, device="cpu")

    def track_error(self) -> float:
        """Quality against the picture before it was reduced."""
        return error(rsmoe.upscale(self.small, 4, device="cpu"), self.truth)

    track_error.unit = "grey levels"  # type: ignore[attr-defined]
