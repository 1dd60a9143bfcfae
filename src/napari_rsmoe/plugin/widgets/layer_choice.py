"""The field that chooses the layer of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QComboBox

from ..layers.owned import is_ours, source_of
from ..layers.types import type_name

NAME_LENGTH = 14
"""Characters of the name of a layer for which there is always room."""


class LayerChoice(ComboBox):
    """A layer of one type: the active layer, until the user chooses another one.

    Layers that this plugin has made are never chosen by themselves. If such a layer is active, the layer that it was
    made from is chosen. `magicgui` has a field for layers of a type too; it begins with the first layer of the list,
    whether or not that is the active one, and loses its choice when the layer is renamed.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    kind : str
        Type of the layers, such as "Image".
    label, tooltip : str
        As of any field.
    nothing : str
        Shown if no layer is chosen.
    follows : bool
        Whether a layer is chosen automatically. Otherwise none is chosen until the user chooses one.
    accepts : callable, optional
        Whether a layer of this type is offered at all. By default all of them are.
    ours : bool
        Whether layers that this plugin has made may be chosen by themselves, as is right for kernels layers.
    """

    def __init__(
        self,
        viewer: Any,
        kind: str,
        *,
        label: str,
        tooltip: str,
        nothing: str = "choose a layer",
        follows: bool = True,
        accepts: Callable[[Any], bool] = lambda layer: True,
        ours: bool = False,
    ) -> None:
        self._viewer, self._kind, self._accepts, self._ours, self._follows = viewer, kind, accepts, ours, follows
        self.null_string = nothing
        self._own_change = self._by_user = False
        self._chosen: Any = None
        super().__init__(choices=self._offered, nullable=True, label=label, tooltip=tooltip)
        # A long name must not make the dock wide; the list itself shows it whole.
        self.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.native.setMinimumContentsLength(NAME_LENGTH)
        self.changed.connect(self._note)
        viewer.layers.selection.events.active.connect(self.follow)
        self.follow()

    def reset_choices(self, *_: Any) -> None:
        """Update the list of layers; napari calls this when layers are added, removed, moved or renamed."""
        chosen = self._chosen
        with self._own(), self.changed.blocked():  # Nobody must see what is chosen while the list is built again.
            super().reset_choices()
            if chosen is not None and chosen in self._offered():
                self.value = chosen  # A layer that was renamed is still the same.
        self.follow()
        if self.value != self._chosen:
            with self._own():
                self.changed.emit(self.value)

    def follow(self, *_: Any) -> None:
        """Choose the layer that suits the active one, unless the user has chosen a layer that is still there."""
        offered = self._offered()
        if self._by_user and self._chosen is not None and self._chosen in offered:
            return
        self._by_user = False
        with self._own():
            self.value = self._best(offered)

    def _best(self, offered: list[Any]) -> Any:
        if not self._follows:
            return self._chosen if self._chosen in offered else None
        active = self._viewer.layers.selection.active
        suitable = [layer for layer in offered if self._ours or not is_ours(layer)]
        if active is not None:
            for layer in (active, source_of(self._viewer, active)):
                if layer is not None and layer in suitable:
                    return layer
        if self._chosen is not None and self._chosen in suitable:
            return self._chosen
        visible = [layer for layer in suitable if layer.visible]
        return next(reversed(visible or suitable), None)

    def _offered(self, _widget: Any = None) -> list[Any]:
        return [each for each in self._viewer.layers if type_name(each) == self._kind and self._accepts(each)]

    @contextmanager
    def _own(self) -> Iterator[None]:
        """Changes within are not those of the user."""
        before, self._own_change = self._own_change, True
        try:
            yield
        finally:
            self._own_change = before

    def _note(self, value: Any) -> None:
        self._chosen = value
        if not self._own_change:
            self._by_user = value is not None
