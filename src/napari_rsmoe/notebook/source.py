"""The image of a notebook widget: an array with any number of axes, and its variable name."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..image.planes import CHANNEL_AXES, Planes, stack_axes
from ..io.image_file import ImageFile
from ..io.units import canonical_unit, is_known_unit, ome_symbol, spacing_of


class Source(Sequence[np.ndarray]):
    """The planes of an image, (Y, X) or (Y, X, C) each, which are read on demand.

    Parameters
    ----------
    image : array-like or ImageFile
        (Y, X), (Y, X, C), or a stack; a lazy array stays lazy. An `ImageFile` brings its axes and
        pixel size.
    axes : str, optional
        A letter for each axis, as for `napari_rsmoe.image.planes.Planes`. By default Y and X come last, before colour
        if that has length 3 or 4, and after the axes of a stack.

    Attributes
    ----------
    single : bool
        Whether the functions of the package take the whole image; otherwise they take its planes.
    name : str
        Python that gives the array: the name of its variable, if it has one.
    pixel_size : dict or None
        As for `napari_rsmoe.notebook.ImagePane`.
    """

    def __init__(self, image: Any, axes: str | None = None) -> None:
        self.name = variable_name(image) or "image"
        self.pixel_size: dict[str, Any] | None = None
        spacing: dict[str, float] = {}
        if isinstance(image, ImageFile):
            spacing = spacing_of(image.pixel_size)
            self.name, axes, self.pixel_size = f"{self.name}.data", axes or image.axes, pixels_of(image.pixel_size)
            image = image.data
        self.image = image if hasattr(image, "shape") and hasattr(image, "dtype") else np.asarray(image)
        self._guessed = axes is None
        self.planes = Planes(self.image, stack_axes(self.image.shape) if axes is None else axes, spacing=spacing)
        self.axes = self.planes.axes
        self.single = self.axes.strip(CHANNEL_AXES) == "YX" and len(self.axes) <= 3

    def __len__(self) -> int:
        return len(self.planes)

    def __getitem__(self, number: Any) -> Any:
        return self.planes[number].image

    def part(self, rows: slice, columns: slice) -> Source:
        """The same planes, of which only these rows and columns are kept."""
        own = {"Y": rows, "X": columns}
        index = tuple(own.get(letter, slice(None)) for letter in self.axes)
        texts = [f"{each.start}:{each.stop}" if each.stop is not None else ":" for each in index]
        while texts[-1] == ":":
            texts.pop()
        made = Source(self.image[index], self.axes)
        made.name, made.pixel_size = f"{self.name}[{', '.join(texts)}]", self.pixel_size
        made._guessed, made.planes.spacing = self._guessed, self.planes.spacing
        return made

    @property
    def labels(self) -> list[str]:
        """Labels of the planes."""
        return [self.planes.label(number) for number in range(len(self))]

    def channels(self) -> dict[str, int]:
        """The keywords about channels that the functions need besides an image or a plane."""
        if self._guessed or self.axes == "YX":  # The functions guess the same, and say what they have assumed.
            return {}
        if self.single:
            return {"channel_axis": next(k for k, letter in enumerate(self.axes) if letter in CHANNEL_AXES)}
        return {"channel_axis": 2} if len(self.planes.plane_shape) == 3 else {}

    def plane_of(self, result: np.ndarray) -> np.ndarray:
        """The result of a function for the image or a plane, as (Y, X) or (Y, X, C)."""
        return np.moveaxis(result, self.channels().get("channel_axis", -1), -1) if result.ndim == 3 else result


def pixels_of(given: Any, unit: str | None = None) -> dict[str, Any] | None:
    """Pixel sizes as a pane takes them: ``{"value": [y, x], "unit": "µm"}``; None if they are not known.

    Parameters
    ----------
    given : float, (float, float), mapping of str to PixelSize, or None
        Distance between pixels, along y and x.
    unit : str, optional
        Their unit, if `given` are numbers.

    Raises
    ------
    ValueError
        If a size is not positive.
    """
    if given is None or (isinstance(given, Mapping) and not {"Y", "X"} <= set(given)):
        return None
    if isinstance(given, Mapping):
        values, unit = [float(given[letter].value) for letter in "YX"], given["X"].unit
    else:
        values = np.broadcast_to(np.asarray(given, float), 2).tolist()
    if not all(np.isfinite(value) and value > 0 for value in values):
        raise ValueError(f"pixel_size={given!r} must be one or two positive numbers.")
    name = canonical_unit(unit)
    return {"value": values, "unit": ome_symbol(name) if is_known_unit(name) else name or "px"}


def variable_name(value: Any) -> str | None:
    """The variable name of a value in the notebook, or None if there is none."""
    if "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    names = [name for name, other in shell.user_ns.items() if other is value] if shell is not None else []
    return next((name for name in names if not name.startswith("_")), None)
