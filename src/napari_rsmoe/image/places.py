"""Random numbers that belong to a pixel of the whole image, whatever block of it is worked on.

Each number is a hash of the seed, the pixel and a stream, so a block draws what the whole image would draw there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FRACTION = 53
"""Bits of a random number between 0 and 1, as many as double precision holds."""


def mixed(values: Bits) -> Bits:
    """Scramble 64-bit numbers: the finaliser of SplitMix64 [1]_, of which every bit depends on every bit of the input.

    References
    ----------
    .. [1] G. L. Steele, D. Lea, C. H. Flood. Fast splittable pseudorandom number generators. OOPSLA 2014.
       :doi:`10.1145/2660193.2660195`
    """
    mixed = values + _STEP
    mixed ^= mixed >> _SHIFTS[0]
    mixed *= _FACTORS[0]
    mixed ^= mixed >> _SHIFTS[1]
    mixed *= _FACTORS[1]
    mixed ^= mixed >> _SHIFTS[2]
    return mixed


def pixel_bits(seed: tuple[int, ...], origin: tuple[int, int], shape: tuple[int, int]) -> Bits:
    """64 random bits for each pixel of a block.

    Parameters
    ----------
    seed : tuple of int
        Not negative; other numbers give other bits, for example those of a model and of a stream.
    origin : (int, int)
        Row and column of the block in the whole image.
    shape : (int, int)
        (H, W) of the block.

    Returns
    -------
    ndarray of uint64, shape (H, W)

    Examples
    --------
    >>> from napari_rsmoe.image.places import pixel_bits
    >>> whole = pixel_bits((7, 1), (0, 0), (8, 9))
    >>> bool((whole[3:, 2:] == pixel_bits((7, 1), (3, 2), (5, 7))).all())
    True
    """
    key = np.zeros(1, np.uint64)
    for number in seed:
        key = mixed(key ^ mixed(np.array([number % 2**64], np.uint64)))
    rows, columns = (
        np.arange(first, first + length, dtype=np.uint64) for first, length in zip(origin, shape, strict=True)
    )
    return mixed(mixed(key ^ mixed(rows))[:, None] ^ columns)


def uniform(bits: Bits) -> NDArray[np.float64]:
    """Numbers above 0 and up to 1 from random bits."""
    return ((bits >> np.uint64(64 - _FRACTION)).astype(np.float64) + 1) * 2.0**-_FRACTION
