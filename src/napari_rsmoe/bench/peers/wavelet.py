"""Wavelet shrinkage with BayesShrink (Chang et al., 2000) of scikit-image."""

from __future__ import annotations

import numpy as np
from skimage import restoration

from .denoiser import Noisy


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Soft thresholding of each band; colour images in YCbCr."""
    colour = noisy.image.ndim == 3
    result = restoration.denoise_wavelet(
        noisy.image,
        sigma=noisy.sigma,
        method="BayesShrink",
        mode="soft",
        rescale_sigma=True,
        convert2ycbcr=colour,
        channel_axis=-1 if colour else None,
    )
    return np.asarray(result)
