"""BM3D (Dabov et al., 2007) with the authors' package on PyPI, in three variants that are often confused."""

from __future__ import annotations

import bm3d
import numpy as np

from .denoiser import Noisy


def colour(noisy: Noisy, seed: int) -> np.ndarray:
    """Colour BM3D, which matches blocks on brightness and filters all three channels. Grey images: BM3D."""
    run = bm3d.bm3d if noisy.image.ndim == 2 else bm3d.bm3d_rgb
    return _shaped(run(noisy.image.astype(np.float64), noisy.sigma), noisy)


def each_channel(noisy: Noisy, seed: int) -> np.ndarray:
    """BM3D of each channel separately."""
    channels = np.moveaxis(noisy.image.astype(np.float64), -1, 0)
    return np.stack([np.reshape(bm3d.bm3d(c, noisy.sigma), c.shape) for c in channels], axis=-1)


def first_stage(noisy: Noisy, seed: int) -> np.ndarray:
    """The first stage (hard thresholding) on the RGB array, which matches the row "BM3D" of the R-SMoE paper."""
    stage = bm3d.BM3DStages.HARD_THRESHOLDING
    return _shaped(bm3d.bm3d(noisy.image.astype(np.float64), noisy.sigma, stage_arg=stage), noisy)


def _shaped(result: np.ndarray, noisy: Noisy) -> np.ndarray:
    """Remove the third axis that some versions of the package add to grey images."""
    return np.reshape(result, noisy.image.shape)
