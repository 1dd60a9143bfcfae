"""What a pane shows: the pictures and models of the planes of a stack, and what can be read off one plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..display import measure
from ..display.measure import Line, Size
from ..display.pictures import Limits, display_range
from ..model.model import Model

Images = Sequence[Any]
"""One array for each plane, or None for a plane without."""
COMPARED = ("before", "after")
PICTURES = (*COMPARED, "uncertainty")
"""Names of the pictures of a plane; the last is the standard deviation of the error."""


@dataclass(frozen=True)
class PlaneContent:
    """The content of one plane.

    Attributes
    ----------
    pictures : mapping of str to ndarray or None
        The pictures of `PICTURES`; None where there is none.
    model : Model or None
        The model whose kernels are drawn.
    titles : mapping of str
        Titles of `before` and `after`.
    label : str
        Name of the plane.
    """

    pictures: Mapping[str, np.ndarray | None]
    model: Model | None
    titles: Mapping[str, str]
    label: str

    @property
    def compared(self) -> dict[str, np.ndarray]:
        """The pictures before and after, those that are there."""
        return {name: image for name in COMPARED if (image := self.pictures[name]) is not None}

    @property
    def uncertainty(self) -> np.ndarray | None:
        """The standard deviation of the error."""
        return self.pictures["uncertainty"]

    def title(self, name: str) -> str:
        """The title of a picture; a single one that has no title of its own is "image"."""
        if name == "uncertainty":
            return name
        alone = len(self.compared) == 1
        return "image" if alone and self.titles[name] in COMPARED else self.titles[name]

    def values_at(self, place: tuple[float, float], size: Size, pixel_size: Mapping[str, Any] | None) -> str:
        """The values at a place, with their standard deviation where it is known.

        Parameters
        ----------
        place : (float, float)
            y and x in pixels as in slices.
        size : (int, int)
            Height and width that places refer to.
        pixel_size : mapping or None
            As for `ImagePane`.
        """
        y, x = place
        parts = [f"y {int(y)}, x {int(x)}"]
        if pixel_size is not None:
            (high, wide), unit = pixel_size["value"], pixel_size["unit"]
            parts[0] += f" ({y * high:.4g}, {x * wide:.4g} {unit})"
        compared = self.compared
        last = "after" if "after" in compared else "before"
        for name, image in compared.items():
            error = self.uncertainty if name == last else None
            parts.append(f"{self.title(name)} {measure.value_text(image, error, place, size)}")
        return "   ".join(parts)

    def profiles(self, line: Line, size: Size) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
        """Title, values and standard deviation of each picture along a line."""
        std, found = self.uncertainty, []
        for name, image in self.compared.items():
            error = measure.profile(std, line, size) if name == "after" and std is not None else None
            found.append((self.title(name), measure.profile(image, line, size), error))
        return found

    def region_text(self, box: tuple[int, int, int, int], size: Size) -> str:
        """The mean and the standard deviation of a region of the last picture."""
        return measure.region_text(list(self.compared.values())[-1], box, size)


class Content:
    """The content of all planes.

    Parameters
    ----------
    before, after, uncertainty : sequence of numpy.ndarray
        As for `ImagePane`.
    models : sequence of Model
        As for `ImagePane`.
    titles : mapping of str
        Titles of `before` and `after`; by default their names.
    labels : sequence of str
        Labels of the planes.
    """

    def __init__(
        self,
        before: Images,
        after: Images,
        uncertainty: Images,
        models: Sequence[Model | None],
        titles: Mapping[str, str] | None,
        labels: Sequence[str],
    ) -> None:
        self._of: dict[str, Any] = {"before": before, "after": after, "uncertainty": uncertainty, "models": models}
        self.titles = dict(zip(COMPARED, COMPARED, strict=True)) | dict(titles or {})
        self._labels = labels
        self.n_planes = max(len(before), len(after))

    def plane(self, number: int) -> PlaneContent:
        """The content of a plane."""
        found = {name: values[number] if number < len(values) else None for name, values in self._of.items()}
        label = self._labels[number] if number < len(self._labels) else f"plane {number}"
        return PlaneContent({name: found[name] for name in PICTURES}, found["models"], self.titles, label)

    def replace(self, name: str, given: Any, plane: int | None, count: int) -> None:
        """Replace what all of `count` planes have, or what one of them has."""
        if plane is not None:
            value = [*self._of[name], *[None] * (count - len(self._of[name]))]
            value[plane] = given
            given = value
        self._of[name] = given

    @property
    def first(self) -> np.ndarray:
        """The image whose pixels are the coordinates."""
        return next(iter(self.plane(0).compared.values()))

    def display_range(self) -> Limits:
        """The display range of all planes, from three of them."""
        images = self._of["before"] if len(self._of["before"]) else self._of["after"]
        ranges = [display_range(images[k]) for k in {0, len(images) // 2, len(images) - 1} if images[k] is not None]
        return min(low for low, _ in ranges), max(high for _, high in ranges)
