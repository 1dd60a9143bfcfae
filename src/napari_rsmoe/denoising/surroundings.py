"""The planes around a plane, checked and measured once each, and kept as long as they can help."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ImageError
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..noise.noise_model import NoiseModel
from ..notes import gathered
from .neighbours import Neighbour
from .observation import measured_model
from .pooled_noise import Measured, pooled_model

MOST_MODELS = 10_000
"""Planes whose noise is remembered; some hundred bytes each. With fewer, planes are measured again that return."""


@dataclass(frozen=True)
class Seen:
    """A plane as it is given.

    Attributes
    ----------
    image : ndarray
        (Y, X) or (Y, X, C).
    weight, mask : ndarray or None
        (Y, X), as for `napari_rsmoe.denoise`.
    """

    image: Any
    weight: Any = None
    mask: Any = None


class Surroundings:
    """Planes as neighbours of others.

    Parameters
    ----------
    settings : mapping
        Keywords of `napari_rsmoe.denoise`, the same for all planes.
    kept : int
        Planes that are kept in memory.
    depth : bool
        As of `Neighbour`.
    """

    def __init__(self, settings: Mapping[str, Any], kept: int, *, depth: bool = False) -> None:
        self._selection = replace(Selection.of(settings), ignore_nan=True)
        self.measured = isinstance(settings.get("noise", "auto"), str)
        self._kept = kept
        self.depth = depth
        self._planes: OrderedDict[int, Measured | None] = OrderedDict()
        self._models: OrderedDict[int, NoiseModel] = OrderedDict()

    def around(
        self, number: int, seen: Seen, others: Iterable[tuple[int, int, Callable[[], Seen]]]
    ) -> tuple[NoiseModel | None, list[Neighbour]]:
        """The noise of a plane, and its neighbours.

        Parameters
        ----------
        number : int
            Number of the plane.
        seen : Seen
            The plane.
        others : iterable of (int, int, callable)
            Number, offset and pixels of each plane that helps, the nearest first.

        Returns
        -------
        NoiseModel or None
            In units of the image, measured together with the neighbours; None: as the settings say.
        list of Neighbour
            Those of which anything can be used.
        """
        found = [(other, offset, self._plane(other, load)) for other, offset, load in others]
        present = [(other, offset, plane) for other, offset, plane in found if plane is not None]
        if not present:
            return None, []
        own = self._plane(number, lambda: seen) if self.measured else None
        if own is None or any(each.inputs.pixels.shape != own.inputs.pixels.shape for _, _, each in present):
            return None, [Neighbour(plane.inputs, None, offset, self.depth) for _, offset, plane in present]
        model, alike = pooled_model(own, [plane for _, _, plane in present])
        neighbours = [
            Neighbour(plane.inputs, None if like else self._own_model(other, plane.inputs), offset, self.depth)
            for (other, offset, plane), like in zip(present, alike, strict=True)
        ]
        return model.scaled(own.inputs.layout.span, own.inputs.layout.low), neighbours

    def _plane(self, number: int, load: Callable[[], Seen]) -> Measured | None:
        """A plane, checked; None if nothing of it can be used."""
        if number not in self._planes:
            self._planes[number] = self._checked(load())
        self._planes.move_to_end(number)
        while len(self._planes) > self._kept:
            self._planes.popitem(last=False)
        return self._planes[number]

    def _checked(self, seen: Seen) -> Measured | None:
        with gathered():  # What is said about a plane is said when it is denoised itself.
            try:
                channel_axis = 2 if seen.image.ndim == 3 else None
                inputs = Inputs.of(seen.image, channel_axis, self._selection, weight=seen.weight, mask=seen.mask)
                return Measured.of(inputs) if self.measured else Measured(inputs, 0.0)
            except ImageError:
                return None

    def _own_model(self, number: int, inputs: Inputs) -> NoiseModel:
        """The noise of a plane whose noise is of another strength than that of its neighbours."""
        if number not in self._models:
            with gathered():
                self._models[number] = measured_model(inputs, "auto")
        while len(self._models) > MOST_MODELS:
            self._models.popitem(last=False)
        return self._models[number]
