"""The Python side of the viewer pane, which decides what is sent to the browser; the files in `viewer` draw it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ..display.pictures import Limits, uncertainty_range, uncertainty_rgb
from ..model.kernels import Kernels
from ..model.model import Model
from . import messages
from .content import PICTURES, Content, Images, PlaneContent
from .contrast import COLORMAPS, GRAY, Contrast, is_gray
from .pace import Pace
from .saved import Saved, fit_into, saved_shape, with_outlines

HERE = Path(__file__).parent / "viewer"
MODULES = ("page", "pictures", "kernels", "contrast", "measuring", "linking", "keyboard", "life", "names", "viewer")
"""The JavaScript of the pane, in plain files that are joined."""
UPDATE_INTERVAL = 0.2  # Seconds between two messages with pictures or kernels.
LOOK = ("contrast", "log", "colormap")


class ImagePane(Saved, anywidget.AnyWidget):
    """A viewer for pictures, kernels and uncertainty of an image or of the planes of a stack.

    Drag to pan and turn the wheel to zoom. The divider compares before and after. Hover shows the values and the
    properties of a kernel. Profile and Region draw a line and a rectangle. All of it works with keys too.

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
    pixel_size : dict, optional
        ``{"value": [y, x], "unit": "µm"}``, for the scale bar and for lengths.

    Attributes
    ----------
    plane : int
        The plane that is shown.
    split : float
        Position of the divider, from 0 to 1.
    show_kernels, show_uncertainty : bool
        Whether kernels and uncertainty are drawn. They are sent only if they are drawn.
    contrast : list of float
        Values shown as black and as white.
    auto_contrast : bool
        Whether `contrast` is chosen by the values of the image.
    log : bool
        Whether brightness grows with the logarithm of the value; see `napari_rsmoe.notebook.contrast.Contrast`.
    colormap : str
        The colours of an image without colour, one of `napari_rsmoe.notebook.contrast.COLORMAPS`.
    line : list of float or None
        Ends y0, x0, y1, x1 of the line whose values are plotted, in pixels as in slices.
    region : list of int or None
        Rows and columns y0, x0, y1, x1 of the rectangle that was drawn; `region_slices` cuts it out.
    keep : callable or None
        Takes `Kernels` and returns a mask of those to draw; None draws all. Call `redraw_kernels` after a change.
    """

    _esm = "\n".join((HERE / f"{name}.js").read_text("utf-8") for name in MODULES)
    _css = (HERE / "viewer.css").read_text("utf-8")

    size = traitlets.List(traitlets.Int(), [1, 1]).tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)
    n_planes = traitlets.Int(1).tag(sync=True)
    plane = traitlets.Int(0).tag(sync=True)
    split = traitlets.Float(0.5).tag(sync=True)
    show_kernels = traitlets.Bool(False).tag(sync=True)
    show_uncertainty = traitlets.Bool(False).tag(sync=True)
    contrast = traitlets.List(traitlets.Float(), [0.0, 1.0], 2, 2).tag(sync=True)
    auto_contrast = traitlets.Bool(True).tag(sync=True)
    log = traitlets.Bool(False).tag(sync=True)
    colormap = traitlets.Enum(COLORMAPS, GRAY).tag(sync=True)
    colormaps = traitlets.List(traitlets.Unicode(), []).tag(sync=True)  # Those offered; none for colour images.
    bars = traitlets.List(traitlets.Dict(), []).tag(sync=True)  # Colour bars: title, ticks, and 256 colours as bytes.
    pixel_size: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    line: Any = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    profile: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    region: Any = traitlets.List(traitlets.Int(), allow_none=True, default_value=None).tag(sync=True)
    region_text = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)  # Written above the picture.
    group = traitlets.Unicode().tag(sync=True)  # Panes of the same group move together; empty: none.
    saved = traitlets.Unicode().tag(sync=True)  # Class of the saved picture, which is hidden while this is shown.
    own_id = traitlets.Unicode().tag(sync=True)  # By which the browser finds out whether the kernel is still there.
    texts = traitlets.Dict().tag(sync=True)
    before = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    after = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    uncertainty = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    detail = traitlets.Dict().tag(sync=True)
    kernels = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
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
        self._content = Content(before, after, uncertainty, models, titles, labels)
        self.keep: Callable[[Kernels], np.ndarray] | None = None
        self._reduced: dict[str, tuple[int, np.ndarray]] = {}  # By name: plane, and the image at the size it is sent.
        self._dirty: set[str] = set()
        self._lock = threading.Lock()
        self.send_changes = Pace(self._flush, UPDATE_INTERVAL)
        """Send the changes, at a limited rate."""
        self._fewer = False  # Whether some kernels in view are not drawn.
        name = self.begin_saving()
        self.changed: Callable[[], None] = self.save_soon
        """Called after a change that a saved picture shows."""
        self.choose_limits: Callable[[], Limits] = self.own_limits
        """Finds the limits of automatic contrast."""
        first = self._content.first
        self.kind = (first.dtype, is_gray(first))
        """Data type, and whether there is a single channel; panes of one kind can share contrast limits."""
        super().__init__(size=list(first.shape[:2]), n_planes=self._content.n_planes, saved=name, **traits)
        self.own_id = self.model_id
        if is_gray(first):
            self.colormaps = list(COLORMAPS)
        if "contrast" in traits:
            self.auto_contrast = False
        self.choose_contrast()
        self._observe()
        self._mark(*PICTURES, "kernels", "texts", "bars", "measures")

    def _observe(self) -> None:
        self.observe(lambda _: self._mark(*PICTURES, "kernels", "detail", "texts", "measures"), "plane")
        self.observe(lambda _: self._mark("kernels", "texts"), "show_kernels")
        self.observe(lambda _: self._mark("uncertainty", "detail", "bars"), "show_uncertainty")
        self.observe(lambda _: self._mark("detail", *(["kernels"] if self._fewer else [])), "view")
        self.observe(lambda _: self._mark("before", "after", "detail", "kernels", "bars"), LOOK)
        self.observe(lambda _: self.choose_contrast(), "auto_contrast")
        self.observe(lambda _: self._mark("measures"), ["line", "region"])
        self.on_msg(self._answer)

    def __repr__(self) -> str:
        height, width = self.size
        planes = "" if self.n_planes == 1 else f"{self.n_planes} planes of "
        return f"<ImagePane of {planes}{height} x {width} px>"

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
            self._content.replace(name, given, plane, self.n_planes)
            self._reduced.pop(name, None)
        if plane is None and "before" in content:
            self.region = self.line = None
            self.size = list(self._content.first.shape[:2])
            self.choose_contrast()
        if plane is not None and plane != self.plane:
            self.plane = plane
        names = ["kernels" if name == "models" else name for name in content]
        self._mark(*names, "texts", *([] if set(content) == {"models"} else ["detail", "bars", "measures"]))

    def redraw_kernels(self) -> None:
        """Draw the kernels again, with the current mask of `keep`."""
        self._mark("kernels", "texts")

    @property
    def region_slices(self) -> tuple[slice, slice] | None:
        """The region as slices of the rows and columns; None if none was drawn."""
        if self.region is None:
            return None
        y0, x0, y1, x1 = self.region
        return slice(y0, y1), slice(x0, x1)

    def line_profile(self) -> dict[str, np.ndarray]:
        """Values along the line, by the title of the picture, one for each pixel of its length."""
        return {title: values for title, values, _ in self._profiles()}

    @property
    def titles(self) -> dict[str, str]:
        """Titles of `before` and `after`."""
        return self._content.titles

    @property
    def _here(self) -> PlaneContent:
        """What the plane that is shown has."""
        return self._content.plane(self.plane)

    @property
    def _extent(self) -> tuple[int, int]:
        """Height and width that coordinates refer to."""
        return self.size[0], self.size[1]

    # ------------------------------------------------------------------ what is saved

    def saved_pictures(self) -> Mapping[str, np.ndarray]:
        """The pictures of this plane side by side, with the kernels if they are shown."""
        here, shape = self._here, saved_shape(*self.size)
        pictures = {
            here.title(name): fit_into(self._rgb(name, image, self._reduce(name, image)), shape)
            for name, image in here.pictures.items()
            if image is not None
        }
        if here.model is not None and self.show_kernels:
            kernels = here.model.kernels()
            kernels = kernels if self.keep is None else kernels[self.keep(kernels)]
            title = here.title(list(here.compared)[-1])
            pictures[title] = with_outlines(pictures[title], kernels, self._extent)
        return pictures

    def saved_rows(self) -> Mapping[str, str]:
        """The size, and how values became colours."""
        rows = {"size": f"{self.size[0]} x {self.size[1]} px"}
        if self.n_planes > 1:
            rows["plane"] = self._here.label
        low, high = self.contrast
        rows["contrast"] = f"black {low:.4g}, white {high:.4g}{', logarithmic' if self.log else ''}"
        std = self._here.uncertainty
        if std is not None:
            rows["uncertainty"] = f"standard deviation, black 0, white {uncertainty_range(std):.4g} and above"
        return rows

    # ------------------------------------------------------------------ what is measured

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        """Answer the question of the browser for the values at a place."""
        if content.get("kind") == "values":
            self.send({"kind": "values", "text": self.values_at(*content["place"])})

    def values_at(self, y: float, x: float) -> str:
        """The values at a place, in pixels as in slices, with their standard deviation where it is known."""
        return self._here.values_at((y, x), self._extent, self.pixel_size)

    def _profiles(self) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
        """Title, values and standard deviation of each picture along the line."""
        if self.line is None:
            return []
        y0, x0, y1, x1 = self.line
        return self._here.profiles((y0, x0, y1, x1), self._extent)

    def _measures(self) -> dict[str, Any]:
        """The profile along the line and the text about the region."""
        profile = messages.profile(self._profiles(), self.line or (0, 0, 0, 0), self.pixel_size)
        text = ""
        if self.region is not None:
            y0, x0, y1, x1 = self.region
            text = self._here.region_text((y0, x0, y1, x1), self._extent)
        return {"profile": profile, "region_text": text}

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
        if "bars" in names:
            changes["bars"] = self._bars()
        if "measures" in names:
            changes |= self._measures()
        if names & {"texts", "uncertainty", "kernels"}:
            changes["texts"] = self._texts()
        with self.hold_sync():
            for name, value in changes.items():
                setattr(self, name, value)
        if names - {"detail", "measures"}:
            self.changed()

    def _shown(self, name: str) -> np.ndarray | None:
        hidden = name == "uncertainty" and not self.show_uncertainty
        return None if hidden else self._here.pictures[name]

    @property
    def limits(self) -> Limits:
        """The values shown as black and as white."""
        return self.contrast[0], self.contrast[1]

    def choose_contrast(self) -> None:
        """Choose the limits by the values, unless the user has set them."""
        if self.auto_contrast:
            self.contrast = list(self.choose_limits())

    def own_limits(self) -> Limits:
        """Find the display range of all planes."""
        return self._content.display_range()

    def _rgb(self, name: str, image: np.ndarray, part: np.ndarray) -> np.ndarray:
        if name != "uncertainty":
            return Contrast(self.limits, self.log, self.colormap).rgb(part)
        return uncertainty_rgb(part, uncertainty_range(image))

    def _reduce(self, name: str, image: np.ndarray) -> np.ndarray:
        """The image at the size at which it is sent whole. It is kept, so that changes of its colours are fast."""
        if max(image.shape[:2]) <= messages.MOST_SIDE:
            return image
        plane, small = self._reduced.get(name, (-1, image))
        if plane != self.plane:
            small = messages.reduced(image)
            self._reduced[name] = (self.plane, small)
        return small

    def _bars(self) -> list[dict[str, Any]]:
        """The colour bars of what is shown; colour images need none."""
        look = Contrast(self.limits, self.log, self.colormap)
        bars = [messages.value_bar(look, self.colormap)] if self.colormaps else []
        std = self._shown("uncertainty")
        return bars if std is None else [*bars, messages.uncertainty_bar(uncertainty_range(std))]

    def _picture(self, name: str) -> dict[str, Any] | None:
        image = self._shown(name)
        if image is None:
            return None
        return messages.picture(self._rgb(name, image, self._reduce(name, image)), (0, 0, *self.size))

    def _detail(self) -> dict[str, Any]:
        """The part in view, of pictures that are finer than what was sent."""
        found: dict[str, Any] = {}
        for name in PICTURES if self.view else ():
            image = self._shown(name)
            if image is not None:
                colours = partial(self._rgb, name, image)
                found[name] = messages.detail(image, self.size, self.view, colours)
        return {name: message for name, message in found.items() if message is not None}

    def _kernel_table(self) -> dict[str, Any] | None:
        """The kernels, if they are shown."""
        model = self._here.model
        self._note = ""
        if model is None or not self.show_kernels:
            return None
        kernels = model.kernels()
        kept = None if self.keep is None else self.keep(kernels)
        found = messages.kernel_table(kernels, kept, self.view.get("box"), self.limits)
        self._note, self._fewer = found.note, found.fewer
        return found.message

    _note = ""

    def _texts(self) -> dict[str, str]:
        here = self._here
        # A single picture needs no titles.
        texts = {name: self.titles[name] for name in here.compared} if len(here.compared) > 1 else {}
        std = here.uncertainty
        if std is not None:
            high = f"{uncertainty_range(std):.4g}"
            texts["uncertainty"] = f"Show the standard deviation: black 0, white {high} and above"
            if self.show_uncertainty:
                texts["after"] = f"standard deviation, 0 to {high}"
        if here.model is not None:
            texts["kernels"] = "Show the kernels as ellipses at one standard deviation"
        shown = " and ".join(map(here.title, here.compared))
        texts["picture"] = f"{shown[:1].upper()}{shown[1:]}, {self.size[0]} by {self.size[1]} pixels"
        texts["note"] = self._note
        texts["plane"] = here.label
        return texts
