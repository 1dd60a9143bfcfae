"""The display of results, and `show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..denoising.result import Denoised
from ..enlarging.restored import Restored
from ..errors import ImageError
from ..model.model import Model
from .linked import LinkedPanes
from .pane import ImagePane
from .source import Source, pixels_of, variable_name

SHOWN_KERNELS = 1000
"""The model of a denoised image with the nearest kernel count is shown. Fewer show too little, more clutter it."""


def view_of(result: Model | Denoised | Restored, device: str = "auto") -> dict[str, Any]:
    """The contents of the pane for the result of a plane: `after` (rendered on `device`), `uncertainty`, `models`."""
    if isinstance(result, Model):
        return {"after": result.layout.channels_last(result.render(device=device)), "models": result}
    if isinstance(result, Restored):
        image, error = result.channels_last()
        return {"after": image, "uncertainty": error, "models": result.models[0]}
    if not result.models:
        return {"after": result.image}
    model = min(result.models, key=lambda each: abs(each.n_kernels - SHOWN_KERNELS))
    std = model.layout.channels_last(result.std) if len(result.models) > 1 else None
    return {"after": model.layout.channels_last(result.image), "uncertainty": std, "models": model}


def show(
    *what: Any,
    before: Any = None,
    axes: str | None = None,
    height: int = 480,
    pixel_size: Any = None,
    unit: str | None = None,
) -> ImagePane | LinkedPanes:
    """Show images, models or results in the notebook.

    Parameters
    ----------
    *what : array-like, ImageFile, Model, Denoised, Restored, or a list of Model, Denoised or Restored
        A list holds one for each plane of a stack. Several are shown side by side: they cover the same area, at any
        resolution, and move together.
    before : array-like, optional
        An image of the same area to compare with, at any resolution.
    axes : str, optional
        A letter for each axis of the images; see `ActionWidget`.
    height : int
        Largest height of a pane, in screen pixels.
    pixel_size : float, (float, float), or mapping of str to PixelSize, optional
        Distance between pixels along y and x, for the scale bar. By default that of an `ImageFile`.
    unit : str, optional
        Its unit, such as "µm", if `pixel_size` are numbers.

    Returns
    -------
    ImagePane or LinkedPanes
        The pane, or the panes, which are displayed as the last value of a cell or by ``display``.

    Raises
    ------
    ImageError, TypeError, ValueError
        If `what` is neither an image nor a result, or another argument is not accepted.

    Examples
    --------
    >>> from napari_rsmoe.notebook import show
    >>> show(noisy, result, clean)  # doctest: +SKIP
    >>> show(model, before=image, pixel_size=0.1, unit="µm")  # doctest: +SKIP
    """
    if not what:
        raise TypeError("show() needs an image, a model or a result.")
    panes = [_pane(each, before, axes, height) for each in what]
    size = pixels_of(pixel_size, unit)
    if size is not None:
        # Results of higher resolution cover the same area with more pixels.
        rows, columns = panes[0].size
        for pane in panes:
            y, x = size["value"]
            pane.pixel_size = {**size, "value": [y * rows / pane.size[0], x * columns / pane.size[1]]}
    if len(panes) == 1:
        return panes[0]
    names = [variable_name(each) or f"image {number}" for number, each in enumerate(what, 1)]
    return LinkedPanes(panes, names)


def _pane(what: Any, before: Any, axes: str | None, height: int) -> ImagePane:
    """The pane for one image or result."""
    source = None if before is None else Source(before, axes)
    views = _views(what)
    pixel_size = None if source is None else source.pixel_size
    if not views:
        image = Source(what, axes)
        if source is None:
            return ImagePane(image, labels=image.labels, height=height, pixel_size=image.pixel_size)
        after: dict[str, Any] = {"after": image}
    else:
        after = {name: [view.get(name) for view in views] for name in ("after", "uncertainty", "models")}
    count = len(after["after"])
    if source is not None and len(source) != count:
        raise ImageError(f"There are {len(source)} planes before and {count} after; give the same number.")
    labels = source.labels if source is not None else ()
    kernels = bool(views) and isinstance(_list(what)[0], Model)
    named = {"before": variable_name(before), "after": variable_name(what)}
    titles = {key: name for key, name in named.items() if name is not None}
    return ImagePane(
        source or (), labels=labels, show_kernels=kernels, height=height, pixel_size=pixel_size, titles=titles, **after
    )


def _views(what: Any) -> list[dict[str, Any]]:
    return [view_of(each) for each in _list(what) if isinstance(each, Model | Denoised | Restored)]


def _list(what: Any) -> list[Any]:
    return list(what) if isinstance(what, Sequence) else [what]
