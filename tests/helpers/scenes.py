"""Small images that several tests denoise."""

from __future__ import annotations

import numpy as np


def scene(height: int = 96, width: int = 112, channels: int = 3) -> np.ndarray:
    """A disc and a bar on a smooth ground, float32 in [0, 1], shape (H, W, C)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = 0.3 + 0.3 * np.stack([x / width, y / height, 1 - x / width], -1)
    image[(y - 40) ** 2 + (x - 50) ** 2 < 25**2] = (0.9, 0.7, 0.2)
    image[70:80] = (0.1, 0.2, 0.6)
    return np.ascontiguousarray(image[..., :channels])


def noisy_of(image: np.ndarray, sigma: float = 0.1, seed: int = 0) -> np.ndarray:
    """The image with clipped Gaussian noise."""
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)
