"""Typed wrappers of the operators of images as arrays of NumPy: segments, averages, and the filter of similar patches.

They run on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .library import ops

PATCH_SIDE = 8
"""Pixels along the side of the patches of `filter_patches`."""


def segment(image: np.ndarray, threshold: float) -> np.ndarray:
    """Label regions of like colour; see csrc/cpu/segment.h.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, C), any real type; usually RGB in 0..255, blurred.
    threshold : float
        Largest colour step within a segment, in the units of the image.

    Returns
    -------
    numpy.ndarray
        (H, W) int32 labels 0..S-1.
    """
    labels: torch.Tensor = ops.segment(torch.from_numpy(np.ascontiguousarray(image, np.float32)), float(threshold))
    return labels.numpy()


def smooth(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the pixels around each pixel of an image; see csrc/cpu/smooth.h.

    Parameters
    ----------
    values : numpy.ndarray
        (H, W) or (H, W, C), float32 or float64.
    weights : numpy.ndarray
        (R + 1,) weights of the pixels 0 to R px away along each axis, on either side.

    Returns
    -------
    numpy.ndarray
        Of the shape and the type of `values`; the bits are those of `scipy.ndimage.correlate1d` along either axis.
    """
    if values.size == 0:
        return values.copy()
    planes = torch.from_numpy(np.ascontiguousarray(values.reshape(*values.shape[:2], -1)))
    result: np.ndarray = ops.smooth(planes, torch.from_numpy(np.asarray(weights, np.float64))).numpy()
    return result.reshape(values.shape)


def filter_patches(
    noisy: np.ndarray,
    pilot: np.ndarray,
    variance: np.ndarray,
    correlation: np.ndarray,
    *,
    stride: int,
    reach: int,
    fewest: int,
    most: int,
    similar: float,
    same: float,
    negligible: float,
    steep: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Filter groups of similar patches with the covariance that a pilot has in them; see csrc/cpu/patches.h.

    Parameters
    ----------
    noisy, pilot : numpy.ndarray
        (C, H, W) float32, no side shorter than a patch. Or (P, C, H, W): planes that show nearly the same at the same
        pixels, of which the first is filtered and the others help it, by the principal components of each group.
    variance : numpy.ndarray
        Of the same shape, float32, positive: of the noise.
    correlation : numpy.ndarray
        (C, 64, 64) float32, of the noise within a patch in raster order, ones on the diagonal.
    stride, reach : int
        Pixels between reference patches, 1 to 8, and how far away a similar one may lie.
    fewest, most : int
        Patches of a group, the reference among them.
    similar : float
        Beyond the fewest, patches are taken whose squared distance is at most this fraction of the noise's energy.
    same : float
        Members of a group whose squared distance is at most this fraction get no group of their own. Negative: every
        reference patch gets one.
    negligible : float
        Variance of the pilot in a group, as a fraction of the noise variance, that may be neglected.
    steep : bool
        Whether directions stronger than the noise are kept nearly whole, and weaker ones nearly dropped.

    Returns
    -------
    estimate, leverage : numpy.ndarray
        (C, H, W) float32: the estimate, and the covariance of noise and estimate as a fraction of the noise variance.
    """
    tensors = (torch.from_numpy(np.ascontiguousarray(each)) for each in (noisy, pilot, variance, correlation))
    estimate, leverage = ops.filter_patches(*tensors, stride, reach, fewest, most, similar, same, negligible, steep)
    return estimate.numpy(), leverage.numpy()


def _fake_segment(image: torch.Tensor, threshold: float) -> torch.Tensor:
    return image.new_empty(image.shape[:2], dtype=torch.int32)


def _fake_smooth(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(values)


def _fake_filter_patches(noisy: torch.Tensor, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    first = noisy[0] if noisy.dim() == 4 else noisy
    return torch.empty_like(first), torch.empty_like(first)


FAKES: dict[str, Callable[..., Any]] = {
    "segment": _fake_segment,
    "smooth": _fake_smooth,
    "filter_patches": _fake_filter_patches,
}
"""The fake kernel of each operator."""
