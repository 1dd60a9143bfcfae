"""The Super-resolution & sharpen widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, FloatSlider
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from ...image.planes import Plane, Planes
from ...notes import gathered
from ...ui.jobs import Latest, Outcome
from ...ui.parameters.common import DTYPE, SHARPEN
from ...ui.parameters.enlarging import UPSCALE
from ...ui.parameters.outputs import OUTPUTS, STD
from ...ui.wording import in_form_words
from ..actions import PlaneModels, Result
from ..names import METADATA_KEY
from ..notes import in_sentences, notes
from ..source import plane_in_view
from ..workers.thread import Task
from .job_widget import JobWidget
from .regions import box_in_view

(BICUBIC,) = (output for output in OUTPUTS["upscale"] if output.name == "bicubic")
ALONE, BESIDE, OVER = "nothing", "bicubic beside it", "bicubic in its place"
LIVE_PIXELS = 512 * 512  # Pixels rendered while the slider moves; a larger view is rendered more coarsely first.
LIVE_MODELS = 2  # Number of models rendered while the slider moves.
SETTLE = 300  # Milliseconds without a move after which everything is rendered.


class UpscaleWidget(JobWidget):
    """Upscale an image layer by any factor; its sharpness can be changed afterwards, without a new fit."""

    def __init__(self, napari_viewer: Any) -> None:
        self.sharpen = FloatSlider(
            value=1.0, min=SHARPEN.slider[0], max=SHARPEN.slider[1], step=SHARPEN.step, label=SHARPEN.label,
            tooltip=f"{SHARPEN.help} The slider also works after the run: the result follows at once.",
        )  # fmt: skip
        self.compare = ComboBox(choices=[ALONE, BESIDE, OVER], label="Compare with", tooltip=BICUBIC.help)
        super().__init__(napari_viewer, "upscale", UPSCALE, [STD], "Upscale", hidden=("device", "sharpen"))
        self._live = Latest(self._show_live, Task)
        self._result_layer: Any = None
        self._settle = QTimer(self.native)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE)
        self._settle.timeout.connect(self._draw_all)
        self.sharpen.changed.connect(self._on_sharpen)
        self.native.destroyed.connect(self._live.close)

    def more_fields(self) -> list[Any]:
        """The fields of this widget besides the settings of the job."""
        return [self.sharpen, self.compare]

    def given(self) -> dict[str, Any]:
        """The settings of the form and the slider."""
        return {**self.form.get(), "sharpen": float(self.sharpen.value)}

    def show_given(self, given: dict[str, Any]) -> None:
        """Show settings, with the slider limited to its range."""
        self.form.set(given)
        value = given.get("sharpen")
        if isinstance(value, int | float) and self.sharpen.min <= value <= self.sharpen.max:
            self.sharpen.value = value

    def shown_outputs(self) -> dict[str, bool]:
        """The comparison is chosen from a list."""
        return {**super().shown_outputs(), "bicubic": self.compare.value != ALONE}

    def on_result(self, result: Result, layers: list[Any]) -> None:
        """Keep what the slider renders again, and position the comparison."""
        self._result_layer = layers[0]
        for output, layer in zip(result.outputs, layers, strict=True):
            if output.role == "bicubic" and self.compare.value == BESIDE:
                shift = np.zeros(layer.ndim)
                shift[-1] = layer.data.shape[-1 - bool(layer.rgb)] * 1.02
                layer.translate = output.options["translate"]
                layer.translate = np.asarray(layer.data_to_world(shift))[-layer.ndim :]
        if result.record["parameters"]["sharpen"] != self.sharpen.value:
            self._on_sharpen()  # The slider was moved during the job.

    # ------------------------------------------------------------------ the slider

    def _on_sharpen(self) -> None:
        if self.result is None or self._result_layer is None or self._result_layer not in self._viewer.layers:
            return
        plane = self._plane_in_view(self.result)
        if plane is None:
            return
        scale, sharpen, device = self._scale(), float(self.sharpen.value), self._device()
        height, width = self._result_layer.data.shape[-2 - self._rgb : -1 if self._rgb else None]
        y0, x0, y1, x1 = box_in_view(self._result_layer)
        box = (max(0, y0), max(0, x0), min(height, y1), min(width, x1))
        if box[2] <= box[0] or box[3] <= box[1]:
            box = (0, 0, height, width)
        self._live.ask(lambda: ([(plane, box, _quick(plane, scale, sharpen, box, device))], []))
        self._settle.start()

    def _draw_all(self) -> None:
        result = self.result
        if result is None:
            return
        scale, sharpen = self._scale(), float(self.sharpen.value)
        dtype = result.record["parameters"].get("dtype", DTYPE.default)
        self._live.ask(lambda: _all_planes(result.planes, scale, sharpen, dtype))
        record = {**result.record, "parameters": {**result.record["parameters"], "sharpen": sharpen}}
        self.result = replace(result, record=record)
        layer = self._result_layer
        if layer in self._viewer.layers:
            layer.metadata = {**layer.metadata, METADATA_KEY: {**record, "role": "image"}}
            ending = f" sharpened {sharpen:g}" if sharpen != 1 else ""
            layer.name = f"{result.source.name} x{scale:g}{ending}"

    def _show_live(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            show_error(str(outcome.error))
            return
        layer, result = self._result_layer, self.result
        if layer is None or result is None or layer not in self._viewer.layers:
            return
        data = layer.data
        colours = data[..., :3] if result.source.has_alpha else data
        layout = Planes(colours, result.source.axes)
        pieces, said = outcome.result
        for plane, box, image in pieces:
            index = list(plane.index)
            if box is not None:
                rows, columns = result.source.axes.index("Y"), result.source.axes.index("X")
                index[rows], index[columns] = slice(box[0], box[2]), slice(box[1], box[3])
            layout.store(colours, Plane(0, tuple(index), image, ""), image)
        whole = all(box is None for _, box, _ in pieces)
        layer.refresh(thumbnail=whole, extent=whole)  # Only quick updates while the slider moves.
        if whole and not self.busy:
            self._say_sharpened(result.record, said)

    def _say_sharpened(self, record: dict[str, Any], said: list[str]) -> None:
        """Show how much the result is sharpened, and what that does to it, in place of what was said before."""
        sharpen = record["parameters"]["sharpen"]
        found = notes({**record, "metrics": {**record["metrics"], "notes": said}})
        words = [in_form_words(each, self._parameters) for each in found]
        self.status.value = in_sentences([f"Sharpened {sharpen:g}" if sharpen != 1 else "Not sharpened", *words])

    def _plane_in_view(self, result: Result) -> PlaneModels | None:
        shown = plane_in_view(self._result_layer, self._viewer.dims.point)
        for plane in result.planes:
            lead = result.source.lead(plane.index)
            if all(
                a == b for k, (a, b) in enumerate(zip(lead, shown, strict=False)) if isinstance(plane.index[k], int)
            ):
                return plane
        return None

    def _scale(self) -> float:
        return float(self.result.record["parameters"]["scale"]) if self.result is not None else 1.0

    def _device(self) -> str:
        return str(self.result.record["parameters"]["device"]) if self.result is not None else "auto"

    @property
    def _rgb(self) -> bool:
        return bool(self._result_layer.rgb)


def _quick(plane: PlaneModels, scale: float, sharpen: float, box: tuple[int, int, int, int], device: str) -> np.ndarray:
    """Render a box of the result; of a large box only a subset of pixels, which are repeated, as a quick preview."""
    y0, x0, y1, x1 = box
    models = plane.models[:LIVE_MODELS]
    step = int(np.ceil(np.sqrt((y1 - y0) * (x1 - x0) / LIVE_PIXELS)))
    if step <= 1:
        return _draw(models, scale, sharpen, box, device=device)
    coarse = _draw(models, scale, sharpen, box, step=step, device=device)
    return coarse.repeat(step, 0).repeat(step, 1)[: y1 - y0, : x1 - x0]


def _all_planes(planes: Sequence[PlaneModels], scale: float, sharpen: float, dtype: str) -> tuple[list[Any], list[str]]:
    """Render the whole result; returns the planes, and what is to be said about them."""
    with gathered() as said:  # Without it each move of the slider would end in a warning of its own.
        pieces = [(plane, None, _whole(plane, scale, sharpen, dtype)) for plane in planes]
    return pieces, list(dict.fromkeys(said))


def _whole(plane: PlaneModels, scale: float, sharpen: float, dtype: str) -> np.ndarray:
    """Render the whole result."""
    from ...enlarging.upscale import result_of  # here, as it loads torch

    assert plane.enlargement is not None
    image: np.ndarray = result_of(plane.enlargement, scale, sharpen, dtype).image
    return image


def _draw(*arguments: Any, **options: Any) -> np.ndarray:
    from ...fitting.upscale import draw_part  # here, as it loads torch

    return draw_part(*arguments, **options)
