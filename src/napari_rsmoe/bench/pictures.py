"""The images of a folder: single images, pairs of a noisy image and its truth, and data sets of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import ImageError
from ..io.files import read_image
from ..io.formats import SUFFIXES, is_image_path
from .protocol import middle

TRUTH = ("gt", "truth", "clean")
NOISY = ("raw", "noisy")
"""Names of the folders of a data set of pairs; the two images of a pair have one file name."""


@dataclass(frozen=True)
class Picture:
    """An image and, if it belongs to a pair, its noisy version.

    Attributes
    ----------
    dataset : str
        Name of the folder it belongs to.
    clean_path : Path
        The image, or the truth of a pair.
    noisy_path : Path or None
        The noisy image of a pair.
    crop : int or None
        Side of the central square that is used, in pixels; None for the whole image.
    """

    dataset: str
    clean_path: Path
    noisy_path: Path | None = None
    crop: int | None = None

    @property
    def name(self) -> str:
        """File name without suffix."""
        return self.clean_path.stem

    @property
    def number(self) -> int:
        """The last number in the name, or 0 without one; it enters the seed of the noise."""
        return int((re.findall(r"\d+", self.name) or ["0"])[-1])

    @property
    def clean(self) -> np.ndarray:
        """The image, or the truth of a pair: (H, W) or (H, W, 3) in the data type of the file."""
        return middle(_plane(self.clean_path), self.crop)

    @property
    def noisy(self) -> np.ndarray:
        """The noisy image of a pair, like `clean`."""
        assert self.noisy_path is not None
        image = middle(_plane(self.noisy_path), self.crop)
        if image.shape != self.clean.shape:
            raise ImageError(f"{self.noisy_path} and {self.clean_path} differ in shape.")
        return image

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of `clean`."""
        return self.clean.shape

    @property
    def grey(self) -> bool:
        """Whether it has no channel axis."""
        return len(self.shape) == 2


def find_pictures(folder: Path, pattern: str = "", crop: int | None = None) -> list[Picture]:
    """The images in a folder, in pairs if it has the folders of `NOISY` and `TRUTH`, and in the folders below it.

    Parameters
    ----------
    folder : Path
        A folder of images, a data set of pairs, or a folder of those.
    pattern : str
        Regular expression; only images whose ``DATASET/NAME`` contains it are taken.
    crop : int, optional
        As in `Picture`.

    Raises
    ------
    ImageError
        If there is no folder, or no image in it.
    """
    if not folder.is_dir():
        raise ImageError(f"There is no folder {folder}.")
    found = [*_of(folder), *(p for part in sorted(folder.iterdir()) if part.is_dir() for p in _of(part))]
    pictures = [
        Picture(dataset, clean, noisy, crop)
        for dataset, clean, noisy in found
        if re.search(pattern, f"{dataset}/{clean.stem}")
    ]
    if not pictures:
        matching = f" that matches {pattern!r}" if pattern else ""
        raise ImageError(f"There is no image{matching} in {folder}; accepted are {', '.join(SUFFIXES)}.")
    return pictures


def _of(folder: Path) -> Iterable[tuple[str, Path, Path | None]]:
    """Data set, truth and noisy version of the images directly in a folder."""
    if folder.name in (*TRUTH, *NOISY):
        return  # The folder is one half of a data set of pairs.
    name = folder.resolve().name
    truth, noisy = (next((folder / n for n in names if (folder / n).is_dir()), None) for names in (TRUTH, NOISY))
    if truth is not None and noisy is not None:
        for path in sorted(filter(is_image_path, truth.iterdir())):
            if (noisy / path.name).exists():
                yield name, path, noisy / path.name
        return
    for path in sorted(filter(is_image_path, folder.iterdir())):
        yield name, path, None


def _plane(path: Path) -> np.ndarray:
    """Read a single 2-D image, grey or RGB, without its opacity."""
    image = read_image(path)
    array = image.numpy()
    if array.ndim == 3 and array.shape[2] == 4:
        array = array[..., :3]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] == 3):
        raise ImageError(
            f"{path} has the axes {image.axes} and the shape {array.shape}; benchmarks take single grey and RGB "
            "images. Leave it out with --images."
        )
    return array
