"""The button that does the job of a widget on all selected layers, one after the other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton

from ..layers.owned import is_ours, layer_by_id
from ..layers.types import type_name
from ..source import Source

if TYPE_CHECKING:
    from .job_widget import JobWidget


class SelectedLayers:
    """A queue of the selected image layers.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    widget : JobWidget
        The widget whose settings are taken, as they are when the button is pressed.
    """

    def __init__(self, viewer: Any, widget: JobWidget) -> None:
        self._viewer, self._widget = viewer, widget
        self._waiting: deque[tuple[Source, dict[str, Any]]] = deque()
        self._chosen: list[Any] = []
        self.button = PushButton(
            text="Run on all selected layers",
            tooltip="The same for every image that is selected in the list of layers, one after the other.",
        )  # fmt: skip
        self.button.changed.connect(self.start)

    def start(self) -> None:
        """Process the selected images, but for results of this plugin."""
        if not self._widget.ready:
            return
        chosen = [
            layer
            for layer in self._viewer.layers
            if layer in self._viewer.layers.selection and type_name(layer) == "Image" and not is_ours(layer)
        ]
        if not chosen:
            self._widget.refuse(
                "Only results of this plugin are selected. Select the images in the list of layers first."
                if any(is_ours(layer) for layer in self._viewer.layers.selection)
                else "Select one or more images in the list of layers first (Ctrl+click adds one)."
            )
            return
        try:
            self._waiting = deque(self._widget.asked(layer) for layer in chosen)
        except (ValueError, RuntimeError) as error:
            self._waiting.clear()
            self._widget.refuse(str(error))
            return
        self._chosen = chosen
        self.go_on()

    def go_on(self) -> None:
        """Start the job on the next layer that is still there."""
        while self._waiting:
            source, given = self._waiting.popleft()
            if layer_by_id(self._viewer, source.layer_id) is not None:
                self._widget.start_on(source, given)
                return
        still, self._chosen = [layer for layer in self._chosen if layer in self._viewer.layers], []
        if still:  # Each result was the selected layer for a while.
            self._viewer.layers.selection.clear()
            self._viewer.layers.selection.update(still)

    def clear(self) -> None:
        """Leave out the layers that wait."""
        self._waiting.clear()

    @property
    def several(self) -> bool:
        """Whether the job that is started now is one of several."""
        return len(self._chosen) > 1

    @property
    def words(self) -> str:
        """How many layers wait."""
        count = len(self._waiting)
        return f", {count} more {'layer' if count == 1 else 'layers'} to go" if count else ""
