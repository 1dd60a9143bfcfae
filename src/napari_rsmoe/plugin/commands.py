"""Commands without a widget: for the menu, the command palette and scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..renamed import current_outputs
from ..ui.parameters.functions import PARAMETERS
from .actions import ACTIONS, Result
from .copying import ready_to_copy
from .record import as_command_line, as_python, record_of
from .source import from_layer

if TYPE_CHECKING:
    from ..progress import Callback

LayerData = tuple[Any, dict[str, Any], str]


def process_layer(
    action: str, layer: Any, callback: Callback | None = None, *, show: dict[str, bool] | None = None, **given: Any
) -> list[LayerData]:
    """Run a job on an image layer, without a window, and wait for it.

    Parameters
    ----------
    action : {"denoise", "fit", "upscale", "deblur"}
        The job.
    layer : napari.layers.Image
        Image layer with any number of axes.
    callback : callable, optional
        As for `napari_rsmoe.fit`.
    show : dict, optional
        Additional layers to make: ``{"std": True}``; see `actions`.
    **given
        Parameters that differ from their defaults; see `napari_rsmoe.ui.parameters`.

    Returns
    -------
    list of (data, options, type)
        New layers, as ``viewer.add_layer(napari.layers.Layer.create(*each))`` takes them.
    """
    result: Result = ACTIONS[action](from_layer(layer), given, callback, **current_outputs(show or {}))
    return [output.as_tuple() for output in result.outputs]


def denoise_layer(layer: Any, **given: Any) -> list[LayerData]:
    """Denoise an image layer; see `process_layer`."""
    return process_layer("denoise", layer, **given)


def fit_layer(layer: Any, **given: Any) -> list[LayerData]:
    """Fit an image layer; see `process_layer`."""
    return process_layer("fit", layer, **given)


def upscale_layer(layer: Any, **given: Any) -> list[LayerData]:
    """Upscale an image layer; see `process_layer`."""
    return process_layer("upscale", layer, **given)


def deblur_layer(layer: Any, **given: Any) -> list[LayerData]:
    """Deconvolve an image layer; see `process_layer`."""
    return process_layer("deblur", layer, **given)


def denoise_selected(napari_viewer: Any = None) -> Any:
    """Denoise the selected image layers in the background, with the last settings of the Denoise widget."""
    return _in_background("denoise", _viewer(napari_viewer), {"std": False})


def fit_selected(napari_viewer: Any = None) -> Any:
    """Fit the selected image layers in the background."""
    return _in_background("fit", _viewer(napari_viewer), {"model": True})


def upscale_selected(napari_viewer: Any = None) -> Any:
    """Upscale the selected image layers in the background."""
    return _in_background("upscale", _viewer(napari_viewer), {})


def deblur_selected(napari_viewer: Any = None) -> Any:
    """Deconvolve the selected image layers in the background, with the last settings of the Deblur widget."""
    return _in_background("deblur", _viewer(napari_viewer), {"std": False})


def _viewer(viewer: Any) -> Any:
    if viewer is not None:
        return viewer
    from napari import current_viewer  # here: napari need not have a window

    return current_viewer()


def _in_background(action: str, viewer: Any, show: dict[str, bool]) -> Sequence[Any]:
    """Do a job on the selected images in turn, with progress and cancel in the activity dock. Returns the jobs."""
    from napari.utils.notifications import show_error  # here: the other commands need no Qt

    from .widgets.memory import remembered  # here: the other commands need no Qt
    from .workers.background import BackgroundJob
    from .workers.in_turn import run_in_turn

    layers = [] if viewer is None else [each for each in viewer.layers if each in viewer.layers.selection]
    images = [each for each in layers if hasattr(each, "contrast_limits") and hasattr(each, "rgb")]
    if not images:
        show_error("Select an image layer in the list of layers first.")
        return []
    given = {k: v for k, v in remembered(action).get("parameters", {}).items() if k != "device"}
    jobs = []
    for layer in images:
        source = from_layer(layer)
        jobs.append(BackgroundJob(viewer, f"{action} {layer.name}", partial(ACTIONS[action], source, given, **show)))
    run_in_turn(jobs)
    return jobs


def copy_python(napari_viewer: Any = None) -> str:
    """Copy the Python code that repeats the selected result."""
    return _copy(_viewer(napari_viewer), as_python)


def copy_command_line(napari_viewer: Any = None) -> str:
    """Copy the shell command that repeats the selected result."""
    return _copy(_viewer(napari_viewer), as_command_line)


def _copy(viewer: Any, write: Callable[[dict[str, Any]], str]) -> str:
    """Copy what `write` makes of the record of the selected layer; empty where there is none."""
    from napari.utils.notifications import show_error, show_info  # here: the other commands need no Qt
    from qtpy.QtWidgets import QApplication

    layer = None if viewer is None else viewer.layers.selection.active
    record = None if layer is None else record_of(layer)
    if record is None or record.get("action") not in PARAMETERS:
        show_error("Select a result layer of Denoise, Fit, Super-resolution or Deblur.")
        return ""
    try:
        text = write(ready_to_copy(record))
    except OSError as error:
        show_error(str(error))
        return ""
    QApplication.clipboard().setText(text)
    show_info(f"On the clipboard:\n{text}")
    return text
