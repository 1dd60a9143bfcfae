"""The Python side of the viewer pane, which decides what is sent to the browser; `viewer.js` draws it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ..display.pictures import Limits, display_range, shrink, to_rgb, uncertainty_range, uncertainty_rgb
from ..model.kernels import Kernels
from ..model.model import Model
from .pace import Pace

HERE = Path(__file__).parent
UPDATE_INTERVAL = 0.2  # Seconds between two messages with pictures or kernels.
# Largest side in pixels of a picture that is sent whole; of larger ones, the part in view follows in full resolution.
MOST_SIDE = 1024
MOST_KERNELS = 10_000
Images = Sequence[Any]  # One array for each plane, or None for a plane without.
PICTURES = ("before", "after", "uncertainty")


class ImagePane(anywidget.AnyWidget):
    """A viewer for pictures, kernels and uncertainty of an image or of the planes of a stack.

    Drag to pan and turn the wheel to zoom. The divider compares before and after. Hover shows the properties of a
    kernel.

    Parameters
    ----------
    before, after : sequence of numpy.ndarray
        For each plane (Y, X) or (Y, X, C), of any size: they cover the same area. None for a plane without.
    uncertainty : sequence of numpy.ndarray
        For each plane, the standard deviation of the error in the units of the image.
    models : sequence of Model
        For each plane, the model whose kernels are drawn.
    titles : dict of str
        Titles of `before` and `after`, which are written over the pictures.
    labels : sequence of str
        Labels of the planes.
    height : int
        Largest height of the pane, in screen pixels.

    Attributes
    ----------
    plane : int
        The plane that is shown.
    split : float
        Position of the divider, from 0 to 1.
    show_kernels, show_uncertainty : bool
        Whether kernels and uncertainty are drawn. They are sent only if they are drawn.
    keep : callable or None
        Takes `Kernels` and returns a mask of those to draw; None draws all. Call `redraw_kernels` after a change.
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in ("pictures.js", "kernels.js", "viewer.js"))
    _css = (HERE / "viewer.css").read_text("utf-8")

    size = traitlets.List(traitlets.Int(), [1, 1]).tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)
    n_planes = traitlets.Int(1).tag(sync=True)
    plane = traitlets.Int(0).tag(sync=True)
    split = traitlets.Float(0.5).tag(sync=True)
    show_kernels = traitlets.Bool(False).tag(sync=True)
    show_uncertainty = traitlets.Bool(False).tag(sync=True)
    texts = traitlets.Dict().tag(sync=True)
    before = traitlets.Dict(None, allow_none=True).tag(sync=True)
    after = traitlets.Dict(None, allow_none=True).tag(sync=True)
    uncertainty = traitlets.Dict(None, allow_none=True).tag(sync=True)
    detail = traitlets.Dict().tag(sync=True)
    kernels = traitlets.Dict(None, allow_none=True).tag(sync=True)
    view = traitlets.Dict().tag(sync=True)  # Set by the browser: {"box": [y0, x0, y1, x1], "pixels": [height, width]}

    def __init__(
        self,
        before: Images = (),
        after: Images = (),
        uncertainty: Images = (),
        models: Sequence[Model | None] = (),
        *,
        titles: dict[str, str] | None = None,
        labels: Sequence[str] = (),
        **traits: Any,
    ) -> None:
        self._content: dict[str, Any] = {
            "before": before, "after": after, "uncertainty": uncertainty, "models": models
        }  # fmt: skip
        self.titles = {"before": "before", "after": "after"} | (titles or {})
        self._labels = labels
        self.keep: Callable[[Kernels], np.ndarray] | None = None
        self._dirty: set[str] = set()
        self._lock = threading.Lock()
        self.send_changes = Pace(self._flush, UPDATE_INTERVAL)
        """Send the changes, at a limited rate."""
        self._fewer = False  # Whether some kernels in view are not drawn.
        first = next(image for image in (self._image("before", 0), self._image("after", 0)) if image is not None)
        self.limits = self._find_limits()
        count = max(len(before), len(after))
        super().__init__(size=list(first.shape[:2]), n_planes=count, **traits)
        self.observe(lambda _: self._mark(*PICTURES, "kernels", "detail", "texts"), "plane")
        self.observe(lambda _: self._mark("kernels", "texts"), "show_kernels")
        self.observe(lambda _: self._mark("uncertainty", "detail"), "show_uncertainty")
        self.observe(lambda _: self._mark("detail", *(["kernels"] if self._fewer else [])), "view")
        self._mark(*PICTURES, "kernels", "texts")

    def __repr__(self) -> str:
        height, width = self.size
        return f"<ImagePane of {self.n_planes} planes of {height} x {width} px>"

    def show(self, plane: int | None = None, **content: Any) -> None:
        """Change the contents.

        Parameters
        ----------
        plane : int, optional
            The plane to change and to show. By default all planes change, and `content` holds sequences.
        **content
            `before`, `after`, `uncertainty` and `models`, as for the class.
        """
        for name, given in content.items():
            value = given
            if plane is not None:
                value = [*self._content[name], *[None] * (self.n_planes - len(self._content[name]))]
                value[plane] = given
            self._content[name] = value
        if plane is not None and plane != self.plane:
            self.plane = plane
        names = ["kernels" if name == "models" else name for name in content]
        self._mark(*names, "texts", *([] if set(content) == {"models"} else ["detail"]))

    def redraw_kernels(self) -> None:
        """Draw the kernels again, with the current mask of `keep`."""
        self._mark("kernels", "texts")

    # ------------------------------------------------------------------ what is sent

    def _mark(self, *names: str) -> None:
        with self._lock:
            self._dirty |= set(names)
        self.send_changes()

    def _flush(self) -> None:
        with self._lock:
            names, self._dirty = self._dirty, set()
        changes: dict[str, Any] = {}
        for name in PICTURES:
            if name in names:
                changes[name] = self._picture(name)
        if "kernels" in names:
            changes["kernels"] = self._kernel_table()
        if "detail" in names:
            changes["detail"] = self._detail()
        if names & {"texts", "uncertainty", "kernels"}:
            changes["texts"] = self._texts()
        with self.hold_sync():
            for name, value in changes.items():
                setattr(self, name, value)

    def _image(self, name: str, plane: int | None = None) -> np.ndarray | None:
        images = self._content[name]
        number = self.plane if plane is None else plane
        return images[number] if number < len(images) else None

    def _model(self) -> Model | None:
        models = self._content["models"]
        return models[self.plane] if self.plane < len(models) else None

    def _shown(self, name: str) -> np.ndarray | None:
        hidden = name == "uncertainty" and not self.show_uncertainty
        return None if hidden else self._image(name)

    def _find_limits(self) -> Limits:
        """Find the display range of all planes, from three of them."""
        images = self._content["before"] if len(self._content["before"]) else self._content["after"]
        ranges = [display_range(images[k]) for k in {0, len(images) // 2, len(images) - 1} if images[k] is not None]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def _rgb(self, name: str, image: np.ndarray, part: np.ndarray) -> np.ndarray:
        if name != "uncertainty":
            return to_rgb(part, self.limits)
        return uncertainty_rgb(part, uncertainty_range(image))

    def _picture(self, name: str) -> dict[str, Any] | None:
        image = self._shown(name)
        if image is None:
            return None
        rgb = shrink(self._rgb(name, image, image), MOST_SIDE)
        return {"data": rgb.tobytes(), "size": list(rgb.shape[:2]), "box": [0, 0, *self.size]}

    def _detail(self) -> dict[str, Any]:
        """The part in view, of pictures that are finer than what was sent."""
        found: dict[str, Any] = {}
        if not self.view:
            return found
        y0, x0, y1, x1 = self.view["box"]
        for name in PICTURES:
            image = self._shown(name)
            if image is None or max(image.shape[:2]) <= MOST_SIDE:
                continue
            fine = np.array(image.shape[:2]) / self.size  # Pixels for each pixel of the world.
            sent = MOST_SIDE / max(image.shape[:2]) * fine
            if self.view["pixels"][1] / (x1 - x0) <= sent[1]:
                continue
            low = np.clip(np.floor(np.array([y0, x0]) * fine), 0, image.shape[:2]).astype(int)
            high = np.clip(np.ceil(np.array([y1, x1]) * fine), 0, image.shape[:2]).astype(int)
            if (high <= low).any():
                continue
            rgb = shrink(self._rgb(name, image, image[low[0] : high[0], low[1] : high[1]]), MOST_SIDE)
            box = np.concatenate([low / fine, high / fine]).tolist()
            found[name] = {"data": rgb.tobytes(), "size": list(rgb.shape[:2]), "box": box}
        return found

    def _kernel_table(self) -> dict[str, Any] | None:
        """Columns index, y, x, long axis, short axis, angle, weight and the expert, float32."""
        model = self._model()
        self._note = ""
        if model is None or not self.show_kernels:
            return None
        kernels = model.kernels()
        rows = np.arange(len(kernels)) if self.keep is None else np.flatnonzero(self.keep(kernels))
        passing = len(rows)
        self._fewer = passing > MOST_KERNELS
        if self._fewer and self.view:
            margin = kernels.axes[rows, :1]
            inside = (kernels.center[rows] + margin >= self.view["box"][:2]) & (
                kernels.center[rows] - margin <= self.view["box"][2:]
            )
            rows = rows[inside.all(1)]
        if len(rows) > MOST_KERNELS:
            rows = rows[kernels[rows].heaviest(MOST_KERNELS)]
        self._note = f"{len(rows)} of {len(kernels)} kernels" if len(rows) < len(kernels) else f"{len(rows)} kernels"
        table = np.column_stack(
            [rows, kernels.center[rows], kernels.axes[rows], kernels.angle[rows], kernels.weight[rows],
             kernels.expert[rows, :3]]
        ).astype("<f4")  # fmt: skip
        return {"data": table.tobytes(), "columns": table.shape[1], "range": list(self.limits)}

    _note = ""

    def _texts(self) -> dict[str, str]:
        texts = {name: self.titles[name] for name in ("before", "after") if self._image(name) is not None}
        if len(texts) < 2:
            texts = {}  # A single picture needs no titles.
        std = self._image("uncertainty")
        if std is not None:
            high = f"{uncertainty_range(std):.4g}"
            texts["uncertainty"] = f"Show the standard deviation: black 0, white {high} and above"
            if self.show_uncertainty:
                texts["after"] = f"standard deviation, 0 to {high}"
        if self._model() is not None:
            texts["kernels"] = "Show the kernels as ellipses at one standard deviation"
        texts["note"] = self._note
        texts["plane"] = self._labels[self.plane] if self.plane < len(self._labels) else f"plane {self.plane}"
        return texts
