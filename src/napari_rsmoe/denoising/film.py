"""Denoise a film of any length while its frames arrive."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import EmptyPlaneError
from ..image.other_arrays import plain
from ..notes import note
from .result import Denoised
from .succession import Succession
from .surroundings import Seen


def denoise_film(
    frames: Iterable[Any],
    *,
    average: int | str = "auto",
    warm_start: bool = True,
    weight: Any = None,
    mask: Any = None,
    **settings: Any,
) -> Iterator[Denoised]:
    """Denoise frames one after the other as they arrive, each with the help of those before and after it.

    The result for a frame is there as soon as `average` further frames have been read: that is the latency, in frames.
    Memory holds twice as many frames and the last result, however long the film is. The results are those of
    `denoise_stack` for the same frames, to the bit: the motion between frames is measured by phase correlation [1]_ and
    then in windows [2]_, and each frame, averaged with its neighbours along it, is denoised as by `denoise` [3]_.

    Parameters
    ----------
    frames : iterable of array-like
        Frames (Y, X) or (Y, X, C) of one shape: a generator, a camera, a Zarr array along its first axis.
    average : int or "auto"
        Number of frames on either side that help a frame. "auto": 1 with the preset "fast", 2 with "balanced", 3 with
        "best".
    warm_start : bool
        Each frame begins with the kernels of the frame before it.
    weight, mask : array-like, optional
        (Y, X), the same for all frames; see `napari_rsmoe.denoise`.
    **settings
        Further keywords of `napari_rsmoe.denoise`.

    Yields
    ------
    Denoised
        One for each frame, in their order. A frame of which no pixel counts is yielded as it is, with NaN as error bar.

    Raises
    ------
    ImageError, ValueError
        If a frame or a parameter cannot be used.

    References
    ----------
    .. [1] C. Kuglin, D. Hines. The phase correlation image alignment method. IEEE Conference on Cybernetics and
       Society, 1975.
    .. [2] B. Lucas, T. Kanade. An iterative image registration technique with an application to stereo vision.
       International Joint Conference on Artificial Intelligence, 1981.
    .. [3] M. Lebrun, A. Buades, J.-M. Morel. A nonlocal Bayesian image denoising algorithm. SIAM Journal on Imaging
       Sciences 6, 2013. :doi:`10.1137/120874989`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise_film
    >>> camera = (np.random.default_rng(t).poisson(50, (24, 32)).astype(np.uint16) for t in range(3))
    >>> for result in denoise_film(camera, models=2, preset="fast"):
    ...     print(result.image.shape, result.image.dtype)
    (24, 32) uint16
    (24, 32) uint16
    (24, 32) uint16
    """
    return _results(iter(frames), Succession(settings, average, warm_start), weight, mask)


def _results(frames: Iterator[Any], succession: Succession, weight: Any, mask: Any) -> Iterator[Denoised]:
    """The results, each as soon as the frames that help have arrived."""
    reach = succession.reach
    window: deque[tuple[int, Seen]] = deque(maxlen=2 * reach + 1)
    number = 0  # of the next frame to be denoised
    for arrived, frame in enumerate(frames):
        window.append((arrived, Seen(np.asarray(plain(frame)), weight, mask)))
        if arrived == number + reach:
            yield _denoised(succession, window, number)
            number += 1
    while window and number <= window[-1][0]:
        yield _denoised(succession, window, number)
        number += 1


def _denoised(succession: Succession, window: Iterable[tuple[int, Seen]], number: int) -> Denoised:
    known = dict(window)
    seen = known[number]
    others = (
        (number + offset, offset, lambda other=known[number + offset]: other)
        for offset in succession.offsets(lambda place: number + place in known)
    )
    try:
        return succession.denoise(number, seen, others)
    except EmptyPlaneError as error:
        note(f"frame {number} is kept as it is: {error}")
        return Denoised(seen.image, np.full(seen.image.shape, np.nan, np.float32), math.nan, [])
