"""Images with fewer pixels."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn


def resized(planes: NDArray[np.floating], shape: list[int]) -> NDArray[np.float32]:
    """Planes (C, H, W) with fewer pixels, without the frequencies that these cannot hold."""
    low = dctn(planes, axes=(1, 2), norm="ortho")[:, : shape[0], : shape[1]]
    scale = sqrt(low[0].size / planes[0].size)
    return np.asarray(scale * idctn(low, axes=(1, 2), norm="ortho"), np.float32)
