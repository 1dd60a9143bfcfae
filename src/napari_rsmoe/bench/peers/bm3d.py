"""BM3D (Dabov et al., 2007) by the authors' package on PyPI, in three forms that are often mixed up."""

from __future__ import annotations

import bm3d
import numpy as np

from .denoiser import Noisy


def colour(noisy: Noisy, seed: int) -> np.ndarray:
    """Colour BM3D: blocks are matched on brightness, three channels filtered alike. Grey images: BM3D."""
    run = bm3d.bm3d if noisy.image.ndim == 2 else bm3d.bm3d_rgb
    return _shaped(run(noisy.image.astype(np.float64), noisy.sigma), noisy)


def each_channel(noisy: Noisy, seed: int) -> np.ndarray:
    """BM3D of each channel by itself."""
    channels = np.moveaxis(noisy.image.astype(np.float64), -1, 0)
    return np.stack([np.reshape(bm3d.bm3d(c, noisy.sigma), c.shape) for c in channels], axis=-1)


def first_stage(noisy: Noisy, seed: int) -> np.ndarray:
    """What meets the row "BM3D" of the R-SMoE paper: one call on the RGB array, hard thresholding only."""
    stage = bm3d.BM3DStages.HARD_THRESHOLDING
    return _shaped(bm3d.bm3d(noisy.image.astype(np.float64), noisy.sigma, stage_arg=stage), noisy)


def _shaped(result: np.ndarray, noisy: Noisy) -> np.ndarray:
    """The package gives grey images a third axis in some versions."""
    return np.reshape(result, noisy.image.shape)
