"""How noise is added, results are clipped, and quality is measured, for every method in the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage import util

from ..image.metrics import paper_ssim, psnr, ssim
from ..noise.anscombe import unstabilise
from ..noise.noise_model import PoissonGaussian

Floats = NDArray[np.float32]

VARIANCES = (0.0037, 0.005, 0.01, 0.05)
"""Noise variances of the R-SMoE paper, for values on [0, 1], with clipping."""
SIGMAS = (15.0, 25.0, 50.0)
"""Usual standard deviations for grey images, for values from 0 to 255, without clipping."""
SEED = 20250600


@dataclass(frozen=True)
class Level:
    """A level of added noise.

    Attributes
    ----------
    name : str
        Name in tables: ``"0.01"`` (variance on [0, 1], clipped) or ``"sigma 25"`` (of 255, not clipped).
    sigma : float
        Standard deviation on [0, 1] before clipping.
    clipped : bool
        Whether noisy values are clipped to [0, 1].
    index : int
        Number that enters the seed.
    """

    name: str
    sigma: float
    clipped: bool
    index: int

    @classmethod
    def of_variance(cls, variance: float) -> Level:
        """A level of clipped noise, as in the paper."""
        index = VARIANCES.index(variance) if variance in VARIANCES else len(VARIANCES)
        return cls(f"{variance:g}", variance**0.5, True, index)

    @classmethod
    def of_sigma(cls, sigma: float) -> Level:
        """A level of unclipped noise, with `sigma` for values from 0 to 255."""
        index = SIGMAS.index(sigma) if sigma in SIGMAS else len(SIGMAS)
        return cls(f"sigma {sigma:g}", sigma / 255, False, index)

    def seed(self, number: int, seed: int = 0) -> int:
        """The seed of the noise of image `number`; `seed` is 0 in the protocol."""
        return SEED + 1000 * self.index + number + 100_000 * seed

    def add(self, clean: np.ndarray, number: int, seed: int = 0) -> Floats:
        """The image on [0, 1] with added noise, as float32."""
        noisy = util.random_noise(
            clean, mode="gaussian", var=self.sigma**2, clip=self.clipped, rng=self.seed(number, seed)
        )
        return np.asarray(noisy, np.float32)


def unit(image: np.ndarray) -> np.ndarray:
    """Values on [0, 1], float64: integers divided by the largest of their type, floats as they are."""
    return image / np.iinfo(image.dtype).max if image.dtype.kind in "iu" else image.astype(np.float64)


def quality(result: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """PSNR (dB), SSIM and the paper's SSIM of a result, clipped to [0, 1], against the truth on [0, 1]."""
    clipped = np.clip(result, 0, 1).astype(np.float64)
    return {
        "psnr": min(psnr(clipped, clean, 1.0), 100.0),  # JSON cannot hold infinity.
        "ssim": ssim(clipped, clean, 1.0),
        "paper_ssim": paper_ssim(clipped, clean, 1.0),
    }


def corrected(result: np.ndarray, sigma: float) -> Floats:
    """Correct the shift of the mean by clipping noise of this standard deviation to [0, 1]."""
    return unstabilise(result / sigma, PoissonGaussian(0.0, 0.0, sigma), (0.0, 1.0)).astype(np.float32)


def middle(image: np.ndarray, side: int | None) -> np.ndarray:
    """The central square of `side` px, or less if the image is smaller; None for the whole image."""
    if side is None:
        return image
    top, left = (max(0, length - side) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])
