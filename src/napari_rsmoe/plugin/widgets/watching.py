"""Listen to the edits of one kernels layer at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class LayerWatch:
    """What is called when the user edits a kernels layer.

    Attributes
    ----------
    on_data, on_colour : callable
        Get napari's event when shapes or their face colours have changed.
    on_drag : callable
        A mouse drag callback of napari.
    keys : mapping
        Name of a key and what it calls, without arguments.
    layer : napari.layers.Shapes or None
        The layer that is listened to.
    """

    on_data: Callable[[Any], None]
    on_colour: Callable[[Any], None]
    on_drag: Callable[[Any, Any], Any]
    keys: Mapping[str, Callable[[], None]]
    layer: Any = None

    def watch(self, layer: Any) -> bool:
        """Listen to this layer, or for None to none, and no longer to the one before; False if it is the same."""
        if layer is self.layer or (layer is not None and layer == self.layer):
            return False
        self.release()
        self.layer = layer
        if layer is not None:
            layer.events.data.connect(self.on_data)
            layer.events.face_color.connect(self.on_colour)
            layer.mouse_drag_callbacks.append(self.on_drag)
            for key, call in self.keys.items():
                layer.bind_key(key, lambda _, call=call: call(), overwrite=True)
        return True

    def release(self) -> None:
        """Listen no longer."""
        layer, self.layer = self.layer, None
        if layer is None:
            return
        layer.events.data.disconnect(self.on_data)
        layer.events.face_color.disconnect(self.on_colour)
        if self.on_drag in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self.on_drag)
