"""Brightness of a neighbouring plane: what flicker of a lamp, bleaching or drift has changed is undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Floats

CELL = 4
"""Side, in pixels, of the squares whose means are compared; noise and small displacements matter less in them."""
ROUNDS = 4
"""Repetitions, in each of which squares that do not agree with the result so far count less."""
CERTAIN = 4.0
"""Standard errors by which gain or offset must differ from none to be believed."""
GAINS = (0.05, 20.0)
"""Gains beyond which two planes do not show the same at another brightness."""
CONTRAST = 0.5
"""Variance of the content of the squares, in variances of their noise, below which no gain can be measured."""
TINY = 1e-20


@dataclass(frozen=True)
class Brightness:
    """Gain and offset, each (C,), that bring a plane to the brightness of another one."""

    gain: Floats
    offset: Floats

    @classmethod
    def same(cls, channels: int) -> Brightness:
        """No change."""
        return cls(np.ones(channels, np.float32), np.zeros(channels, np.float32))

    @property
    def changes(self) -> bool:
        """Whether pixels are changed at all."""
        return bool((self.gain != 1).any() or (self.offset != 0).any())

    def of(self, pixels: Floats) -> Floats:
        """Pixels (H, W, C) at the other brightness."""
        return self.gain * pixels + self.offset if self.changes else pixels

    @classmethod
    def whole(cls, reference: Floats, other: Floats, variances: tuple[Floats, Floats]) -> Brightness:
        """From mean and contrast of whole planes, whatever has moved in them; arguments as for `aligned`."""
        gain, offset = np.ones((2, reference.shape[2]))
        for c in range(reference.shape[2]):
            own, theirs = _cells(reference[..., c]), _cells(other[..., c])
            noise = [float(each[c]) / CELL**2 for each in variances]
            content = own.var() - noise[0], theirs.var() - noise[1]
            if min(content[0] / (noise[0] + TINY), content[1] / (noise[1] + TINY)) > CONTRAST:
                gain[c] = np.sqrt(content[0] / content[1])
            if not GAINS[0] < gain[c] < GAINS[1]:
                gain[c] = 1.0
            offset[c] = own.mean() - gain[c] * theirs.mean()
        return cls(gain.astype(np.float32), offset.astype(np.float32))

    @classmethod
    def aligned(cls, reference: Floats, other: Floats, variances: tuple[Floats, Floats]) -> Brightness:
        """From planes that show the same at the same places, nearly everywhere.

        Parameters
        ----------
        reference, other : ndarray of float32, shape (H, W, C)
            The planes; values that are not finite do not count.
        variances : two ndarrays, shape (C,)
            Mean variances of their noise.
        """
        lines = [
            _line(_cells(reference[..., c]), _cells(other[..., c]), *(float(v[c]) / CELL**2 for v in variances))
            for c in range(reference.shape[2])
        ]
        gain, offset = np.array(lines, np.float32).T
        return cls(gain, offset)


def _cells(plane: Floats) -> Array:
    """Means of the whole squares of a plane, flat; a plane smaller than a square is one."""
    height, width = (max(1, length // CELL) for length in plane.shape)
    cells = plane[: height * CELL, : width * CELL]
    rows = np.add.reduceat(cells, np.arange(0, cells.shape[0], CELL)[:height], 0, np.float64)
    means: Array = np.add.reduceat(rows, np.arange(0, cells.shape[1], CELL)[:width], 1).ravel() / CELL**2
    return means


def _line(own: Array, theirs: Array, own_noise: float, their_noise: float) -> tuple[float, float]:
    """Gain and offset of the line through squares that agree; (1, 0) if it does not differ certainly from none."""
    good = np.isfinite(own) & np.isfinite(theirs)
    if good.sum() < 3:
        return 1.0, 0.0
    own, theirs = own[good], theirs[good]
    gain, offset = 1.0, float(np.median(own - theirs))
    for _ in range(ROUNDS):
        rest = own - gain * theirs - offset
        spread = max(1.5 * float(np.median(np.abs(rest))), (own_noise + gain**2 * their_noise) ** 0.5, TINY)
        weight = 1 / (1 + np.square(rest / (2 * spread)))
        weight /= weight.sum()
        means = float((weight * own).sum()), float((weight * theirs).sum())
        content = float((weight * np.square(theirs - means[1])).sum()) - their_noise
        if content > CONTRAST * their_noise + TINY:
            gain = float((weight * (own - means[0]) * (theirs - means[1])).sum()) / content
        gain = gain if GAINS[0] < gain < GAINS[1] else 1.0
        offset = means[0] - gain * means[1]
    deviation = spread * float(np.sqrt(np.square(weight).sum()))
    shift = abs(means[0] - means[1])
    if abs(gain - 1) * max(content, TINY) ** 0.5 < CERTAIN * deviation and shift < CERTAIN * deviation:
        return 1.0, 0.0
    return gain, offset
