"""The image of a kernels layer, drawn again after each edit."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error

from ...ui.jobs import Latest, Outcome
from ..editing import EditableKernels, Trial
from ..layers.drawn import store_plane, value_range
from ..layers.sparing import insert_aside
from ..names import METADATA_KEY
from ..preferences import preferences
from ..workers.thread import Task


class FollowingImage:
    """Draws the models of a kernels layer on a thread, and shows them in the image that was made with it.

    Of drawings that are asked for while another one runs, only the last is made.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are. An image is added for kernels that came without one, or whose image was deleted.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._image: Any = None
        self._layer: Any = None
        self._stale: set[int] = set()  # Planes that have changed since they were drawn.
        self._drawing = Latest(self._show, Task)

    @property
    def busy(self) -> bool:
        """Whether a drawing is under way."""
        return self._drawing.busy

    def follow(self, layer: Any) -> None:
        """Draw for this kernels layer from now on; None: for none."""
        if layer is None or layer != self._layer:
            self._layer, self._image, self._stale = layer, None, set()

    def draw(self, table: EditableKernels, planes: list[int]) -> None:
        """Draw planes as they are now."""
        if planes:
            # A drawing that is replaced by a later one leaves its planes to it.
            self._stale |= set(planes)
            self._drawing.ask(partial(_all_drawn, table, sorted(self._stale), self._dtype()))

    def draw_trial(self, table: EditableKernels, plane: int, trial: Trial) -> None:
        """Draw a plane as it would be with kernels placed elsewhere."""
        self._drawing.ask(partial(_drawn_alone, table, plane, trial, self._dtype()))

    def close(self) -> None:
        """Wait for nothing more, and show nothing more."""
        self._drawing.close()

    def _show(self, outcome: Outcome) -> None:
        layer = self._layer
        if layer is None or layer not in self._viewer.layers:
            return
        if outcome.error is not None:
            show_error(str(outcome.error))
            return
        axes = layer.metadata[METADATA_KEY]["source"]["axes"]
        table, first = outcome.result[0][0], outcome.result[0][2]
        if self._image is None or self._image not in self._viewer.layers:
            self._image = self._found(layer) or self._added(layer, table, axes, first)
        for each, plane, drawn in outcome.result:
            store_plane(self._image.data, axes, each.planes[plane], drawn)
            self._stale.discard(plane)
        self._image.refresh()

    def _dtype(self) -> Any:
        """The data type that was chosen for the image when it was made; None: that of the image that was fitted."""
        image = self._image
        if image is None and self._layer is not None:
            image = self._found(self._layer)
        return None if image is None else image.data.dtype

    def _found(self, layer: Any) -> Any:
        """The reconstruction that was made with the kernels, or None."""
        run = layer.metadata.get(METADATA_KEY, {}).get("run")
        for other in self._viewer.layers:
            record = other.metadata.get(METADATA_KEY, {})
            if run and record.get("run") == run and record.get("role") == "image" and other.data.flags.writeable:
                return other
        return None

    def _added(self, layer: Any, table: EditableKernels, axes: str, drawn: np.ndarray) -> Any:
        """A new image in the place of the kernels, below them, so that they can be edited further."""
        sizes = dict(zip("YXCS" if "S" not in axes else "YXS", (*drawn.shape[:2], *drawn.shape[2:] * 2), strict=False))
        lengths = np.max(np.array(table.planes, int).reshape(len(table), -1), axis=0) + 1
        shape = [sizes[letter] if letter in sizes else int(lengths[k]) for k, letter in enumerate(axes)]
        image = Image(
            np.zeros(shape, drawn.dtype), rgb="S" in axes, name=f"{layer.name} drawn", scale=layer.scale,
            translate=layer.translate, rotate=layer.rotate, shear=layer.shear, affine=layer.affine,
            units=layer.units, axis_labels=layer.axis_labels, contrast_limits=value_range(drawn),
            metadata={METADATA_KEY: {**layer.metadata[METADATA_KEY], "role": "image"}},
        )  # fmt: skip
        return insert_aside(self._viewer, self._viewer.layers.index(layer), image)


def _drawn(
    table: EditableKernels, plane: int, dtype: Any, trial: Trial | None = None
) -> tuple[EditableKernels, int, np.ndarray]:
    return table, plane, table.model(plane, trial).render(device=preferences().device, dtype=dtype)


def _all_drawn(table: EditableKernels, planes: list[int], dtype: Any) -> list[tuple[EditableKernels, int, np.ndarray]]:
    return [_drawn(table, plane, dtype) for plane in planes]


def _drawn_alone(
    table: EditableKernels, plane: int, trial: Trial, dtype: Any
) -> list[tuple[EditableKernels, int, np.ndarray]]:
    return [_drawn(table, plane, dtype, trial)]
