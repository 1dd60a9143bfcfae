"""Similarity of two images, and the cost of rendering a model."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..door import door
from .other_arrays import plain
from .value_range import data_range as signal_data_range
from .value_range import signal_range

Planes = NDArray[np.float64]
ChannelAxis = int | Literal["auto"] | None

_WINDOW_SIGMA = 1.5
"""Standard deviation of the Gaussian window of SSIM in pixels, as published."""
_WINDOW = 11
"""Side of that window in pixels: scikit-image cuts it at 3.5 standard deviations. Smaller images have no SSIM."""
_COLOUR_LENGTHS = (3, 4)
"""Lengths of the last of three axes that "auto" treats as channels."""


@door
def psnr(image: ArrayLike, reference: ArrayLike, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / mean squared error)``.

    One mean squared error is taken over all elements, channels included. Nothing is clipped.

    Parameters
    ----------
    image, reference : array_like, any shape, the same for both
        Integers or real floats, in the same units.
    data_range : float, optional
        Range of the values, positive. By default that of the signal of the reference: its largest minus its smallest
        value, without a few extreme ones such as hot pixels (`napari_rsmoe.image.value_range.signal_range`). The data
        type does not matter, except that images made for display have the range from black to white, if their signal
        fills at least half of it: 255 for 8 bits, 1 for floats from 0 to 1. Both images must have the same dtype, or be
        floats.

    Returns
    -------
    float
        In dB; infinity where the images are equal.

    Raises
    ------
    ValueError
        If the images differ in shape, are empty, are not numbers or not finite; if the range is not positive;
        if the range is unclear, from different dtypes (unless both are floats) or a constant reference
        that is not one for display.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import psnr
    >>> black = np.zeros((8, 8), np.uint8)
    >>> round(psnr(black + np.uint8(16), black), 2)  # 20 log10(255 / 16)
    24.05
    """
    a, b, span = _prepare(image, reference, data_range)
    error = float(np.mean(np.square(a - b)))
    return float("inf") if error == 0 else float(10 * np.log10(span**2 / error))


@door
def ssim(
    image: ArrayLike,
    reference: ArrayLike,
    data_range: float | None = None,
    *,
    channel_axis: ChannelAxis = "auto",
) -> float:
    """Structural similarity (SSIM) of scikit-image, with the settings of its publication.

    These [1]_ are a Gaussian window with a standard deviation of 1.5 px (11 px wide), population covariance,
    K1 = 0.01 and K2 = 0.03: ``skimage.metrics.structural_similarity(image, reference, data_range=...,
    gaussian_weights=True, sigma=1.5, use_sample_covariance=False)``, on float64. The mean is taken over channels and
    over all pixels at least 5 px from the border.

    Parameters
    ----------
    image, reference : array_like, shape (Y, X), or three axes with the channels anywhere
        Integers or real floats, in the same units.
    data_range : float, optional
        Range of the values; by default it follows from the reference as in `psnr`.
    channel_axis : int, "auto" or None
        Axis of the channels of a 3-D image; None for 2-D images. "auto" takes the last of three axes if it is
        3 or 4 long.

    Returns
    -------
    float
        At most 1, and 1 where the images are equal.

    Raises
    ------
    ValueError
        As `psnr`; if the image is smaller than the window, 11 x 11 px; if it is unclear which axis holds channels.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility
       to structural similarity", IEEE Transactions on Image Processing 13 (2004) 600-612,
       https://doi.org/10.1109/TIP.2003.819861

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import ssim
    >>> ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    >>> ssim(ramp, ramp)
    1.0
    >>> ssim(ramp, ramp[::-1, ::-1]) < 0.5
    True
    """
    a, b = _unit_planes(image, reference, data_range, channel_axis)
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"ssim needs at least {_WINDOW} x {_WINDOW} px, not {a.shape[:2]}")
    return float(_structural_similarity(a, b))


def paper_ssim(
    image: ArrayLike,
    reference: ArrayLike,
    data_range: float | None = None,
    *,
    channel_axis: ChannelAxis = "auto",
) -> float:
    """Structural similarity as the R-SMoE paper reports it, which is that of the code of 3-D Gaussian splatting.

    The settings are those of `ssim`, but the mean is taken over all pixels, and the image is surrounded by zeros.

    Parameters
    ----------
    image, reference : array_like, shape (Y, X), or three axes with the channels anywhere
        Integers or real floats, in the same units; any size.
    data_range : float, optional
        Range of the values; by default it follows from the reference as in `psnr`.
    channel_axis : int, "auto" or None
        As in `ssim`.

    Returns
    -------
    float
        At most 1, and 1 where the images are equal.

    Raises
    ------
    ValueError
        As `psnr`; if it is unclear which axis holds channels.

    References
    ----------
    .. [1] B. Kerbl, G. Kopanas, T. Leimkuehler and G. Drettakis, "3D Gaussian splatting for real-time radiance field
       rendering", ACM Transactions on Graphics 42 (2023) 139, https://doi.org/10.1145/3592433
    """
    a, b = (
        np.pad(each, [(_WINDOW, _WINDOW)] * 2 + [(0, 0)] * (each.ndim - 2))
        for each in _unit_planes(image, reference, data_range, channel_axis)
    )
    _, similarity = _structural_similarity(a, b, full=True)
    return float(np.mean(similarity[_WINDOW:-_WINDOW, _WINDOW:-_WINDOW]))


def flops_per_pixel(
    kernels_per_tile: float, channels: int = 3, *, linear: bool = False, counting: Literal["all", "paper"] = "all"
) -> float:
    """Floating-point operations to render one pixel of a steered mixture of experts.

    Parameters
    ----------
    kernels_per_tile : float
        Kernels evaluated per pixel: the mean over the tiles of the kernels in their lists.
    channels : int
        Channels of the image.
    linear : bool
        Experts are affine in position: four operations more for each kernel and channel.
    counting : {"all", "paper"}
        * "all": every operation on the way from the kernels' parameters to the pixel. For each kernel the
          offset from its centre (2), whitening it with the triangular factor (4), its squared length (3), the
          logit minus half of that (2), the exponential (1, though it takes more), the sum of the gates (1),
          and a multiplication and an addition for each channel (2 C). For each pixel one division for each
          channel (C). So ``kernels * (13 + 2 C) + C``.
        * "paper": two for each kernel, which is what the tables of the R-SMoE paper count, whatever the
          number of channels.

    Returns
    -------
    float
        Operations per pixel. Choosing the kernels of a tile, which its pixels share, is not counted.

    Raises
    ------
    ValueError
        If `kernels_per_tile` is negative or not finite, `channels` is below 1, or `counting` is unknown.
    """
    if not 0 <= kernels_per_tile < float("inf"):
        raise ValueError(f"kernels_per_tile must be finite and not negative, not {kernels_per_tile}")
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    if counting == "paper":
        return 2.0 * kernels_per_tile
    if counting == "all":
        return float(kernels_per_tile * (13 + (6 if linear else 2) * channels) + channels)
    raise ValueError(f'counting must be "all" or "paper", not {counting!r}')


def _prepare(image: ArrayLike, reference: ArrayLike, data_range: float | None) -> tuple[Planes, Planes, float]:
    """Check two images; return both in float64, and the range of their values."""
    a, b = np.asarray(plain(image)), np.asarray(plain(reference))
    if a.shape != b.shape:
        raise ValueError(f"the images differ in shape: {a.shape} and {b.shape}")
    if a.size == 0:
        raise ValueError("the images are empty")
    if a.dtype.kind not in "iuf" or b.dtype.kind not in "iuf":
        raise ValueError(f"the images must hold integers or real floats, not {a.dtype} and {b.dtype}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("the images hold NaN or infinity")
    if data_range is None:
        data_range = _range_of(a, b)
    if not 0 < data_range < float("inf"):
        raise ValueError(f"data_range must be positive and finite, not {data_range}")
    return a.astype(np.float64), b.astype(np.float64), float(data_range)


def _range_of(image: NDArray[Any], reference: NDArray[Any]) -> float:
    both_float = image.dtype.kind == reference.dtype.kind == "f"
    if not both_float and image.dtype.newbyteorder("=") != reference.dtype.newbyteorder("="):
        raise ValueError(f"{image.dtype} and {reference.dtype} may differ in units: give data_range")
    span = signal_data_range(reference.dtype, *signal_range(reference))
    if span == 0:
        raise ValueError("the reference is constant: give data_range")
    return span


def _unit_planes(
    image: ArrayLike, reference: ArrayLike, data_range: float | None, channel_axis: ChannelAxis
) -> tuple[Planes, Planes]:
    """Both images in units of the range of their values, (Y, X) or (Y, X, C)."""
    a, b, span = _prepare(image, reference, data_range)
    if channel_axis == "auto":
        channel_axis = -1 if a.ndim == 3 and a.shape[-1] in _COLOUR_LENGTHS else None
    if a.ndim != (2 if channel_axis is None else 3):
        raise ValueError(f"cannot tell the axes of a shape {a.shape} with channel_axis={channel_axis}")
    if channel_axis is not None:
        a, b = np.moveaxis(a, channel_axis, -1), np.moveaxis(b, channel_axis, -1)
    return a / span, b / span


def _structural_similarity(a: Planes, b: Planes, *, full: bool = False) -> Any:
    from skimage.metrics import structural_similarity  # here, to save the time of loading it where no SSIM is computed

    return structural_similarity(
        a,
        b,
        data_range=1.0,
        gaussian_weights=True,
        sigma=_WINDOW_SIGMA,
        use_sample_covariance=False,
        channel_axis=None if a.ndim == 2 else -1,
        full=full,
    )
