"""The initialisation by segmentation: kernels allocated to regions of similar colour (a modified DBSCAN)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ...arrays import Floats
from ...checks import checked_choice
from ...ranges import THRESHOLD
from .cells import Labels, Weights, cut_cells
from .content import gradient_density
from .start import SIGMA_RANGE, Start, check_request, jitter

ALLOCATIONS = ("content", "area", "paper")
PAPER_SIGMA = 5.0  # Standard deviation of the kernels of the paper, in pixels.


def segment_labels(image: Floats, threshold: float, blur: float | None = None) -> Labels:
    """Split an image into regions of similar colour.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
        Values in [0, 1]; others are clipped. All values are rounded to 8 bits.
    threshold : float
        Largest difference of colour within a region, in 0..255 RGB units; the paper takes 10 and 20. With C
        channels, differences are scaled by sqrt(3 / C), so that grey counts as if it were replicated to RGB.
    blur : float, optional
        Standard deviation, in px, of the Gaussian that smooths the image beforehand. By default 3 for
        thresholds up to 10 and 1 from 20 on, as in the authors' release, and linear in between.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Labels 0 to S - 1, numbered in raster order.

    Raises
    ------
    ValueError
        If `threshold` or `blur` is negative or not finite.
    """
    from ...engine import segment  # Imported here to save start-up time: it loads torch, which no other start needs.

    if not 0 <= threshold < np.inf:
        raise ValueError(f"threshold must be finite and not negative, not {threshold}")
    if blur is None:
        blur = float(np.interp(threshold, [10, 20], [3, 1]))
    if not 0 <= blur < np.inf:
        raise ValueError(f"blur must be finite and not negative, not {blur}")
    eight_bit = np.rint(np.clip(image, 0, 1) * np.float32(255))
    smooth = gaussian_filter(eight_bit, (blur, blur, 0))
    smooth *= np.float32(np.sqrt(3 / image.shape[2]))
    labels: Labels = segment(smooth, threshold)
    return labels


def segmentation_options(start: str, threshold: float | None, allocation: str | None) -> dict[str, Any]:
    """The options that `make_start` is to pass on, checked; those that are None are left to their defaults.

    Parameters
    ----------
    start : str
        Name of the start.
    threshold, allocation
        Of `segmentation_start`, or None.

    Raises
    ------
    ValueError
        If an option is given for another start, or is not accepted.
    """
    options = {"threshold": threshold, "allocation": allocation}
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if start != "segmentation":
            raise ValueError(f"{name} is for start='segmentation', not {start!r}.")
    if threshold is not None:
        given["threshold"] = THRESHOLD.check(threshold, "threshold")
    if allocation is not None:
        _check_allocation(allocation)
    return given


def _check_allocation(allocation: str) -> None:
    checked_choice(allocation, "allocation", ALLOCATIONS)


def _start_in_cells(
    image: Floats, labels: Labels, weights: Weights, n_kernels: int, rng: np.random.Generator, scale: float
) -> Start:
    pixels, edges = cut_cells(labels, weights, n_kernels, rng)
    begins, lengths = edges[:-1], np.diff(edges)
    areas = np.maximum(lengths, 1)  # An empty cell stands for one pixel.

    def cell_means(values: NDArray[Any]) -> Weights:
        means: Weights = np.add.reduceat(values, begins, dtype=np.float64) / areas
        return means

    # The pixel nearest to the centroid, as the centroid of a bent cell can lie outside its segment.
    distances = np.zeros(pixels.size)
    for position in np.divmod(pixels, image.shape[1]):
        distances += (position - np.repeat(cell_means(position), lengths)) ** 2
    nearest = np.flatnonzero(distances == np.repeat(np.minimum.reduceat(distances, begins), lengths))
    chosen = np.where(lengths > 0, nearest[np.searchsorted(nearest, begins)], begins)

    experts = np.stack([cell_means(image[..., c].ravel()[pixels]) for c in range(image.shape[2])], axis=1)
    sigmas = np.clip(scale * np.sqrt(areas), *SIGMA_RANGE)
    centers = jitter(pixels[chosen], image.shape[1], rng)
    return Start(centers, sigmas.astype(np.float32), experts.astype(np.float32))


def _start_as_released(image: Floats, labels: Labels, n_kernels: int, rng: np.random.Generator) -> Start:
    areas = np.bincount(labels.ravel())
    share = n_kernels // areas.size
    if share == 0:
        raise ValueError(
            f"allocation='paper' gives each of {areas.size} segments the same number of kernels, and {n_kernels} are "
            f"too few for that: set n_kernels to at least {areas.size}, a larger threshold or another allocation."
        )
    shuffled = np.lexsort((rng.random(labels.size), labels.ravel()))
    turns = (np.cumsum(areas) - areas)[:, None] + np.arange(share) % areas[:, None]
    pixels = shuffled[turns.ravel()]
    experts = image.reshape(-1, image.shape[2])[pixels]
    sigmas = np.full(pixels.size, PAPER_SIGMA, np.float32)
    return Start(jitter(pixels, image.shape[1], rng), sigmas, experts)


def segmentation_start(
    image: Floats,
    n_kernels: int,
    rng: np.random.Generator,
    *,
    threshold: float = 20.0,
    blur: float | None = None,
    allocation: Literal["content", "area", "paper"] = "content",
    scale: float = 0.4,
) -> Start:
    """Allocate kernels to segments of similar colour, and place them inside.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
        Image to be fitted; the segmentation takes values in [0, 1].
    n_kernels : int
        Number of kernels, at least 1; may exceed the number of pixels.
    rng : numpy.random.Generator
        Random generator; the same state gives the same kernels.
    threshold, blur : float
        Parameters of `segment_labels`.
    allocation : {"content", "area", "paper"}
        How kernels are allocated to segments and placed inside them.

        * "content": by the gradient density of the content start, so busy regions get more.
        * "area": by area, so every kernel gets about as many pixels.
        * "paper": as in the authors' release, ``n_kernels // S`` at random pixels of each of the S segments,
          5 px wide, with the colour of that pixel. Fewer than asked where S does not divide `n_kernels`.

        With the first two there are exactly `n_kernels`, and every segment with more than about half the
        content or area of an average kernel has at least one. Each kernel sits near the middle of a cell of
        its segment; its colour is the mean of that cell and its scale follows from the area.
    scale : float
        Standard deviation as a fraction of the square root of a cell's area, positive; not used by "paper".

    Returns
    -------
    Start
        The kernels, segment by segment.

    Raises
    ------
    ValueError
        For an image, number or option that cannot be used, and where "paper" would give no kernel at all
        because S is larger than `n_kernels`.
    """
    check_request(image, n_kernels)
    if not 0 < scale < np.inf:
        raise ValueError(f"scale must be positive and finite, not {scale}")
    _check_allocation(allocation)
    labels = segment_labels(image, threshold, blur)
    if allocation == "paper":
        return _start_as_released(image, labels, n_kernels, rng)
    weights = gradient_density(image) if allocation == "content" else np.ones(labels.shape)
    return _start_in_cells(image, labels, weights, n_kernels, rng, scale)
