"""A sample of an image whose noise is measured where the whole would take more memory than it may.

The squares are the same whatever the memory, so the estimate does not depend on it. Block-wise denoising takes its
noise model from the same ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ImageError
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..image.plane_source import plane_of
from ..image.sample import mosaic, sample_places
from ..memory import budget, in_words
from ..notes import note
from .memory import memory_of_noise


def sampled(image: Any, channel_axis: ChannelAxis, selection: Selection, weight: Any) -> Inputs | None:
    """The checked sample of an image; None where the whole fits the memory, or is the sample.

    Parameters
    ----------
    image, channel_axis, weight
        As for `estimate_noise`.
    selection : Selection
        Which values count.
    """
    plane = plane_of(image, channel_axis)
    if plane is None:
        return None
    height, width, channels = plane.shape
    needed = memory_of_noise(channels).bytes(height * width)
    if needed <= budget():
        return None
    places = sample_places((height, width), [0])
    tall, wide = (part.stop - part.start for part in places[0][1])
    if len(places) * tall * wide >= height * width:
        return None
    weights = None
    if weight is not None:
        weight = np.asarray(weight)
        if weight.shape != (height, width):
            raise ImageError(f"weight has shape {weight.shape}; the image needs {(height, width)}.")
        weights = mosaic([weight[part] for _, part in places])
    pixels = mosaic([plane.read(number, part) for number, part in places])
    share = math.prod(pixels.shape[:2]) / (height * width)
    note(
        f"the noise was measured in {len(places)} squares of {tall} x {wide} px, {share:.1%} of the image, as "
        f"all of it would take about {in_words(needed)} of memory"
    )
    return Inputs.of(pixels, 2 if pixels.ndim == 3 else None, selection, weight=weights)
