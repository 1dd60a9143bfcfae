"""What the Files widget works on: the images of a folder, a Zarr, or the selected layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit, LineEdit

from ...batch.pairs import Pair, Target, pair_images, pair_up
from ...io.image_file import ImageFile
from ...ui.parameters.files import MASK
from ..as_image import channel_axis_of, fingerprint, image_of, known_as
from ..layers.owned import is_ours
from ..layers.types import type_name
from ..source import Source, from_layer
from .layer_choice import LayerChoice
from .storing import plain_name

FILES, LAYERS = "files", "selected layers"


@dataclass(frozen=True)
class Queued:
    """What is to be processed.

    Attributes
    ----------
    pairs : list of Pair
        Inputs and outputs.
    opened : mapping of str to callable
        The images that lie in no file.
    mask : Path or None
        The image of the pixels that are left out, of a file or of `opened`.
    """

    pairs: list[Pair]
    opened: Mapping[str, Callable[[], ImageFile]]
    mask: Path | None


class Inputs:
    """The fields that choose images.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.images = ComboBox(
            choices=[FILES, LAYERS], label="Images",
            tooltip="The images of a folder or one Zarr, or the image layers that are selected in the list of layers.",
        )  # fmt: skip
        self.source = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY, label="Folder or Zarr",
            tooltip="A folder, whose images are processed one by one, or one Zarr. The path of a file may be typed.",
        )  # fmt: skip
        self.names = LineEdit(value="*", label="Names", tooltip="Which images of the folder, such as *_c1*.tif.")
        self.mask = LayerChoice(
            viewer, "Labels", label=MASK.label, nothing="nothing", follows=False,
            tooltip="A labels layer, such as of dead pixels: pixels with a label are left out of every image.",
        )  # fmt: skip
        self.images.changed.connect(self.show)

    def show(self, *_: Any) -> None:
        """Show the fields of the kind of images that is chosen."""
        self.source.visible = self.names.visible = self.images.value == FILES

    def queued(self, action: str, targets: Sequence[Target], suffix: str | None, *, overwrite: bool) -> Queued:
        """The images and their outputs.

        Raises
        ------
        ValueError, OSError
            If something is not accepted.
        """
        opened: dict[str, Callable[[], ImageFile]] = {}
        mask = self._mask(opened)
        if self.images.value == LAYERS:
            sources = self._sources()
            opened |= {name: partial(image_of, source) for name, source in sources.items()}
            contents = {name: known_as(source) for name, source in sources.items()}
            return Queued(
                pair_images(action, contents, targets, suffix or "ome.tif", overwrite=overwrite), opened, mask
            )
        names = self.names.value.strip() or "*"
        return Queued(pair_up(action, self._folder(), targets, suffix, overwrite=overwrite, names=names), opened, mask)

    def _folder(self) -> Path:
        text = self.source.line_edit.value.strip()
        if not text:
            raise ValueError("Choose a folder or a Zarr.")
        return Path(text).expanduser()

    def _sources(self) -> dict[str, Source]:
        """The selected images, by names that differ; results of this plugin are left out."""
        layers = self._viewer.layers
        chosen = [
            each for each in layers if each in layers.selection and type_name(each) == "Image" and not is_ours(each)
        ]
        if not chosen:
            raise ValueError("Select one or more images in the list of layers first (Ctrl+click adds one).")
        found: dict[str, Source] = {}
        for layer in chosen:
            name = stem = plain_name(layer.name)
            number = 1
            while name in found:
                number += 1
                name = f"{stem} {number}"
            found[name] = from_layer(layer, channel_axis_of([str(label) for label in layer.axis_labels]))
        return found

    def _mask(self, opened: dict[str, Callable[[], ImageFile]]) -> Path | None:
        layer = self.mask.value
        if layer is None:
            return None
        labels = layer.data[0] if layer.multiscale else layer.data
        axes = "TZYX"[-labels.ndim :] if labels.ndim <= 4 else "PQTZYX"[-labels.ndim :]
        name = f"{layer.name} ({fingerprint(labels, axes)})"
        image = ImageFile(labels, axes)
        opened[name] = lambda: image
        return Path(name)
