"""Total variation (Chambolle, 2004) of scikit-image."""

from __future__ import annotations

import numpy as np
from skimage import restoration

from ...image.metrics import psnr
from .denoiser import Noisy

WEIGHT = 0.7  # Weight relative to sigma; the best on the middle of Kodak 03, 07 and 11.
EXACT = {"eps": 2e-5, "max_num_iter": 400}  # By default scikit-image stops before the minimum is reached.
WEIGHTS = np.geomspace(0.02, 2.0, 12)


def denoise(noisy: Noisy, seed: int) -> np.ndarray:
    """Total variation with a weight proportional to the noise."""
    return _smoothed(noisy, WEIGHT * noisy.sigma)


def oracle(noisy: Noisy, seed: int) -> np.ndarray:
    """Total variation with the weight of highest PSNR against the truth."""
    results = (_smoothed(noisy, float(weight)) for weight in WEIGHTS)
    return max(results, key=lambda result: psnr(np.clip(result, 0, 1), noisy.clean.astype(result.dtype), 1.0))


def _smoothed(noisy: Noisy, weight: float) -> np.ndarray:
    axis = -1 if noisy.image.ndim == 3 else None
    return np.asarray(restoration.denoise_tv_chambolle(noisy.image, weight=weight, channel_axis=axis, **EXACT))
