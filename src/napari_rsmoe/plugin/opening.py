"""Commands that open images with their pixel size, or give it to layers that napari's own reader has opened without.

napari asks which reader to take wherever a plugin offers one for a kind of file that napari reads itself, and
``viewer.open`` in scripts then fails. So TIFF and PNG files are left to napari, and these commands are offered beside.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ImageError
from ..io.files import read_image
from ..io.formats import READABLE
from .image_files import place_of, read


def open_images(napari_viewer: Any = None, paths: Sequence[str] | None = None) -> list[Any]:
    """Add image files with axes, pixel size, position, channel names and colours to a viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The viewer; by default the current one.
    paths : sequence of str, optional
        The files; by default a dialog asks for them.

    Returns
    -------
    list of napari.layers.Layer
        The new layers.
    """
    from napari import current_viewer  # here: napari need not have a window
    from napari.layers import Layer
    from napari.utils.notifications import show_error

    viewer = current_viewer() if napari_viewer is None else napari_viewer
    if viewer is None:
        return []
    try:
        layers = read(_chosen() if paths is None else list(paths))
    except ImageError as error:
        show_error(str(error))
        return []
    return [viewer.add_layer(Layer.create(*each)) for each in layers]


def _chosen() -> list[str]:
    """Files that the user chooses."""
    from qtpy.QtWidgets import QFileDialog  # here: the other functions need no Qt

    kinds = " ".join(f"*{suffix}" for suffix in READABLE)
    return list(QFileDialog.getOpenFileNames(None, "Open images with pixel size", "", f"Images ({kinds})")[0])


def calibrate_selected(napari_viewer: Any = None) -> list[Any]:
    """Give the selected image layers the pixel size, units and axes that their files say; return the changed layers."""
    from napari import current_viewer  # here: napari need not have a window
    from napari.utils.notifications import show_error

    viewer = current_viewer() if napari_viewer is None else napari_viewer
    layers = [] if viewer is None else [each for each in viewer.layers.selection if hasattr(each, "contrast_limits")]
    if not layers:
        show_error("Select an image layer in the list of layers first.")
    changed = []
    for layer in layers:
        try:
            calibrate(layer)
            changed.append(layer)
        except ImageError as error:
            show_error(f"{layer.name}: {error}")
    return changed


def calibrate(layer: Any) -> None:
    """Give a layer the pixel size, units and names of axes that its file says.

    Raises
    ------
    ImageError
        If the layer comes from no file, the file says nothing, or it has another shape.
    """
    path = layer.source.path
    if path is None:
        raise ImageError("the layer does not come from a file.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The pixels are not used.
        with read_image(Path(path), lazy=True) as image:
            axes = [axis for axis in image.axes if axis != "S"]
            sizes = tuple(image.sizes[axis] for axis in axes)
            if not image.pixel_size:
                raise ImageError(f"{path} says nothing about its pixel size.")
            if sizes != tuple(layer.data.shape[: len(axes)]) or layer.ndim != len(axes):
                raise ImageError(f"{path} has the axes {''.join(axes)} of {sizes}, the layer has {layer.data.shape}.")
            place = place_of(image, axes)
    layer.scale, layer.translate = place["scale"], place["translate"]
    layer.units, layer.axis_labels = place["units"], place["axis_labels"]
