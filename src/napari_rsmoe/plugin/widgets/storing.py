"""Results in an OME-Zarr on disk: the fields that choose it, and the layer that shows it while it fills."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit
from napari.layers import Image

from ..layers.adding import above_source, hide_source
from ..layers.outputs import image_options
from ..layers.sparing import insert_aside
from ..names import METADATA_KEY
from ..source import Source, plane_in_view
from ..stored import ENDING, Filling, Stored, spread_out
from .regions import box_in_view

MEMORY, DISK = "layers in memory", "an OME-Zarr on disk"
REDRAW = 0.5
"""Seconds between two looks at a store that fills. More would slow it down; less often it looks idle."""


class Storing:
    """The fields "Result" and "Save as".

    Parameters
    ----------
    layer : LayerChoice
        The field with the source.
    """

    def __init__(self, layer: Any) -> None:
        self._layer, self._proposed, self._by_user = layer, "", False
        self._own = False
        self.place = ComboBox(
            choices=[MEMORY, DISK], label="Result",
            tooltip="On disk, images of any size are denoised block by block, those in view first. The result can be "
            "looked at while it fills, and a stopped run goes on later, also in another session.",
        )  # fmt: skip
        self.path = FileEdit(
            mode=FileDialogMode.OPTIONAL_FILE, label="Save as", filter=f"*{ENDING}",
            tooltip="The OME-Zarr that is written. If it is unfinished, the run goes on with it.",
        )  # fmt: skip
        self.path.choose_btn.text = "…"  # A longer text would make the dock wider than a laptop has room for.
        self.path.line_edit.value = ""
        self.place.changed.connect(self._chosen)
        self.layer_changed()

    @property
    def on_disk(self) -> bool:
        """Whether the result goes to disk."""
        return self.place.value == DISK

    def layer_changed(self, *_: Any) -> None:
        """Propose a place for another image; lazy and multiscale ones go to disk unless the user has decided."""
        layer = self._layer.value
        if not self._by_user:
            self._own = True
            self.place.value = DISK if layer is not None and is_large(layer) else MEMORY
            self._own = False
        if self.path.line_edit.value.strip() in ("", ".", self._proposed):
            self._proposed = "" if layer is None else str(proposed(layer))
            self.path.line_edit.value = self._proposed
        self._show()

    def target(self, source: Source, *, alone: bool = True) -> Path:
        """Where the result of an image goes: as written, or for one of several, beside that by its own name.

        Raises
        ------
        ValueError
            If nothing is written, or the name is not that of an OME-Zarr.
        """
        text = self.path.line_edit.value.strip()
        if not text:
            raise ValueError("Choose Save as: the OME-Zarr that the result is written to.")
        path = Path(text).expanduser().absolute()
        if not path.name.lower().endswith(".zarr"):
            raise ValueError(f"Save as {path.name}: the name of the result must end in {ENDING}.")
        return path if alone else path.with_name(f"{plain_name(source.name)}_denoised{ENDING}")

    def _chosen(self, *_: Any) -> None:
        self._by_user = self._by_user or not self._own
        self._show()

    def _show(self) -> None:
        self.path.visible = self.on_disk


def is_large(layer: Any) -> bool:
    """Whether a layer is read where it is looked at, or comes in several resolutions."""
    return bool(layer.multiscale) or not isinstance(layer.data, np.ndarray)


def proposed(layer: Any) -> Path:
    """The place of a result: beside the file of the image, else in the home folder."""
    path = Path(layer.source.path) if layer.source.path else None
    folder = Path.home() if path is None else path.parent
    stem = plain_name(layer.name if path is None else path.name.split(".")[0])
    return folder / f"{stem}_denoised{ENDING}"


def plain_name(name: str) -> str:
    """The name of a layer as part of a file name."""
    return "".join(each if each.isalnum() or each in "-_ ." else "_" for each in name).strip(" .") or "image"


class FillingLayer:
    """The layer of a store that fills.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that gets the layer.
    filling : Filling
        The store.
    """

    def __init__(self, viewer: Any, filling: Filling) -> None:
        self._viewer, self.filling = viewer, filling
        self.layer: Any = None
        self._shown, self._due = -1, 0.0

    def tick(self) -> None:
        """Say what is in view, and show what has been done since; called now and then on the thread of the window."""
        filling = self.filling
        if filling.job is None:
            return
        if self.layer is None:
            self._add()
        if self.layer not in self._viewer.layers:
            filling.view = None
            return
        filling.view = self._view()
        now = time.monotonic()
        if filling.done != self._shown and now >= self._due:
            self._shown, self._due = filling.done, now + REDRAW
            self.layer.refresh(extent=False)

    def finish(self, result: Stored) -> list[Any]:
        """Show the finished stores; returns the layers."""
        if self.layer is None and self.filling.job is not None:
            self._add()
        layers = []
        if self.layer is not None and self.layer in self._viewer.layers:
            if result.levels:
                self._show(self.layer, self._spread(result.levels))
                self.layer.name = f"{self.filling.source.name} denoised"
            self.layer.metadata = self._metadata(result.record, "image")
            layers.append(self.layer)
        if result.std and layers:
            layers += self._add_std(result)
        return layers

    def _add(self) -> None:
        """Add the layer, or take the one of an earlier run on the same store."""
        filling, viewer = self.filling, self._viewer
        for old in viewer.layers:
            known = old.metadata.get(METADATA_KEY)
            if isinstance(known, dict) and known.get("store") == str(filling.target) and known["role"] == "image":
                self.layer = old
                self._show(old, self._spread(filling.levels))
                return
        levels = self._spread(filling.levels)
        data = levels if len(levels) > 1 else levels[0]
        options = image_options(
            filling.source, filling.levels[0].shape, f"{filling.source.name} denoised (filling)", "image", {}
        ) | {"metadata": self._metadata({"source": {"id": filling.source.layer_id}}, "image")}
        position = above_source(viewer, filling.source.layer_id)
        self.layer = insert_aside(viewer, position, Image(data, multiscale=len(levels) > 1, cache=False, **options))
        hide_source(viewer, filling.source.layer_id, self.layer)

    def _show(self, layer: Any, levels: list[Any]) -> None:
        """Let a layer show other levels; where that needs another kind of layer, the layer is made anew."""
        if bool(layer.multiscale) == (len(levels) > 1):
            layer.data = levels if layer.multiscale else levels[0]
            layer.refresh()
            return
        if len(levels) == 1:
            levels = levels * 2  # A layer of several levels stays one.
        layer.data = levels if layer.multiscale else levels[0]
        layer.refresh()

    def _add_std(self, result: Stored) -> list[Any]:
        """Add the error bar, if it is known anywhere."""
        levels, source = result.std, self.filling.source
        known = levels[-1][...]
        known = known[np.isfinite(known)]
        if not known.size:
            return []
        high = float(np.percentile(known, 99.5)) or 1.0
        levels = self._spread(levels, math.nan)
        at = self._viewer.layers.index(self.layer)
        std = Image(
            levels if len(levels) > 1 else levels[0], multiscale=len(levels) > 1, rgb=source.rgb, visible=False,
            name=f"{source.name} uncertainty", colormap="gray" if source.rgb else "inferno",
            contrast_limits=(0.0, high), metadata=self._metadata(result.record, "std"),
            **source.place.options(),
        )  # fmt: skip
        return [insert_aside(self._viewer, at, std)]

    def _spread(self, levels: list[Any], blank: float = 0) -> list[Any]:
        """The levels with their planes where they lie in the source."""
        return [spread_out(level, self.filling.source, blank) for level in levels]

    def _metadata(self, record: dict[str, Any], role: str) -> dict[str, Any]:
        return {METADATA_KEY: {**record, "role": role, "store": str(self.filling.target)}}

    def _view(self) -> Any:
        """What is in view: the number of the plane, and rows and columns."""
        job, layer, viewer = self.filling.job, self.layer, self._viewer
        if job is None or not layer.visible or viewer.dims.ndisplay != 2:
            return None
        if tuple(viewer.dims.displayed) != (viewer.dims.ndim - 2, viewer.dims.ndim - 1):
            return None
        lead = self.filling.source.nearest(plane_in_view(layer, viewer.dims.point))
        number = job.planes.number_of([lead[k] for k in job.planes.looped])
        y0, x0, y1, x1 = box_in_view(layer)
        height, width = self.filling.source.size
        rows, columns = slice(max(0, y0), min(height, y1)), slice(max(0, x0), min(width, x1))
        return (number, (rows, columns)) if rows.start < rows.stop and columns.start < columns.stop else None
