"""Non-local means (Buades et al., 2005) of scikit-image, with usual settings."""

from __future__ import annotations

import numpy as np
from skimage import restoration

from .denoiser import Noisy


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Patches of 5 px, search distance 6 px, fast mode; h is 0.6 sigma for colour and 0.8 sigma for grey images."""
    colour = noisy.image.ndim == 3
    return np.asarray(
        restoration.denoise_nl_means(
            noisy.image,
            patch_size=5,
            patch_distance=6,
            h=(0.6 if colour else 0.8) * noisy.sigma,
            sigma=noisy.sigma,
            fast_mode=True,
            channel_axis=-1 if colour else None,
        )
    )
