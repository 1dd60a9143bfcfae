"""Super-resolution by R-SMoE. It removes noise first, which fits alone do not depend on."""

from __future__ import annotations

import numpy as np

from ...enlarging.upscale import upscale
from .enlarger import Enlarge


def enlarging(preset: str) -> Enlarge:
    """`napari_rsmoe.upscale` with a preset, all else by default."""

    def run(image: np.ndarray, scale: int, sharpen: float, seed: int) -> np.ndarray:
        return upscale(image, scale, sharpen, preset=preset, seed=seed, device="cpu")

    return run
