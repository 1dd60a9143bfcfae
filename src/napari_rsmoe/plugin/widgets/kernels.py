"""The Kernels widget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, Label, LineEdit, PushButton, SpinBox
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QSizePolicy

from ..editing import EditableKernels
from ..files import write_table
from ..layers.choosing import at_positions, heaviest, in_box, only, passing
from ..layers.explaining import MOST_NAMED, explained
from ..layers.following import apply_changes, find_changes, recoloured, redraw
from ..layers.kernels import MOST_ELLIPSES, MOST_POLYGONS, TABLE_KEY, features, separate_tables
from ..names import METADATA_KEY
from ..preferences import preferences
from .docked import ROOM, DockedWidget
from .following_image import FollowingImage
from .form import column_of, row_of
from .layer_choice import LayerChoice
from .units import short_unit
from .watching import LayerWatch

HEAVIEST, VIEW, FILTER, SELECTED = "the heaviest", "those in view", "those that pass the filter", "those selected"
NO_PLACE = "Move the mouse over the image to see which kernels make a pixel."
MOUSE_RESTS = 30  # Milliseconds between a move of the mouse and the explanation of the pixel below it.
MOST_FEWER = 500  # Largest number of kernels in a layer that is quick to edit.


class KernelsWidget(DockedWidget):
    """Select, filter, move, rotate, resize, recolour and delete the kernels of a model, with a live image.

    Kernels are moved, rotated, resized, deleted and recoloured with napari's own tools in the shapes layer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self._own = False
        self._image = FollowingImage(napari_viewer)
        keys = {"Control-Z": self.step_back, "Control-Shift-Z": self.step_forward}
        self._watch = LayerWatch(self._on_data, self._on_colour, self._on_drag, keys)
        separate_tables(self._kernel_layers())
        self.layer = LayerChoice(
            napari_viewer, "Shapes", label="Layer", tooltip="A kernels layer from a fit or a file.",
            nothing="no kernels layer", accepts=lambda layer: TABLE_KEY in layer.metadata, ours=True,
        )  # fmt: skip
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
        self.pointed = Label(
            value=NO_PLACE,
            tooltip="Each pixel of the model is a mean of what the kernels around it say. The percentages are the "
            "gates: how much each of them counts there. Sizes are standard deviations along the axes of the kernel.",
        )  # fmt: skip
        super().__init__(
            napari_viewer,
            [
                column_of(self.layer), row_of(self.info), column_of(self.draw, self.most), row_of(self.redraw),
                column_of(self.feature, self.low, self.high), row_of(self.select, self.delete),
                column_of(self.expert), row_of(self.recolour), row_of(self.undo, self.redo),
                row_of(self.follow, self.save), row_of(self.pointed),
            ],
        )  # fmt: skip
        self._keep_room()
        self.layer.changed.connect(self._follow_layer)
        self.redraw.changed.connect(self.draw_again)
        self.feature.changed.connect(self._show_range)
        self.select.changed.connect(self.select_matching)
        self.delete.changed.connect(lambda: self._layer() is not None and self._layer().remove_selected())
        self.recolour.changed.connect(self.recolour_selected)
        self.undo.changed.connect(lambda: self.step_back())
        self.redo.changed.connect(lambda: self.step_forward())
        self.save.changed.connect(self._choose_file)
        self.native.destroyed.connect(self._image.close)
        self._mouse_rests = QTimer(self.native)
        self._mouse_rests.setSingleShot(True)
        self._mouse_rests.setInterval(MOUSE_RESTS)
        self._mouse_rests.timeout.connect(self.explain)
        self._closed = False
        self.on_open()

    def _keep_room(self) -> None:
        """Room for all lines below the mouse, so that the fields do not jump while the mouse moves."""
        label = self.pointed.native
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignTop)
        label.setProperty(ROOM, (MOST_NAMED + 4) * label.fontMetrics().height())
        label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def on_open(self) -> None:
        """Follow the mouse and the chosen layer."""
        self._closed = False
        self._viewer.mouse_move_callbacks.append(self._on_mouse)
        self._follow_layer()

    def on_close(self) -> None:
        """Follow neither the mouse nor a layer: another widget may take over the edits of its kernels."""
        self._closed = True
        if self._on_mouse in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_mouse)
        self._follow_layer()

    # ------------------------------------------------------------------ the layer

    def reset_choices(self, *_: Any) -> None:
        """Update the list of layers; napari calls this when layers are added or removed."""
        separate_tables(self._kernel_layers(), self._watch.layer)
        super().reset_choices()
        self._follow_layer()

    def table(self) -> EditableKernels | None:
        """The kernels of the chosen layer."""
        layer = self._layer()
        return None if layer is None else layer.metadata[TABLE_KEY]

    def _kernel_layers(self) -> list[Any]:
        return [layer for layer in self._viewer.layers if TABLE_KEY in layer.metadata]

    def _columns(self, _widget: Any) -> list[str]:
        layer = self._watch.layer
        return ["weight"] if layer is None else [name for name in layer.features if name not in ("plane", "kernel")]

    def _layer(self) -> Any:
        layer = None if self._closed else self.layer.value
        return layer if layer is not None and layer in self._viewer.layers else None

    def _follow_layer(self, *_: Any) -> None:
        """Connect to the events of the chosen layer, and disconnect from the previous one."""
        layer = self._layer()
        if self._watch.watch(layer):
            self._image.follow(layer)
            if layer is not None:
                self.feature.reset_choices()
                self._show_range()
        self._show_state()

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
            if table is not None and self.follow.value and not self._image.busy and layer.selected_data:
                changes = find_changes(table, layer.data, layer.features, layer.shape_type)
                for plane, placed in changes.placed.items():
                    self._image.draw_trial(table, plane, placed)
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
        chosen = self._chosen(layer, table, int(self.most.value))
        if any(map(len, chosen)):
            self._redraw_layer(chosen)
            self._show_state()
        elif self.draw.value == SELECTED:
            show_info("No kernel is selected.")
        else:
            show_info("No kernel passes the filter; the layer is not changed.")

    def _chosen(self, layer: Any, table: EditableKernels, most: int) -> list[np.ndarray]:
        """Rows to draw in each plane, by the choice above the button."""
        if self.draw.value == HEAVIEST:
            return heaviest(table, most)
        if self.draw.value == SELECTED:
            return at_positions(layer.features, sorted(layer.selected_data)[: min(most, MOST_FEWER)], len(table))
        plane = self._plane_in_view(layer, table)
        if self.draw.value == VIEW:
            return only(table, plane, in_box(table, plane, self._view_box(layer)), most)
        columns = features(table, only(table, plane, table.rows(plane)))
        passes = passing(columns[str(self.feature.value)], self.low.value, self.high.value)
        return only(table, plane, columns["kernel"][passes], most)

    def select_matching(self) -> None:
        """Select the drawn kernels that pass the filter."""
        layer = self._layer()
        if layer is not None:
            column = np.asarray(layer.features[str(self.feature.value)], float)
            layer.selected_data = set(np.flatnonzero(passing(column, self.low.value, self.high.value)).tolist())
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

    # ------------------------------------------------------------------ what is shown

    def _on_mouse(self, _viewer: Any, _event: Any) -> None:
        if not self._mouse_rests.isActive():
            self._mouse_rests.start()

    def explain(self) -> None:
        """Say which kernels make the pixel under the mouse."""
        layer, table = self._layer(), self.table()
        if layer is None or table is None:
            self.pointed.value = NO_PLACE
            return
        y, x = np.asarray(layer.world_to_data(self._viewer.cursor.position[-layer.ndim :]), float)[-2:]
        plane = self._plane_in_view(layer, table)
        height, width = table.size(plane)
        if not (-0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5):
            self.pointed.value = NO_PLACE
            return
        square = float(layer.scale[-1]) if np.isclose(layer.scale[-1], layer.scale[-2]) else 1.0
        unit = short_unit(layer.units[-1]) if square != 1.0 else "px"
        self.pointed.value = explained(table, plane, float(y), float(x), (square, unit))

    def _render(self, planes: list[int]) -> None:
        table = self.table()
        if table is not None and self.follow.value:
            self._image.draw(table, planes)

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
