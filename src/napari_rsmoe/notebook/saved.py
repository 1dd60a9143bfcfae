"""The picture that stays in a saved notebook: shown wherever no kernel runs, and kept up to date."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image, ImageDraw

from ..display.summary import bundle
from ..model.kernels import Kernels
from .pace import Pace

INTERVAL = 1.0  # Seconds between two updates of the saved picture.
SIDE = 280  # Largest side of a saved picture in pixels.
MOST_OUTLINES = 1000
"""Kernels outlined in a saved picture; of more, the heaviest."""
CORNERS = 24  # of the polygon that stands for an ellipse
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CALL = "A saved picture. Run the cell for the live one."


class Saved:
    """A widget that leaves a picture and a table in the notebook.

    It is displayed twice: live, and as plain HTML and PNG, which the live one hides. Only the second is written again
    when something changes, so that the live one is not disturbed. Notebooks that are opened later, exports and web
    sites show the second.

    Subclasses call `begin_saving` and provide `saved_pictures` and `saved_rows`.
    """

    def begin_saving(self) -> str:
        """Prepare; returns the name of the class of the elements that the live widget hides."""
        self._saved_name = f"rsmoe-saved-{uuid4().hex[:12]}"
        self._displayed = threading.Event()
        self.save_soon = Pace(self.save_now, INTERVAL)
        """Update the saved picture, at a limited rate."""
        return self._saved_name

    def saved_pictures(self) -> Mapping[str, np.ndarray]:
        """Pictures (Y, X, 3) uint8 by caption."""
        raise NotImplementedError

    def saved_rows(self) -> Mapping[str, str]:
        """Lines of the table: name and value."""
        raise NotImplementedError

    def save_now(self) -> None:
        """Update the saved picture, if the widget was displayed."""
        if self._displayed.is_set():
            _publish(self._saved_bundle(), self._saved_name, update=True)

    def _bundle(self) -> dict[str, Any]:
        return bundle(repr(self), self.saved_pictures(), self.saved_rows(), SIDE, compact=True)

    def _saved_bundle(self) -> dict[str, Any]:
        data = self._bundle()
        hidden = f"<style>{_hide_dead(self._saved_name)}</style>"
        data["text/html"] = f'<div class="{self._saved_name}">{hidden}{data["text/html"]}<small>{CALL}</small></div>'
        return data

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live widget, and the picture and the table for programs that show no widgets."""
        live: Any = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        data, metadata = live if isinstance(live, tuple) else (live, {})
        return {**(data or {}), **self._bundle()}, metadata

    def _ipython_display_(self) -> None:
        # Imported here because this is called by IPython only, which other programs need not have.
        from IPython import get_ipython

        if not hasattr(get_ipython(), "kernel"):
            raise NotImplementedError  # A terminal shows the text.
        live: Any = super()._repr_mimebundle_()  # type: ignore[misc]
        data = live[0] if isinstance(live, tuple) else live
        _publish({WIDGET_VIEW: data[WIDGET_VIEW], "text/plain": ""})
        self._displayed.set()
        _publish(self._saved_bundle(), self._saved_name)


def _publish(data: dict[str, Any], name: str | None = None, *, update: bool = False) -> None:
    # Imported here because this is called by IPython only.
    from IPython.display import display

    named = {} if name is None else {"display_id": name, "update": update}
    display(data, raw=True, **named)


def _hide_dead(name: str) -> str:
    """A style for JupyterLab, which says "model not found" where the live widget was: only text, and no element."""
    return (
        f".jp-OutputArea-child:has(+ .jp-OutputArea-child .{name}) > .jp-OutputArea-output:not(:has(> *)) "
        "{display: none}"
    )


def with_outlines(rgb: np.ndarray, kernels: Kernels, size: tuple[int, int]) -> np.ndarray:
    """Draw kernels as ellipses at one standard deviation over a picture of an image of `size`."""
    shown = kernels[kernels.heaviest(MOST_OUTLINES)] if len(kernels) > MOST_OUTLINES else kernels
    scale = np.array(rgb.shape[:2]) / size
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    along, across = shown.axes[:, :1] * np.cos(turn), shown.axes[:, 1:] * np.sin(turn)
    cos, sin = np.cos(shown.angle)[:, None], np.sin(shown.angle)[:, None]
    y = (shown.center[:, :1] + 0.5 + along * sin + across * cos) * scale[0]
    x = (shown.center[:, 1:] + 0.5 + along * cos - across * sin) * scale[1]
    picture = Image.fromarray(rgb)
    brush = ImageDraw.Draw(picture, "RGBA")
    for corners in np.stack([x, y], 2):
        brush.polygon([tuple(corner) for corner in corners.tolist()], outline=(255, 255, 255, 170))
    return np.asarray(picture)


def saved_shape(height: int, width: int) -> tuple[int, int]:
    """Height and width of a saved picture: small images are enlarged by a whole factor."""
    side = max(height, width)
    factor = max(1, SIDE // side) if side <= SIDE else SIDE / side
    return max(1, round(height * factor)), max(1, round(width * factor))


def fit_into(rgb: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The picture at another size: pixels become squares if it grows, and are averaged if it shrinks."""
    grows = shape[0] >= rgb.shape[0]
    method = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    return np.asarray(Image.fromarray(rgb).resize(shape[::-1], method))
