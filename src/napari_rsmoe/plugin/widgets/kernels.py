"""The Kernels widget."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, Label, LineEdit, PushButton, SpinBox
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog

from ...ui.jobs import Latest, Outcome
from ..editing import EditableKernels
from ..files import write_table
from ..layers.drawn import store_plane, value_range
from ..layers.following import apply_changes, find_changes, recoloured, redraw
from ..layers.kernels import MOST_ELLIPSES, MOST_POLYGONS, TABLE_KEY, features, heaviest, in_box
from ..names import METADATA_KEY
from ..preferences import preferences
from ..workers.thread import Task
from .form import column_of, row_of

HEAVIEST, VIEW, FILTER, SELECTED = "the heaviest", "those in view", "those that pass the filter", "those selected"
MOST_FEWER = 500  # Largest number of kernels in a layer that is quick to edit.


class KernelsWidget(Container):
    """Select, filter, move, rotate, resize, recolour and delete the kernels of a model, with a live image.

    Kernels are moved, rotated, resized, deleted and recoloured with napari's own tools in the shapes layer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self._watched: Any = None
        self._own = False
        self._image: Any = None
        self.layer = ComboBox(choices=self._layers, label="Layer", tooltip="A kernels layer from a fit or a file.")
        self.info = Label(value=" ")
        self.draw = ComboBox(choices=[HEAVIEST, VIEW, FILTER, SELECTED], label="Draw", tooltip="Which kernels to draw.")
        self.most = SpinBox(
            value=min(preferences().drawn_kernels, MOST_POLYGONS), min=1, max=MOST_POLYGONS, step=100, label="At most",
            tooltip=f"Up to {MOST_ELLIPSES} are ellipses, more are polygons; {MOST_FEWER} are quickest to edit.",
        )  # fmt: skip
        self.redraw = PushButton(text="Draw", tooltip="Show these kernels; the others remain in the model.")
        self.feature = ComboBox(choices=self._columns, label="Feature", tooltip="The feature to filter by.")
        self.low = FloatSpinBox(value=0, min=-1e12, max=1e12, label="From")
        self.high = FloatSpinBox(value=0, min=-1e12, max=1e12, label="To")
        self.select = PushButton(text="Select", tooltip="Select the drawn kernels that pass the filter.")
        self.delete = PushButton(text="Delete selected")
        self.expert = LineEdit(label="Expert", tooltip="The new expert of the selected kernels, in the image's units.")
        self.recolour = PushButton(text="Recolour selected", tooltip="The layer's face colour does the same.")
        self.undo = PushButton(text="Undo", enabled=False, tooltip="Ctrl-Z in the shapes layer.")
        self.redo = PushButton(text="Redo", enabled=False, tooltip="Ctrl-Shift-Z in the shapes layer.")
        self.follow = CheckBox(value=True, text="The image follows", tooltip="Render the model again after each edit.")
        self.save = PushButton(text="Save model…", tooltip="Write a .rsmoe file.")
        super().__init__(
            widgets=[
                column_of(self.layer), row_of(self.info), column_of(self.draw, self.most), row_of(self.redraw),
                column_of(self.feature, self.low, self.high), row_of(self.select, self.delete),
                column_of(self.expert), row_of(self.recolour), row_of(self.undo, self.redo),
                row_of(self.follow, self.save),
            ],
            labels=False,
        )  # fmt: skip
        self._latest = Latest(self._show_image, Task)
        self.layer.changed.connect(self._watch)
        self.redraw.changed.connect(self.draw_again)
        self.feature.changed.connect(self._show_range)
        self.select.changed.connect(self.select_matching)
        self.delete.changed.connect(lambda: self._layer() is not None and self._layer().remove_selected())
        self.recolour.changed.connect(self.recolour_selected)
        self.undo.changed.connect(lambda: self.step_back())
        self.redo.changed.connect(lambda: self.step_forward())
        self.save.changed.connect(self._choose_file)
        self.native.destroyed.connect(self._on_destroyed)
        self._watch()

    # ------------------------------------------------------------------ the layer

    def reset_choices(self, *_: Any) -> None:
        """Update the list of layers; napari calls this when layers are added or removed."""
        super().reset_choices()
        self._watch()

    def table(self) -> EditableKernels | None:
        """The kernels of the chosen layer."""
        layer = self._layer()
        return None if layer is None else layer.metadata[TABLE_KEY]

    def _layers(self, _widget: Any) -> list[Any]:
        return [layer for layer in self._viewer.layers if TABLE_KEY in layer.metadata and hasattr(layer, "shape_type")]

    def _columns(self, _widget: Any) -> list[str]:
        layer = self._watched
        return ["weight"] if layer is None else [name for name in layer.features if name not in ("plane", "kernel")]

    def _layer(self) -> Any:
        layer = self.layer.value
        return layer if layer is not None and layer in self._viewer.layers else None

    def _watch(self, *_: Any) -> None:
        """Connect to the events of the chosen layer, and disconnect from the previous one."""
        layer = self._layer()
        if layer is self._watched or (layer is not None and layer == self._watched):
            self._show_state()
            return
        self._unwatch()
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self._on_data)
            layer.events.face_color.connect(self._on_colour)
            layer.mouse_drag_callbacks.append(self._on_drag)
            layer.bind_key("Control-Z", lambda _: self.step_back(), overwrite=True)
            layer.bind_key("Control-Shift-Z", lambda _: self.step_forward(), overwrite=True)
            self.feature.reset_choices()
            self._show_range()
        self._show_state()

    def _unwatch(self) -> None:
        layer, self._watched = self._watched, None
        if layer is None:
            return
        layer.events.data.disconnect(self._on_data)
        layer.events.face_color.disconnect(self._on_colour)
        if self._on_drag in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._on_drag)
        self._image = None

    # ------------------------------------------------------------------ edits in the layer

    def _on_data(self, event: Any) -> None:
        action = str(getattr(event, "action", "")).rsplit(".", 1)[-1].lower()
        if self._own or action not in ("added", "changed", "removed"):
            return
        self.take_over()

    def take_over(self) -> None:
        """Transfer the edits of the shapes to the kernels."""
        layer, table = self._layer(), self.table()
        if layer is None or table is None:
            return
        data, kinds = layer.data, layer.shape_type
        changes = find_changes(table, data, layer.features, kinds)
        if not changes:
            return
        try:
            touched = apply_changes(table, changes, data, kinds, np.asarray(layer.face_color))
        except ValueError as error:
            show_error(str(error))
            self._redraw_layer()
            return
        if changes.added:
            self._redraw_layer()
        else:
            self._refresh_features(layer, table)
        self._show_state()
        self._render(touched)

    def _on_colour(self, _event: Any = None) -> None:
        layer, table = self._layer(), self.table()
        if self._own or layer is None or table is None or len(layer.features) != len(layer.face_color):
            return
        found = recoloured(table, layer.features, np.asarray(layer.face_color))
        for plane, colours in found.items():
            for rows, colour in colours:
                table.recolour(plane, rows, table.expert_of_colour(plane, colour))
        if found:
            self._refresh_features(layer, table)
            self._show_state()
            self._render(sorted(found))

    def _on_drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Update the image while shapes are dragged; the kernels change at the end of the drag."""
        yield
        table = self.table()
        while event.type == "mouse_move":
            if table is not None and self.follow.value and not self._latest.busy and layer.selected_data:
                changes = find_changes(table, layer.data, layer.features, layer.shape_type)
                for plane, placed in changes.placed.items():
                    self._latest.ask(partial(_drawn, table, plane, placed))
            yield

    def _refresh_features(self, layer: Any, table: EditableKernels) -> None:
        """Update the feature table of the layer, in the order of its shapes."""
        order = list(zip(layer.features["plane"].astype(int), layer.features["kernel"].astype(int), strict=True))
        fresh = features(table, table.drawn)
        place = {key: k for k, key in enumerate(zip(fresh["plane"].tolist(), fresh["kernel"].tolist(), strict=True))}
        rows = np.array([place[key] for key in order], int)
        self._own = True
        try:
            layer.features = {name: column[rows] for name, column in fresh.items()}
        finally:
            self._own = False

    # ------------------------------------------------------------------ buttons

    def draw_again(self) -> None:
        """Draw the kernels that are chosen in the fields."""
        layer, table = self._layer(), self.table()
        if layer is None or table is None:
            return
        most = int(self.most.value)
        chosen = heaviest(table, most)
        if self.draw.value == SELECTED:
            picked = sorted(layer.selected_data)[: min(most, MOST_FEWER)]
            if not picked:
                show_info("No kernel is selected.")
                return
            planes, rows = (np.asarray(layer.features[name], int)[picked] for name in ("plane", "kernel"))
            chosen = [np.sort(rows[planes == plane]) for plane in range(len(table))]
        elif self.draw.value != HEAVIEST:
            plane = self._plane_in_view(layer, table)
            if self.draw.value == VIEW:
                rows = in_box(table, plane, self._view_box(layer))
            else:
                every = [table.rows(p) if p == plane else np.zeros(0, int) for p in range(len(table))]
                columns = features(table, every)
                rows = columns["kernel"][self._passes(columns[str(self.feature.value)])]
            if not len(rows):
                show_info("No kernel passes the filter; the layer is not changed.")
                return
            mass = table.kernels(plane)
            order = np.argsort(-(mass.weight[rows] * mass.axes[rows].prod(1)), kind="stable")
            chosen = [np.zeros(0, int)] * len(table)
            chosen[plane] = np.sort(rows[order[:most]])
        self._redraw_layer(chosen)
        self._show_state()

    def select_matching(self) -> None:
        """Select the drawn kernels that pass the filter."""
        layer = self._layer()
        if layer is not None:
            column = np.asarray(layer.features[str(self.feature.value)], float)
            layer.selected_data = set(np.flatnonzero(self._passes(column)).tolist())
            layer.mode = "select"
            self._show_state()

    def recolour_selected(self) -> None:
        """Change the expert of the selected kernels to that of the field."""
        layer, table = self._layer(), self.table()
        if layer is None or table is None:
            return
        try:
            expert = [float(part) for part in str(self.expert.value).replace(";", ",").split(",")]
        except ValueError:
            expert = []
        if len(expert) != table.channels or not np.isfinite(expert).all():
            show_error(f"Expert: give {table.channels} number{'s, with commas' if table.channels > 1 else ''}.")
            return
        chosen = sorted(layer.selected_data)
        planes = np.asarray(layer.features["plane"], int)[chosen]
        rows = np.asarray(layer.features["kernel"], int)[chosen]
        for plane in np.unique(planes).tolist():
            table.recolour(plane, rows[planes == plane], expert)
        self._redraw_layer(keep=chosen)
        self._show_state()
        self._render(np.unique(planes).tolist())

    def step_back(self) -> None:
        """Undo the last edit."""
        self._travel(EditableKernels.undo)

    def step_forward(self) -> None:
        """Redo the last edit that was undone."""
        self._travel(EditableKernels.redo)

    def _travel(self, move: Any) -> None:
        table = self.table()
        if table is not None and move(table):
            self._redraw_layer()
            self._show_state()
            self._render(list(range(len(table))))

    def save_to(self, path: str | Path) -> None:
        """Write the model of the chosen layer, one file for each plane."""
        table = self.table()
        if table is None:
            return
        try:
            written = write_table(path, table, self._layer().metadata.get(METADATA_KEY, {}))
        except (OSError, ValueError) as error:
            show_error(f"The model was not saved: {error}")
            return
        show_info(f"Saved {', '.join(written)}.")

    def _choose_file(self) -> None:
        if self.table() is not None:
            path, _ = QFileDialog.getSaveFileName(self.native, "Save model", "model.rsmoe", "Models (*.rsmoe)")
            if path:
                self.save_to(path)

    # ------------------------------------------------------------------ the image

    def _render(self, planes: list[int]) -> None:
        table = self.table()
        if table is not None and self.follow.value and planes:
            self._latest.ask(lambda: [_drawn(table, plane)[0] for plane in planes])

    def _show_image(self, outcome: Outcome) -> None:
        layer, table = self._layer(), self.table()
        if layer is None or table is None:
            return
        if outcome.error is not None:
            show_error(str(outcome.error))
            return
        axes = layer.metadata[METADATA_KEY]["source"]["axes"]
        if self._image is None or self._image not in self._viewer.layers:
            self._image = self._find_image(layer) or self._new_image(layer, table, axes, outcome.result[0][1])
        data = self._image.data
        for plane, drawn in outcome.result:
            store_plane(data, axes, table.planes[plane], drawn)
        self._image.refresh()

    def _find_image(self, layer: Any) -> Any:
        """The image layer that was rendered from the kernels, if any."""
        run = layer.metadata.get(METADATA_KEY, {}).get("run")
        for other in self._viewer.layers:
            record = other.metadata.get(METADATA_KEY, {})
            if run and record.get("run") == run and record.get("role") == "image" and other.data.flags.writeable:
                return other
        return None

    def _new_image(self, layer: Any, table: EditableKernels, axes: str, drawn: np.ndarray) -> Any:
        """A new image layer for kernels without one."""
        sizes = dict(zip("YXCS" if "S" not in axes else "YXS", (*drawn.shape[:2], *drawn.shape[2:] * 2), strict=False))
        lengths = np.max(np.array(table.planes, int).reshape(len(table), -1), axis=0) + 1
        shape = [sizes[letter] if letter in sizes else int(lengths[k]) for k, letter in enumerate(axes)]
        return self._viewer.add_image(
            np.zeros(shape, drawn.dtype), rgb="S" in axes, name=f"{layer.name} drawn", scale=layer.scale,
            translate=layer.translate, rotate=layer.rotate, shear=layer.shear, affine=layer.affine,
            units=layer.units, axis_labels=layer.axis_labels, contrast_limits=value_range(drawn),
        )  # fmt: skip

    # ------------------------------------------------------------------ small things

    def _redraw_layer(self, chosen: list[np.ndarray] | None = None, keep: list[int] | None = None) -> None:
        layer, table = self._layer(), self.table()
        if layer is None or table is None:
            return
        self._own = True
        try:
            redraw(layer, table, chosen)
            layer.selected_data = set(keep or [])
        finally:
            self._own = False

    def _passes(self, column: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            passes: np.ndarray = (column >= self.low.value) & (column <= self.high.value)
        return passes

    def _plane_in_view(self, layer: Any, table: EditableKernels) -> int:
        point = np.asarray(self._viewer.dims.point, float)[-layer.ndim :]
        lead = np.rint(np.asarray(layer.world_to_data(point), float)[:-2])
        return int(np.argmin([np.abs(np.array(each) - lead).sum() for each in table.planes])) if lead.size else 0

    def _view_box(self, layer: Any) -> tuple[float, float, float, float]:
        (y0, x0), (y1, x1) = np.asarray(layer.corner_pixels, float)[:, -2:]
        return float(y0), float(x0), float(y1), float(x1)

    def _show_range(self) -> None:
        layer = self._layer()
        if layer is None or self.feature.value not in layer.features:
            return
        column = np.asarray(layer.features[self.feature.value], float)
        column = column[np.isfinite(column)]
        if column.size:
            self.low.value = float(np.floor(column.min() * 100) / 100)
            self.high.value = float(np.ceil(column.max() * 100) / 100)

    def _show_state(self) -> None:
        layer, table = self._layer(), self.table()
        self.undo.enabled = table is not None and table.can_undo
        self.redo.enabled = table is not None and table.can_redo
        if layer is None or table is None:
            self.info.value = "Fit an image or open a .rsmoe file first."
            return
        total = sum(table.count(plane) for plane in range(len(table)))
        self.info.value = f"{sum(map(len, table.drawn))} of {total} kernels drawn, {len(layer.selected_data)} selected"

    def _on_destroyed(self) -> None:
        self._latest.close()


def _drawn(
    table: EditableKernels, plane: int, trial: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
) -> list[tuple[int, np.ndarray]]:
    return [(plane, table.model(plane, trial).render(device=preferences().device))]
