"""A curtain on the canvas: one image to the left of an edge, another to the right, moved by mouse or slider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Image, Shapes

from ..names import METADATA_KEY
from ..source import from_layer
from .adding import in_grid
from .halves import Halves, halves_of
from .owned import is_ours
from .sparing import Spared, insert_aside
from .types import type_name

GRASP = 10.0
"""Distance from the edge, in pixels of the screen, within which the mouse takes hold of it."""
EDGE_WIDTH = 2.0
"""Width of the line at the edge, in pixels of the screen."""
EDGE_COLOUR = "#ffd23f"
SIDES, LEVELS = "left | right", "top | bottom"


class Curtain:
    """Shows two image layers in the place of one.

    Neither image is changed. Both are hidden while the curtain is shown, and shown as before afterwards. The curtain
    has the look of the first image, and its contrast.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    moved : callable
        Called with the position of the edge, from 0 to 1, when the mouse has moved it, and with None when the curtain
        has stepped aside: because one of the images was deleted or shown, or a job has added a layer.
    """

    def __init__(self, viewer: Any, moved: Callable[[float | None], None]) -> None:
        self._viewer, self._moved = viewer, moved
        self._halves: Halves | None = None
        self._layers: list[Any] = []  # The image of both halves, and the line at the edge.
        self._pair: tuple[Any, Any] | None = None
        self._seen: list[Any] = []
        self._spared = Spared(viewer)
        viewer.mouse_drag_callbacks.append(self._on_drag)

    @property
    def shown(self) -> bool:
        """Whether the curtain is on the canvas."""
        return bool(self._layers)

    @property
    def image(self) -> Any:
        """The layer with both halves, or None."""
        return self._layers[0] if self._layers else None

    def show(self, before: Any, after: Any, share: float, direction: str) -> None:
        """Show `before` on the left or at the top, up to a share of the image, and `after` behind it.

        Raises
        ------
        ImageError
            If the layers cannot be laid over each other.
        """
        halves = halves_of(before, after, -1 if direction == SIDES else -2)
        self.hide()
        self._halves, self._pair = halves, (before, after)
        place = from_layer(after).place.options()
        layers = self._viewer.layers
        self._seen = [layer for layer in (before, after) if layer.visible]
        look = from_layer(before).look
        top = max(layers.index(before), layers.index(after)) + 1
        self._spared.begin()
        image = Image(
            halves, name=f"{before.name} | {after.name}", rgb=before.rgb, **place, **look,
            metadata={METADATA_KEY: {"role": "curtain"}},
        )  # fmt: skip
        line = Shapes(
            None, ndim=2, name="edge of the curtain", units=after.units[-2:], edge_color=EDGE_COLOUR,
            metadata={METADATA_KEY: {"role": "curtain"}},
        )  # fmt: skip
        self._layers = [insert_aside(self._viewer, top, image), insert_aside(self._viewer, len(layers), line)]
        for layer in self._seen:
            layer.visible = False
        self.move(share)
        layers.events.removed.connect(self._on_removed)
        layers.events.inserted.connect(self._on_inserted)
        camera_of(self._viewer).events.zoom.connect(self._on_zoom)
        for layer in self._pair:
            layer.events.data.connect(self.refresh)
            layer.events.visible.connect(self._on_visible)

    def hide(self) -> None:
        """Take the curtain away, and show both images as before."""
        layers, self._layers = self._layers, []
        pair, self._pair = self._pair, None
        if pair is None:
            return
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)
        for layer in pair:
            layer.events.data.disconnect(self.refresh)
            layer.events.visible.disconnect(self._on_visible)
        for layer in self._seen:
            layer.visible = True
        with suppress(RuntimeError):  # The window is being closed.
            for layer in layers:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
        self._spared.end()
        self._halves, self._seen = None, []

    def close(self) -> None:
        """Take the curtain away for good."""
        self.hide()
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)

    def move(self, share: float) -> None:
        """Move the edge to a share of the image, from 0 (all of the second image) to 1 (all of the first)."""
        halves = self._halves
        if halves is None or not self._layers:
            return
        halves.edge = round(float(np.clip(share, 0, 1)) * halves.shape[halves.axis])
        self.refresh()
        self._draw_edge()

    def refresh(self, *_: Any) -> None:
        """Show both images as they are now."""
        if self._layers and self._halves is not None:
            self._layers[0].refresh(thumbnail=False, extent=False)

    # ------------------------------------------------------------------ the edge

    def _ends(self) -> np.ndarray:
        """The ends (2, 2) of the edge, in (y, x) of the world."""
        halves, image = self._halves, self.image
        assert halves is not None
        corner = np.zeros((2, image.ndim))
        corner[:, halves.axis] = halves.edge - 0.5
        along = image.ndim - 1 if halves.axis == image.ndim - 2 else image.ndim - 2
        corner[:, along] = -0.5, halves.shape[along] - 0.5
        ends: np.ndarray = np.array([image.data_to_world(each) for each in corner], float)[:, -2:]
        return ends

    def _draw_edge(self) -> None:
        line, width = self._layers[1], EDGE_WIDTH / camera_of(self._viewer).zoom
        selected = line.selected_data
        line.data = []
        line.add_lines([self._ends()], edge_width=width, edge_color=EDGE_COLOUR)
        line.selected_data = selected & {0} if selected else set()

    def _on_zoom(self, _event: Any = None) -> None:
        if self._layers:
            self._layers[1].edge_width = [EDGE_WIDTH / camera_of(self._viewer).zoom]

    def _on_removed(self, event: Any) -> None:
        """The user has deleted a part of the curtain, or one of the images."""
        gone = event.value
        if gone in self._layers or (self._pair is not None and gone in self._pair):
            self._layers = [layer for layer in self._layers if layer != gone]
            self._seen = [layer for layer in self._seen if layer != gone]
            self._step_aside()

    def _on_inserted(self, event: Any) -> None:
        """A job shows its preview or its result, which would be summed with the curtain or covered by it."""
        if is_ours(event.value) and type_name(event.value) == "Image":
            self._step_aside()

    def _on_visible(self, event: Any) -> None:
        """The user, or a job that has finished, shows one of the two images."""
        if event.source.visible:
            self._step_aside()

    def _step_aside(self) -> None:
        self.hide()
        self._moved(None)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Move the edge with the mouse, if the mouse was pressed on it."""
        if not self._layers or not self._near(event):
            return
        camera, halves = camera_of(self._viewer), self._halves
        before, camera.mouse_pan = camera.mouse_pan, False
        yield
        try:
            while event.type == "mouse_move" and halves is not None and self._layers:
                where = self.image.world_to_data(event.position)[halves.axis] + 0.5
                share = float(np.clip(where / halves.shape[halves.axis], 0, 1))
                self.move(share)
                self._moved(share)
                yield
        finally:
            camera.mouse_pan = before

    def _near(self, event: Any) -> bool:
        """Whether the mouse is on the edge, and no tool of a layer is meant."""
        active = self._viewer.layers.selection.active
        if active is not None and str(getattr(active, "mode", "pan_zoom")) != "pan_zoom":
            return False
        a, b = self._ends()
        point, along = np.asarray(event.position, float)[-2:], (b - a) / np.linalg.norm(b - a)
        offset = point - a
        distance = abs(offset[0] * along[1] - offset[1] * along[0]) * camera_of(self._viewer).zoom
        return bool(distance <= GRASP and not in_grid(self._viewer))


def camera_of(viewer: Any) -> Any:
    """The camera of a viewer; before napari 0.9 it belonged to the viewer itself."""
    scene: Any = getattr(viewer, "scene", None)
    return scene.camera if hasattr(scene, "camera") else viewer.camera
