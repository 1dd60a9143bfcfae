"""The display of results, and `show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..denoising.result import Denoised
from ..errors import ImageError
from ..model.model import Model
from .pane import ImagePane
from .source import Source

SHOWN_KERNELS = 1000
"""The model of a denoised image with the nearest kernel count is shown. Fewer show too little, more clutter it."""


def view_of(result: Model | Denoised, device: str = "auto") -> dict[str, Any]:
    """The contents of the pane for the result of a plane: `after` (rendered on `device`), `uncertainty`, `models`."""
    if isinstance(result, Model):
        return {"after": result.layout.channels_last(result.render(device=device)), "models": result}
    if not result.models:
        return {"after": result.image}
    model = min(result.models, key=lambda each: abs(each.n_kernels - SHOWN_KERNELS))
    std = model.layout.channels_last(result.std) if len(result.models) > 1 else None
    return {"after": model.layout.channels_last(result.image), "uncertainty": std, "models": model}


def show(what: Any, before: Any = None, *, axes: str | None = None, height: int = 480) -> ImagePane:
    """Show an image, a model or a result in the notebook.

    Parameters
    ----------
    what : array-like, Model, Denoised, or a list of Model or Denoised
        A list holds one for each plane of a stack.
    before : array-like, optional
        An image of the same area to compare with, at any resolution.
    axes : str, optional
        A letter for each axis of the images; see `ActionWidget`.
    height : int
        Largest height of the pane, in screen pixels.

    Returns
    -------
    ImagePane
        The pane, which is displayed as the last value of a cell or by ``display``.

    Raises
    ------
    ImageError, TypeError
        If `what` is neither an image nor a result.
    """
    source = None if before is None else Source(before, axes)
    views = _views(what)
    if not views:
        image = Source(what, axes)
        if source is None:
            return ImagePane(image, labels=image.labels, height=height)
        after: dict[str, Any] = {"after": image}
    else:
        after = {name: [view.get(name) for view in views] for name in ("after", "uncertainty", "models")}
    count = len(after["after"])
    if source is not None and len(source) != count:
        raise ImageError(f"There are {len(source)} planes before and {count} after; give the same number.")
    labels = source.labels if source is not None else ()
    kernels = bool(views) and isinstance(_list(what)[0], Model)
    return ImagePane(source or (), labels=labels, show_kernels=kernels, height=height, **after)


def _views(what: Any) -> list[dict[str, Any]]:
    return [view_of(each) for each in _list(what) if isinstance(each, Model | Denoised)]


def _list(what: Any) -> list[Any]:
    return list(what) if isinstance(what, Sequence) else [what]
