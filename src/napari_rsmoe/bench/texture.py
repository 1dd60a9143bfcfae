"""Loss of texture: the window of an image in which ours keeps the least fine detail (figure 14 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from ..io.files import read_image
from . import plots
from .peers.methods import OURS
from .pictures import Picture
from .protocol import quality, unit
from .tables import table

SIDE = 96  # Side of the window, in pixels.
FINE = 2.0  # Width in pixels of the Gaussian blur whose difference to the image is called detail.


def read(path: Path) -> np.ndarray:
    """Read a rendered image, on [0, 1]."""
    return unit(read_image(path).numpy())


def section(
    folder: Path, pictures: Mapping[str, Picture], drawn: Mapping[str, Mapping[str, np.ndarray]], kernels: int
) -> list[str]:
    """The figure and the table of the window; empty if ours was not run.

    Parameters
    ----------
    folder : Path
        Folder for the figure.
    pictures : mapping of str to Picture
        The images by name.
    drawn : mapping of str to mapping of str to ndarray
        Rendered images by image and method, on [0, 1].
    kernels : int
        Number of kernels of each model.
    """
    lost = {name: _lost(unit(pictures[name].clean), found[OURS]) for name, found in drawn.items() if OURS in found}
    if not lost:
        return []
    name = max(lost, key=lambda n: float(lost[n].max()))
    clean = unit(pictures[name].clean)
    side = min(SIDE, *clean.shape[:2])
    y, x = np.unravel_index(np.argmax(lost[name]), lost[name].shape)
    top, left = (
        min(max(0, int(place) - side // 2), length - side)
        for place, length in zip((y, x), clean.shape[:2], strict=True)
    )
    window = (slice(top, top + side), slice(left, left + side))
    panels = {"original": clean[window]} | {method: image[window] for method, image in drawn[name].items()}
    plots.panels(folder / "regression_texture.png", [panels], kernels_note(name, kernels))
    whole = float(np.square(_detail(clean)[window]).sum())
    rows = [
        [
            method,
            f"{quality(image[window], clean[window])['psnr']:.2f}",
            f"{100 * (1 - float(_missing(clean, image)[window].sum()) / whole):.0f} %",
        ]
        for method, image in drawn[name].items()
    ]
    return [
        "## Failure on texture\n",
        f"The {side} px of {name} in which ours loses most fine detail (finer than {FINE:g} px), {kernels} kernels; "
        "figure 14 of the paper.\n",
        "![texture](regression_texture.png)\n",
        table(["method", "PSNR there, dB", "fine detail that is explained"], rows),
    ]


def kernels_note(name: str, kernels: int) -> str:
    """The title of the figure."""
    return f"{name}, {kernels} kernels"


def _detail(image: np.ndarray) -> np.ndarray:
    return image - gaussian_filter(image, (FINE, FINE) + (0,) * (image.ndim - 2))


def _missing(clean: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The energy of missing or false detail at each pixel."""
    return np.square(_detail(clean) - _detail(drawn))


def _lost(clean: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The mean energy of missing or false detail around each pixel, (H, W)."""
    missing = _missing(clean, drawn)
    return uniform_filter(missing if clean.ndim == 2 else missing.mean(2), min(SIDE, *clean.shape[:2]), mode="constant")
