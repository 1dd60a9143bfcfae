"""Panes side by side that show the same area and move together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import uuid4

import ipywidgets
import numpy as np
import traitlets

from ..display.pictures import Limits
from .pane import ImagePane
from .saved import Saved

TOGETHER = ("plane", "log", "colormap")
"""Traits that all panes share. The contrast limits are shared too, by panes of one kind of values."""


class LinkedPanes(Saved, ipywidgets.HBox):
    """Panes that pan, zoom, change the plane and mark the place under the pointer together.

    Parameters
    ----------
    panes : sequence of ImagePane
        They cover the same area, at any resolution.
    names : sequence of str
        A title for each.

    Attributes
    ----------
    panes : list of ImagePane
        The panes.
    """

    def __init__(self, panes: Sequence[ImagePane], names: Sequence[str]) -> None:
        self.panes = list(panes)
        self._names = list(names)
        group, saved = uuid4().hex, self.begin_saving()
        first = self.panes[0]
        for pane, name in zip(self.panes, names, strict=True):
            pane.group, pane.saved, pane.changed = group, saved, self.save_soon
            pane.caption = name
        alike = [pane for pane in self.panes if pane.kind == first.kind]
        for pane in self.panes[1:]:
            shared = [name for name in TOGETHER if name != "plane" or pane.n_planes == first.n_planes]
            for name in [*shared, *(["contrast", "auto_contrast"] if pane in alike else [])]:
                traitlets.link((first, name), (pane, name))
        for pane in alike:
            pane.choose_limits = partial(_common_limits, alike)
        first.choose_contrast()
        super().__init__(self.panes)
        self.add_class("rsmoe-linked")

    def __repr__(self) -> str:
        return f"<LinkedPanes of {', '.join(self._names)}>"

    def saved_pictures(self) -> Mapping[str, np.ndarray]:
        """The pictures of all panes."""
        found = {}
        for name, pane in zip(self._names, self.panes, strict=True):
            for title, rgb in pane.saved_pictures().items():
                found[name if title == "image" else f"{name}: {title}"] = rgb
        return found

    def saved_rows(self) -> Mapping[str, str]:
        """What the first pane says."""
        return self.panes[0].saved_rows()


def _common_limits(panes: Sequence[ImagePane]) -> Limits:
    """Black and white for several panes: the darkest and the brightest of their own."""
    limits = [pane.own_limits() for pane in panes]
    return min(low for low, _ in limits), max(high for _, high in limits)
