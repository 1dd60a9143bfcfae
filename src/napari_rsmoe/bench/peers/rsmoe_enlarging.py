"""Super-resolution by R-SMoE. It removes noise first, which fits alone do not depend on."""

from __future__ import annotations

import numpy as np

from ...enlarging.upscale import upscale


def enlarge(image: np.ndarray, scale: int, sharpen: float, seed: int) -> np.ndarray:
    """`napari_rsmoe.upscale` with default settings."""
    return upscale(image, scale, sharpen, seed=seed, device="cpu")
