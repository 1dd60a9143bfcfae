"""The fields that choose a part of an image layer: a region, and entries of the axes before Y and X."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from magicgui.widgets import ComboBox, Container, LineEdit

from ..entries import EXAMPLES, chosen_entries
from ..layers.kernels import TABLE_KEY
from ..source import Source, plane_in_view
from .layer_choice import LayerChoice
from .regions import box_in_view, box_of_shape, outside_of_shape

WHOLE, VIEW, RECTANGLE = "the whole image", "the current view", "a rectangle"
ALL_PLANES, ONE_PLANE, CHOSEN = "all planes", "the plane in view", "chosen ones"


class Part:
    """Fields for the part of a layer that is processed.

    Attributes
    ----------
    region, shapes, planes : magicgui fields
        The region, the layer with its rectangle, and which planes.
    entries : magicgui container
        A field for each axis before Y and X, with the entries that are processed if planes are chosen.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, whose sliders say which plane is in view.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.planes = ComboBox(
            choices=[ALL_PLANES, ONE_PLANE, CHOSEN],
            label="Planes",
            tooltip="Planes, or entries of any axis, to process.",
        )
        self.entries = Container(labels=True, label=" ")
        self.entries.margins = (0, 0, 0, 0)
        self.region = ComboBox(choices=[WHOLE, VIEW, RECTANGLE], label="Region", tooltip="The part to process.")
        self.shapes = LayerChoice(
            viewer, "Shapes", label="Shapes layer", accepts=lambda layer: TABLE_KEY not in layer.metadata,
            tooltip="The shapes layer with the rectangle: the selected one, else the last.",
        )  # fmt: skip
        self._axes: list[tuple[str, int]] = []
        self.planes.changed.connect(self._show)
        self.region.changed.connect(self._show)

    def show_axes(self, axes: list[tuple[str, int]]) -> None:
        """Offer the entries of these axes before Y and X, given by name and length; what was written is kept."""
        if axes != self._axes:
            before = {field.name: field.value for field in self.entries}
            self.entries.clear()
            for number, (name, length) in enumerate(axes):
                key, help_ = f"axis{number}", f"Entries of {name} to process, counted from 0: {EXAMPLES}."
                text = before.get(key, "all")
                self.entries.append(LineEdit(name=key, label=f"{name}, 0-{length - 1}", tooltip=help_, value=text))
            self._axes = axes
        self._show()

    def of(self, source: Source, layer: Any) -> Source:
        """The chosen part of an image.

        Raises
        ------
        ValueError
            If the part is empty, or what was written is not understood.
        """
        lead = source.ndim - 2
        if lead and self.planes.value == ONE_PLANE:
            source = source.plane_at(plane_in_view(layer, self._viewer.dims.point))
        elif lead and self.planes.value == CHOSEN:
            if [length for _, length in self._axes] != list(source.data.shape[:lead]):
                raise ValueError(f"{source.name!r} has other axes than the form, whose entries are chosen.")
            texts = [str(field.value) for field in self.entries]
            source = source.entries(
                [chosen_entries(text, n, name) for text, (name, n) in zip(texts, self._axes, strict=True)]
            )
        if self.region.value == VIEW:
            dims = self._viewer.dims
            if dims.ndisplay != 2 or tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1):
                raise ValueError("The current view does not show a plane of Y and X; show one, or choose a rectangle.")
            return source.crop(*box_in_view(layer))
        if self.region.value == RECTANGLE:
            if self.shapes.value is None:
                raise ValueError("There is no shapes layer; add one and draw a rectangle, or choose another region.")
            return self._within(source, layer)
        return source

    def _within(self, source: Source, layer: Any) -> Source:
        """What lies within a shape: the box around it, and of that what is outside of it is marked."""
        shapes, point = self.shapes.value, self._viewer.dims.point
        box = box_of_shape(shapes, layer, point)
        part = source.crop(*box)
        outside = outside_of_shape(shapes, layer, point, box)
        if outside is None:
            return part
        height, width = source.size
        y0, x0, y1, x1 = box
        rows, columns = (
            slice(max(0, -y0), y1 - y0 - max(0, y1 - height)),
            slice(max(0, -x0), x1 - x0 - max(0, x1 - width)),
        )
        return replace(part, outside=outside[rows, columns], outside_name=str(shapes.name))

    def _show(self, *_: Any) -> None:
        self.planes.visible = bool(self._axes)
        self.entries.visible = bool(self._axes) and self.planes.value == CHOSEN
        self.shapes.visible = self.region.value == RECTANGLE
