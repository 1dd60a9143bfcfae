"""A plane with the help of its neighbours: each is brought to its brightness and onto its places, then averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from .. import engine
from ..arrays import Floats, Mask
from ..errors import EmptyPlaneError, ImageError
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..noise.noise_model import NoiseModel
from ..ranges import NEIGHBOURS
from .brightness import Brightness
from .motion import continued, displacements, inside, moved
from .neighbours import Aligned, Neighbour, as_neighbour, average, independent
from .observation import Observation
from .through_planes import Around

SPLINE = 5
"""Order of the splines by which neighbours are interpolated. Lower orders blur fine texture and the noise with it."""
LOCAL_MEAN = 2.0
"""Standard deviation, in pixels, of the blur that estimates the brightness from which the noise of a plane follows."""
RATIOS = (0.02, 50.0)
"""Least and largest variance of the noise of a neighbour, relative to that of the plane."""
MOST_LEFT = 0.15
"""Fraction of the noise that neighbours in time could have averaged away and have not, above which groups of patches
reach into them. With less, time is spent where averages are as good; with more, what changes in part is not helped."""
COVERED = 0.99
"""Fraction of a displaced pixel that must lie on pixels that count."""


@dataclass(frozen=True)
class Way:
    """How a neighbour is related to a plane.

    Attributes
    ----------
    motion : ndarray of float32, shape (2, H, W)
        Displacements from the plane into the neighbour, px.
    brightness : Brightness or None
        What brings the neighbour, in the engine's range of the plane, to the brightness of the plane; None: unknown.
    """

    motion: Floats
    brightness: Brightness | None = None


@dataclass(frozen=True)
class Helped:
    """A plane after its neighbours have helped.

    Attributes
    ----------
    observation : Observation
        The plane, averaged with its neighbours where they show the same.
    ways : dict of int to Way
        What was found about the neighbours, by their offset.
    """

    observation: Observation
    ways: dict[int, Way]


def with_neighbours(observation: Observation, neighbours: Sequence[Any]) -> Helped:
    """Average a plane with its neighbours, each at the plane's brightness and along the motion between them.

    Parameters
    ----------
    observation : Observation
        The plane.
    neighbours : sequence of Neighbour or array-like
        Planes of the same shape, the nearest first.

    Raises
    ------
    ImageError
        If a neighbour has another shape.
    ValueError
        If there are more than `ranges.NEIGHBOURS` allows.
    """
    NEIGHBOURS.check(len(neighbours), "len(neighbours)")
    if not neighbours or observation.noise.sigma == 0:
        return Helped(observation, {})
    ways: dict[int, Way] = {}
    aligned: list[Aligned] = []
    offsets: list[int] = []
    depth = False
    for each in map(as_neighbour, neighbours):
        engine.pause()
        try:
            one, way = _aligned(observation, each, _expected(ways, each.offset))
        except EmptyPlaneError:
            continue  # A missing frame.
        if independent(observation.pixels, one, observation.noise.variance):
            aligned.append(one)
            offsets.append(each.offset)
            depth = depth or each.depth
        if each.offset:
            ways[each.offset] = way
    noise = observation.noise
    spectrum = None if noise.spectrum is None else noise.spectrum[0]
    pixels, share = average(observation.pixels, aligned, noise.variance, spectrum)
    around = None
    if aligned and (depth or _noise_left(share, aligned) > MOST_LEFT):
        around = Around(observation.pixels, noise, aligned, offsets, depth)
    noise = noise.averaged(share)
    return Helped(replace(observation, pixels=pixels, noise=noise, around=around, helped=bool(aligned)), ways)


def _noise_left(share: Floats, neighbours: Sequence[Aligned]) -> float:
    """Fraction of the noise that neighbours could have averaged away and have not: from 0 to 1."""
    least = 1 / (1 + sum(float(np.mean(1 / np.asarray(each.ratio))) for each in neighbours))
    return (float(share.mean()) - least) / (1 - least)


def motion_between(observation: Observation, other: Floats) -> Floats:
    """Displacements (2, H, W) from a plane into another one (H, W, C) in its domain, with no more noise."""
    deviation = float(np.sqrt(observation.noise.variance.mean() / other.shape[2]))
    return displacements(observation.pixels.mean(2), other.mean(2), deviation)


def _expected(ways: dict[int, Way], offset: int) -> Floats | None:
    """Displacements into a neighbour if what moves goes on as it did up to the plane before it."""
    nearer = offset - 1 if offset > 0 else offset + 1
    if not offset or nearer not in ways:
        return None
    return ways[nearer].motion * np.float32(offset / nearer)


def _aligned(observation: Observation, neighbour: Neighbour, start: Floats | None) -> tuple[Aligned, Way]:
    """A neighbour, brought to the brightness and onto the places of a plane, and how it is related to it."""
    inputs, noise = observation.inputs, observation.noise
    theirs = _inputs(neighbour.image, inputs)
    scale, shift = _units(theirs, inputs)
    model = noise.model if neighbour.noise is None else neighbour.noise.scaled(scale, shift)
    values = theirs.pixels
    if scale != 1 or shift != 0:
        values = (values.astype(np.float64) * scale + shift).astype(np.float32)
    own = inputs.pixels
    variances = _mean_variances(noise.model, own), _mean_variances(model, values)
    first = Brightness.whole(own, values, variances)
    deviation = float(np.sqrt(noise.variance.mean() / own.shape[2]))
    grey = observation.pixels.mean(2)
    other = noise.stabilised(first.of(values)).mean(2)
    if neighbour.depth and start is not None:  # Further off in depth, hardly more can be followed than goes on.
        field = continued(grey, other, deviation, start)
    else:
        field = displacements(grey, other, deviation, start)
    there = np.stack([moved(values[..., c], field, 1) for c in range(own.shape[2])], -1)
    seen = _seen(theirs, field)
    brightness = Brightness.aligned(own, np.where(seen[..., None], there, np.nan), variances)
    values = noise.stabilised(brightness.of(values))
    pixels = np.stack([moved(values[..., c], field, SPLINE) for c in range(own.shape[2])], -1)
    pixels[~seen] = np.nan
    return Aligned(pixels, _ratio(noise.model, model, own, brightness)), Way(field, brightness)


def _inputs(image: Any, own: Inputs) -> Inputs:
    """The pixels of a neighbour, checked; those that are not finite are left out."""
    inputs = Inputs.of(image, own.layout.channel_axis, Selection(ignore_nan=True, defects="keep"))
    if inputs.pixels.shape != own.pixels.shape:
        raise ImageError(
            f"a neighbour has shape {inputs.pixels.shape} (Y, X, C), the image {own.pixels.shape}; they must be equal."
        )
    return inputs


def _units(theirs: Inputs, own: Inputs) -> tuple[float, float]:
    """Factor and shift from the engine's range of one image to that of another."""
    return theirs.layout.span / own.layout.span, (theirs.layout.low - own.layout.low) / own.layout.span


def _mean_variances(model: NoiseModel, pixels: Floats) -> Floats:
    """Mean variance of the noise of each channel of a plane, (C,)."""
    means = [noise.variance(np.clip(pixels[..., c], 0, 1)).mean() for c, noise in enumerate(model.channels)]
    return np.array(means, np.float32)


def _ratio(own: NoiseModel, theirs: NoiseModel, pixels: Floats, brightness: Brightness) -> Floats | float:
    """Variance of the noise of a neighbour at the plane's brightness, relative to that of the plane."""
    if own is theirs and not brightness.changes:
        return 1.0
    local = gaussian_filter(np.clip(pixels, 0, 1), (LOCAL_MEAN, LOCAL_MEAN, 0))
    ratios = np.empty_like(pixels)
    for c, (mine, other) in enumerate(zip(own.channels, theirs.channels, strict=True)):
        gain, offset = float(brightness.gain[c]), float(brightness.offset[c])
        before = gain**2 * other.variance((local[..., c] - offset) / gain)
        now = mine.variance(local[..., c])
        ratios[..., c] = np.clip(before / np.maximum(now, 1e-12), *RATIOS)
    return ratios


def _seen(theirs: Inputs, field: Floats) -> Mask:
    """Where a neighbour shows something at the places of the plane, (H, W)."""
    counts = ~theirs.left_out
    if not field.any():
        return counts
    if counts.all():
        return inside(field)
    grid = np.indices(counts.shape, np.float32) + field
    share = map_coordinates(counts.astype(np.float32), grid, order=1, mode="constant", cval=0.0)
    seen: Mask = share >= COVERED
    return seen
