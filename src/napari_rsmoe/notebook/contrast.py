"""Contrast limits, logarithmic display and colour maps: how values become colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..display.pictures import Limits, to_rgb

STEPS = 256
"""Colours of a colour map."""
DECADES = 3
"""Decades of brightness of a logarithmic display: black and white are this many factors of ten apart."""
GRAY = "gray"
MATPLOTLIB_MAPS = ("viridis", "magma", "inferno", "cividis", "turbo")
TINTS = {
    "red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "cyan": (0, 1, 1), "magenta": (1, 0, 1),
    "yellow": (1, 1, 0),
}  # fmt: skip
"""Colour maps from black to one colour, as microscopists show channels."""
COLORMAPS = (GRAY, *MATPLOTLIB_MAPS, *TINTS)


@dataclass(frozen=True)
class Contrast:
    """How values become colours.

    Attributes
    ----------
    limits : (float, float)
        Values shown as black and as white, or as the ends of the colour map.
    log : bool
        Whether brightness grows with the logarithm of the value: the level v between 0 (black) and 1 (white) is shown
        as log(1 + 999 v) / log(1000). This holds for values of any sign.
    colormap : str
        One of `COLORMAPS`, for images without colour.
    """

    limits: Limits
    log: bool = False
    colormap: str = GRAY

    def rgb(self, image: np.ndarray) -> np.ndarray:
        """The image (Y, X) or (Y, X, C) as (Y, X, 3) uint8; colour images keep their colours. NaN is black."""
        mapped = self.colormap != GRAY and is_gray(image)
        if not mapped and not self.log:
            return to_rgb(image, self.limits)
        level = self.level(image)
        if not mapped:
            return to_rgb(level, (0.0, 1.0))
        index = np.rint(level.reshape(level.shape[:2]) * (STEPS - 1)).astype(np.uint8)
        colours: np.ndarray = table(self.colormap)[index]
        return colours

    def level(self, values: np.ndarray) -> np.ndarray:
        """Brightness between 0 and 1, float32."""
        low, high = self.limits
        linear = np.clip((values.astype(np.float32) - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
        linear = np.nan_to_num(linear)
        if not self.log:
            return linear
        level: np.ndarray = np.log1p((10**DECADES - 1) * linear) / np.float32(np.log(10**DECADES))
        return level

    def ticks(self) -> list[str]:
        """Values at the start, the middle and the end of the colour bar, as text."""
        low, high = self.limits
        middle = (10 ** (DECADES / 2) - 1) / (10**DECADES - 1) if self.log else 0.5
        return [f"{value:.4g}" for value in (low, low + middle * (high - low), high)]


def is_gray(image: np.ndarray) -> bool:
    """Whether an image (Y, X) or (Y, X, C) has a single channel."""
    return image.ndim == 2 or image.shape[2] == 1


@cache
def table(name: str) -> np.ndarray:
    """The colours of a colour map, (256, 3) uint8."""
    if name in MATPLOTLIB_MAPS:
        import matplotlib  # Imported here to save start-up time: few people change the colours.

        colours = matplotlib.colormaps[name](np.linspace(0, 1, STEPS))[:, :3]
        return np.rint(255 * np.asarray(colours)).astype(np.uint8)
    ramp = np.arange(STEPS, dtype=np.uint8)[:, None]
    return ramp * np.array(TINTS.get(name, (1, 1, 1)), np.uint8)
