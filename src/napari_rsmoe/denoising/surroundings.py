"""The planes around a plane, checked and measured once each, and kept as long as they can help."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ImageError
from ..image.inputs import Inputs
from ..noise.noise_model import NoiseModel
from ..notes import gathered
from .neighbours import Neighbour
from .observation import measured_model

LEFT_OUT = ("saturation", "below", "above", "nodata", "defects")
"""Keywords of `denoise` that leave pixels out of a neighbour as they do of a plane."""
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
    """

    def __init__(self, settings: Mapping[str, Any], kept: int) -> None:
        self._selection = {name: settings[name] for name in LEFT_OUT if name in settings}
        self._measured = isinstance(settings.get("noise", "auto"), str)
        self._kept = kept
        self._planes: OrderedDict[int, Inputs | None] = OrderedDict()
        self._models: OrderedDict[int, NoiseModel] = OrderedDict()

    def neighbour(self, number: int, offset: int, load: Callable[[], Seen]) -> Neighbour | None:
        """A plane as neighbour; None if nothing of it can be used.

        Parameters
        ----------
        number : int
            Number of the plane; it is checked only once for each.
        offset : int
            As of `Neighbour`.
        load : callable
            Returns the plane, with its weight and mask.
        """
        if number not in self._planes:
            self._planes[number] = self._checked(load())
        self._planes.move_to_end(number)
        while len(self._planes) > self._kept:
            self._planes.popitem(last=False)
        inputs = self._planes[number]
        return None if inputs is None else Neighbour(inputs, self._model(number, inputs), offset)

    def _checked(self, seen: Seen) -> Inputs | None:
        with gathered():  # What is said about a plane is said when it is denoised itself.
            try:
                channel_axis = 2 if seen.image.ndim == 3 else None
                return Inputs.of(
                    seen.image, channel_axis, seen.weight, mask=seen.mask, ignore_nan=True, **self._selection
                )
            except ImageError:
                return None

    def _model(self, number: int, inputs: Inputs) -> NoiseModel | None:
        """The noise of a plane if each has its own."""
        if not self._measured:
            return None
        if number not in self._models:
            with gathered():
                self._models[number] = measured_model(inputs, "auto")
        while len(self._models) > MOST_MODELS:
            self._models.popitem(last=False)
        return self._models[number]
