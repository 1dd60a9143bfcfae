"""The Compare widget: a curtain between two images, and a profile line with error bars."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, FloatSlider, Label, PushButton
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QSizePolicy

from ...errors import ImageError
from ...ui.jobs import Latest, Outcome
from ..layers.curtain import LEVELS, SIDES, Curtain, camera_of
from ..layers.owned import is_ours, source_of
from ..layers.profiles import Cut, Profile, cut, std_of, write_profiles
from ..names import METADATA_KEY
from ..workers.thread import Task
from .docked import DockedWidget
from .form import column_of, row_of
from .layer_choice import LayerChoice
from .plot import Plot, Series
from .units import short_unit

LINE_NAME = "profile line"
LINE_WIDTH = 3.0
"""Width of a new profile line in pixels of the screen."""
LINE_COLOUR = "#ff5a5f"


class ResultChoice(LayerChoice):
    """A result of this plugin: the active one, or the newest that was made from the active layer."""

    def _best(self, offered: list[Any]) -> Any:
        active = self._viewer.layers.selection.active
        results = [layer for layer in offered if is_result(layer)]
        made = [layer for layer in results if active is not None and source_of(self._viewer, layer) == active]
        if active in results:
            return active
        if made:
            return made[-1]
        return self._chosen if self._chosen in offered else next(reversed(results), None)


def is_result(layer: Any) -> bool:
    """Whether a layer shows the image that a job has made."""
    return is_ours(layer) and layer.metadata[METADATA_KEY].get("role") in ("image", "bicubic")


class CompareWidget(DockedWidget):
    """Compare an image with a result: by a curtain on the canvas, and along a line."""

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self.before = LayerChoice(
            napari_viewer, "Image", label="Before",
            tooltip="The image on the left of the curtain: the active layer, or what the active result was made from.",
        )  # fmt: skip
        self.after = ResultChoice(
            napari_viewer, "Image", label="After", ours=True,
            tooltip="The image on the right of the curtain: the newest result, or any other image.",
        )  # fmt: skip
        self.curtain = CheckBox(value=False, text="Curtain", tooltip="Show both images in one place on the canvas.")
        self.direction = ComboBox(choices=[SIDES, LEVELS], label="Divide", tooltip="How the curtain divides the image.")
        self.position = FloatSlider(
            value=50, min=0, max=100, step=0.5, label="Position (%)",
            tooltip="Where the edge is. The edge can also be dragged on the canvas.",
        )  # fmt: skip
        self.same_contrast = CheckBox(
            value=True, text="Same contrast", tooltip="When you change the contrast of one image, the other follows."
        )
        self.sides = Label(value=" ")
        self.draw_line = PushButton(text="Draw a profile line", tooltip="Add a line across the view; drag its ends.")
        self.save = PushButton(text="Save profile…", tooltip="Write the values along the line as a table (CSV).")
        self.plot = Plot("distance", "value", "Draw a profile line to see the values along it, with their error bars.")
        super().__init__(
            napari_viewer,
            [
                column_of(self.before, self.after), row_of(self.curtain, self.same_contrast),
                column_of(self.direction, self.position), row_of(self.sides), row_of(self.draw_line, self.save),
            ],
        )  # fmt: skip
        self.append_native(self.plot)
        self.sides.native.setWordWrap(True)
        self.sides.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.profiles: list[Profile] = []
        self._line: Any = None
        self._pair: tuple[Any, Any] = (None, None)
        self._own = False
        self._curtain = Curtain(napari_viewer, self._on_moved)
        self._reading = Latest(self._show_profiles, Task)
        self._listen()
        self._follow_layers()

    def _listen(self) -> None:
        self.before.changed.connect(self._follow_layers)
        self.after.changed.connect(self._follow_layers)
        self.curtain.changed.connect(self._show_curtain)
        self.direction.changed.connect(self._show_curtain)
        self.position.changed.connect(lambda value: None if self._own else self._curtain.move(value / 100))
        self.draw_line.changed.connect(self.add_line)
        self.save.changed.connect(self._choose_file)
        self._viewer.dims.events.point.connect(self._read_profiles)
        self._viewer.layers.events.removed.connect(self._read_profiles)
        self.native.destroyed.connect(self.on_close)

    def on_close(self) -> None:
        """Take the curtain away; a profile line stays, as the user has placed it."""
        self._curtain.close()
        self._reading.close()
        self._viewer.dims.events.point.disconnect(self._read_profiles)
        self._viewer.layers.events.removed.disconnect(self._read_profiles)
        self._watch(None, None)

    # ------------------------------------------------------------------ the two images

    def _follow_layers(self, *_: Any) -> None:
        before, after = self.before.value, self.after.value
        if (before, after) == self._pair:
            return
        self._watch(before, after)
        if self.curtain.value and (before is None or after is None or before == after):
            self._untick()  # A layer was deleted, or the other one of the two is about to be chosen.
            self.sides.value = "The curtain needs two different images."
        else:
            self._show_curtain()
        self._read_profiles()

    def _watch(self, before: Any, after: Any) -> None:
        """Listen to these two layers, and no longer to those before."""
        for layer in filter(None, self._pair):
            layer.events.contrast_limits.disconnect(self._on_contrast)
            layer.events.data.disconnect(self._read_profiles)
        self._pair = (before, after)
        for layer in filter(None, self._pair):
            layer.events.contrast_limits.connect(self._on_contrast)
            layer.events.data.connect(self._read_profiles)

    def _on_contrast(self, event: Any) -> None:
        """Give the other image, and the curtain, the contrast that the user has chosen."""
        if self._own or not self.same_contrast.value:
            return
        limits = event.source.contrast_limits
        self._own = True
        try:
            for layer in (*self._pair, self._curtain.image):
                if layer is not None and layer != event.source and not layer.rgb:
                    layer.contrast_limits = limits
        finally:
            self._own = False

    # ------------------------------------------------------------------ the curtain

    def _show_curtain(self, *_: Any) -> None:
        before, after = self.before.value, self.after.value
        self.sides.value = " "
        if not self.curtain.value or self._own:
            self._curtain.hide()
            return
        try:
            if before is None or after is None or before == after:
                raise ImageError("Choose two different images to compare; a result appears here when a job is done.")
            self._curtain.show(before, after, self.position.value / 100, self.direction.value)
        except ImageError as error:
            self._untick()
            show_error(str(error))
            return
        self._curtain.image.events.contrast_limits.connect(self._on_contrast)
        first, second = ("Left", "right") if self.direction.value == SIDES else ("Above", "below")
        self.sides.value = f"{first}: {before.name}; {second}: {after.name}. Drag the yellow edge on the canvas."

    def _on_moved(self, share: float | None) -> None:
        """The mouse has moved the edge, or the curtain has stepped aside."""
        if share is None:
            self._untick()
            return
        self._own = True
        try:
            self.position.value = 100 * share
        finally:
            self._own = False

    def _untick(self) -> None:
        self._own = True
        try:
            self.curtain.value = False
            self.sides.value = " "
        finally:
            self._own = False
        self._curtain.hide()

    # ------------------------------------------------------------------ the profile

    def add_line(self) -> None:
        """Add a line across the middle of the view, or take up the one that is there."""
        layer = self.after.value if self.after.value is not None else self.before.value
        if layer is None:
            show_error("Open an image first; the line is drawn across it.")
            return
        if self._line is None or self._line not in self._viewer.layers:
            found = [each for each in self._viewer.layers if each.metadata.get(METADATA_KEY, {}).get("role") == "line"]
            self._line = found[-1] if found else self._new_line(layer)
            self._line.events.data.connect(self._read_profiles)
            self._line.events.highlight.connect(self._read_profiles)
        self._viewer.layers.selection.active = self._line
        self._line.selected_data = {len(self._line.data) - 1}
        self._line.mode = "direct"
        self._read_profiles()

    def _new_line(self, layer: Any) -> Any:
        corners = np.asarray(layer.corner_pixels, float)[:, : layer.ndim]
        corners = corners * (layer.downsample_factors[layer.data_level][: layer.ndim] if layer.multiscale else 1)
        low, high = corners[0], corners[1]
        middle = (low + high) / 2
        ends = []
        for share in (0.25, 0.75):
            place = middle.copy()
            place[-1] = low[-1] + share * (high[-1] - low[-1])
            ends.append(np.asarray(layer.data_to_world(place), float)[-2:])
        line = self._viewer.add_shapes(
            None, ndim=2, name=LINE_NAME, units=layer.units[-2:], edge_color=LINE_COLOUR,
            metadata={METADATA_KEY: {"role": "line"}},
        )  # fmt: skip
        width = LINE_WIDTH / camera_of(self._viewer).zoom
        line.add_lines([np.array(ends)], edge_width=width, edge_color=LINE_COLOUR)
        return line

    def _ends(self) -> np.ndarray | None:
        """The ends (2, 2) of the selected line, else of the last one, in (y, x) of the world."""
        line = self._line
        if line is None or line not in self._viewer.layers or not len(line.data):
            return None
        chosen = sorted(line.selected_data)
        corners = np.asarray(line.data[chosen[0] if chosen else -1], float)
        ends = np.array([line.data_to_world(corners[0]), line.data_to_world(corners[-1])], float)[:, -2:]
        return ends if np.linalg.norm(ends[1] - ends[0]) > 0 else None

    def _read_profiles(self, *_: Any) -> None:
        """Read the values along the line on a thread; of lines that come meanwhile only the last is read."""
        ends, point = self._ends(), self._viewer.dims.point
        if ends is None:
            self.profiles = []
            self.plot.show_series([])
            return
        layers = [layer for layer in dict.fromkeys((self.before.value, self.after.value)) if layer is not None]
        layers = [layer for layer in layers if layer in self._viewer.layers]
        cuts = [cut(layer, ends, point, std_of(self._viewer, layer)) for layer in layers]
        self._reading.ask(partial(_read, [each for each in cuts if each is not None]))

    def _show_profiles(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            show_error(f"The profile could not be read: {outcome.error}")
            return
        self.profiles = outcome.result
        self.plot.x_label = f"distance ({self._unit()})"
        known = any(each.error is not None for each in self.profiles)
        self.plot.y_label = "value ± standard deviation" if known else "value"
        colours = {getattr(self.before.value, "name", None): 0}
        self.plot.show_series(
            [Series(p.name, p.distance, p.value, p.error, colour=colours.get(p.name, 1)) for p in self.profiles]
        )

    def _unit(self) -> str:
        layer = self.after.value if self.after.value is not None else self.before.value
        return short_unit(layer.units[-1]) if layer is not None else "px"

    def save_to(self, path: str | Path) -> None:
        """Write the profiles as a table."""
        try:
            write_profiles(path, self.profiles, self._unit())
        except OSError as error:
            show_error(f"The profile was not saved: {error}")
            return
        show_info(f"Saved {path}.")

    def _choose_file(self) -> None:
        if not self.profiles:
            show_error("Draw a profile line first.")
            return
        path, _ = QFileDialog.getSaveFileName(self.native, "Save profile", "profile.csv", "Tables (*.csv)")
        if path:
            self.save_to(path)


def _read(cuts: list[Cut]) -> list[Profile]:
    return [each.read() for each in cuts]
