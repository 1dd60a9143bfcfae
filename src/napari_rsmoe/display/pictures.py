"""Images as small pictures for a screen: 8-bit RGB, colour maps, PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

Limits = tuple[float, float]
PERCENTILES = (0.1, 99.9)  # Percentiles of the values that are shown as black and as white.
SAMPLES = 1_000_000
LARGEST_PNG = 40_000  # Bytes of a PNG above which a picture in a page becomes a JPEG, so that notebooks stay small.
JPEG_QUALITY = 90  # 1 (smallest) to 100 (best); at 90 artefacts are not seen on a screen.


def display_range(image: np.ndarray) -> Limits:
    """The values to be shown as black and as white, which always differ.

    The limits of the type for 8 bits, 0 and 1 for colours within that range, otherwise limits that few pixels exceed.
    """
    if image.dtype == np.uint8:
        return 0.0, 255.0
    sample = image.ravel()[:: max(1, image.size // SAMPLES)].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    if image.dtype.kind == "f" and image.ndim == 3 and sample.min() >= 0 and 0.5 < sample.max() <= 1:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return (low, high) if high > low else (low, low + 1.0)


def to_rgb(image: np.ndarray, limits: Limits) -> np.ndarray:
    """Convert an image to 8-bit RGB.

    Parameters
    ----------
    image : numpy.ndarray
        (Y, X) or (Y, X, C): grey, or the first three channels as red, green and blue.
    limits : (float, float)
        Values shown as black and as white.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) uint8.
    """
    low, high = limits
    channels = image[..., None] if image.ndim == 2 else image[..., :3]
    if channels.dtype != np.uint8 or limits != (0.0, 255.0):
        kind = np.result_type(channels.dtype, np.float32).type
        unit = (channels.astype(kind) - kind(low)) * kind(1 / (high - low))
        channels = np.rint(255 * np.nan_to_num(np.clip(unit, 0, 1))).astype(np.uint8)
    if channels.shape[2] == 2:
        channels = np.concatenate([channels, np.zeros_like(channels[..., :1])], 2)
    return np.ascontiguousarray(np.broadcast_to(channels, (*channels.shape[:2], 3)))


def heat(values: np.ndarray, high: float | None = None) -> np.ndarray:
    """Map values to colours from black over red and yellow to white.

    Parameters
    ----------
    values : numpy.ndarray
        (Y, X, C), not negative; the channels are averaged.
    high : float, optional
        Value shown as white; by default the 99.5th percentile.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) in [0, 1].
    """
    mean = values.mean(axis=-1)
    level = mean / max(float(np.percentile(mean, 99.5)) if high is None else high, 1e-12)
    return np.clip(3.0 * level[..., None] - np.arange(3.0), 0.0, 1.0)


def uncertainty_range(std: np.ndarray) -> float:
    """The standard deviation to be shown as white, which few pixels exceed."""
    values = _root_mean_square(std)
    known = values[np.isfinite(values)]
    return max(float(np.percentile(known, 99.5)) if known.size else 0.0, float(np.finfo(np.float32).tiny))


def uncertainty_row(std: np.ndarray) -> str:
    """An error bar (Y, X) or (Y, X, C) in words; what is NaN is unknown."""
    if not np.isfinite(std).any():
        return "unknown"
    return f"mean {np.nanmean(std, dtype=np.float64):.4g}, black 0, white {uncertainty_range(std):.4g} and above"


def uncertainty_rgb(std: np.ndarray, high: float) -> np.ndarray:
    """Standard deviations (Y, X) or (Y, X, C), their root mean square over channels, as colours (Y, X, 3) uint8."""
    return to_rgb(heat(_root_mean_square(std)[..., None], high), (0.0, 1.0))


def _root_mean_square(std: np.ndarray) -> np.ndarray:
    if std.ndim == 2:
        return std
    joined: np.ndarray = np.sqrt(np.square(std, dtype=np.float64).mean(-1))
    return joined


def shrink(rgb: np.ndarray, most: int) -> np.ndarray:
    """Reduce (Y, X, 3) uint8 by averaging until no side exceeds `most` pixels; smaller pictures are not changed."""
    height, width = rgb.shape[:2]
    factor = most / max(height, width)
    if factor >= 1:
        return rgb
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))


def png(rgb: np.ndarray) -> bytes:
    """Encode (Y, X, 3) uint8 as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(rgb).save(content, "PNG", optimize=True)
    return content.getvalue()


def data_uri(rgb: np.ndarray, *, compact: bool = False) -> str:
    """A picture (Y, X, 3) uint8 as a data URI: PNG, or if it may be compact and its PNG is large, JPEG."""
    content, kind = png(rgb), "png"
    if compact and len(content) > LARGEST_PNG:
        photograph = io.BytesIO()
        Image.fromarray(rgb).save(photograph, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
        content, kind = photograph.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
