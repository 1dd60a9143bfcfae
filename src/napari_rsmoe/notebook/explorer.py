"""Inspect the kernels of a model, and remove some of them."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import ipywidgets
import numpy as np

from ..model.kernels import Kernels
from ..model.model import Model
from ..ui.jobs import Latest, Outcome
from ..ui.parameters.common import SHARPEN
from .code_box import Code, CodeBox
from .pane import ImagePane
from .saved import Saved
from .source import Source, variable_name
from .views import view_of

FEATURES: dict[str, tuple[str, Callable[[Kernels], np.ndarray]]] = {
    "long axis (px)": ("kernels.axes[:, 0]", lambda k: k.axes[:, 0]),
    "short axis (px)": ("kernels.axes[:, 1]", lambda k: k.axes[:, 1]),
    "angle (degrees)": ("np.degrees(kernels.angle)", lambda k: np.degrees(k.angle)),
    "weight (log10)": ("np.log10(kernels.weight)", lambda k: np.log10(k.weight)),
    "brightness": ("kernels.expert.mean(1)", lambda k: k.expert.mean(1)),
    "y (px)": ("kernels.center[:, 0]", lambda k: k.center[:, 0]),
    "x (px)": ("kernels.center[:, 1]", lambda k: k.center[:, 1]),
}
"""The features by which kernels are chosen, each as Python code and as a function."""
STEPS = 100
"""Steps of the slider over a feature; each step passes the same number of kernels."""


@dataclass(frozen=True)
class Choice:
    """Kernels whose feature lies in a range, both ends included, to be kept or removed."""

    feature: str
    low: float
    high: float
    keep: bool = True

    def mask(self, kernels: Kernels) -> np.ndarray:
        """The mask of the kernels that are kept."""
        column = FEATURES[self.feature][1](kernels)
        inside: np.ndarray = (column >= self.low) & (column <= self.high)
        return inside if self.keep else ~inside

    def code(self) -> str:
        """The mask as Python code."""
        column = FEATURES[self.feature][0]
        inside = f"({column} >= {self.low!r}) & ({column} <= {self.high!r})"
        return inside if self.keep else f"~({inside})"


class KernelExplorer(Saved, ipywidgets.HBox):
    """Draw, remove and sharpen the kernels of a model by their features; hover shows their properties.

    Parameters
    ----------
    model : Model
        The model.
    image : array-like, optional
        Image to compare with. By default the unchanged model.
    device : {"auto", "cpu", "cuda"}
        Where to render, as for `napari_rsmoe.fit`.

    Attributes
    ----------
    result : Model
        The model with the kernels that are kept.
    pane : ImagePane
        The viewer pane.
    """

    def __init__(self, model: Model, image: Any = None, *, device: str = "auto") -> None:
        if not isinstance(model, Model):
            raise TypeError(f"A Model is needed, such as fit(image) returns, not {type(model).__name__}.")
        self._device = device
        self._model, self._name = model, variable_name(model) or "model"
        self.result = model
        self._edits: list[Choice] = []
        drawn = view_of(model, device)["after"]
        before = [drawn] if image is None else Source(image)
        titles = {"before": "model" if image is None else "image", "after": "edited"}
        self.pane = ImagePane(before, [drawn], models=[model], titles=titles, show_kernels=True)
        style = {"description_width": "60px"}
        self.feature = ipywidgets.Dropdown(
            options=list(FEATURES), description="Feature", style=style, tooltip="Feature that chooses kernels"
        )
        self.range = ipywidgets.SelectionRangeSlider(
            options=[0.0, 1.0],
            description="Range",
            style=style,
            readout=False,
            tooltip="Kernels in this range are drawn",
        )
        self.limits = ipywidgets.Label()
        self.limits.add_class("rsmoe-indented")
        self.remove_button = ipywidgets.Button(description="Remove", tooltip="Remove the drawn kernels")
        self.keep_button = ipywidgets.Button(description="Keep", tooltip="Remove the other kernels")
        self.undo_button = ipywidgets.Button(description="Undo", tooltip="Undo the last removal")
        self.sharpen = ipywidgets.FloatSlider(
            1.0, min=SHARPEN.slider[0], max=SHARPEN.slider[1], step=SHARPEN.step, description=SHARPEN.label,
            style=style, tooltip=SHARPEN.help,
        )  # fmt: skip
        self.code_button = ipywidgets.Button(description="Code", tooltip="Python code that does the same")
        self.message = ipywidgets.HTML()
        self.code_box = CodeBox()
        self._drawing = Latest(self._show_drawn)
        self.feature.observe(lambda _: self._show_range(), "value")
        self.range.observe(lambda _: self._show_choice(), "value")
        self.sharpen.observe(lambda _: self._redraw(), "value")
        self.remove_button.on_click(lambda _: self.edit(self._choice(keep=False)))
        self.keep_button.on_click(lambda _: self.edit(self._choice(keep=True)))
        self.undo_button.on_click(lambda _: self.undo())
        self.code_button.on_click(lambda _: self._show_code())
        buttons = ipywidgets.HBox([self.remove_button, self.keep_button, self.undo_button, self.code_button])
        controls = ipywidgets.VBox([self.feature, self.range, self.limits, self.sharpen, buttons, self.message])
        controls.add_class("rsmoe-controls")
        super().__init__([controls, self.pane, self.code_box])
        self.add_class("rsmoe-action")
        self.pane.saved = self.begin_saving()
        self.pane.changed = self.save_soon
        self.pane.keep = self._drawn
        self._show_range()

    def __repr__(self) -> str:
        return f"<KernelExplorer of {self.result.n_kernels} of {self._model.n_kernels} kernels>"

    def edit(self, choice: Choice) -> None:
        """Keep or remove kernels, unless none would be left."""
        if not choice.mask(self.result.kernels()).any():
            self._tell('<div class="rsmoe-error">A model needs at least one kernel; nothing was removed.</div>')
            return
        self._set([*self._edits, choice])

    def undo(self) -> None:
        """Undo the last edit, if there is one."""
        self._set(self._edits[:-1])

    def code(self) -> Code:
        """Python code that makes `result` and renders its image."""
        lines = ["import numpy as np", "", f"kernels = {self._name}.kernels()"]
        lines += [f"kernels = kernels[{choice.code()}]" for choice in self._edits]
        sharpen = "" if self.sharpen.value == 1 else f"sharpen={self.sharpen.value!r}"
        lines += [f"result = {self._name}.with_kernels(kernels)", f"image = result.render({sharpen})"]
        return Code("\n".join(lines))

    def saved_pictures(self) -> Mapping[str, np.ndarray]:
        """The pictures of the pane."""
        return self.pane.saved_pictures()

    def saved_rows(self) -> Mapping[str, str]:
        """The kernels that are drawn, how many were removed, and what is left."""
        low, high = self.range.value
        drawn = f"{self.feature.value} from {low:.4g} to {high:.4g}"
        edits = {"removed": f"{self._model.n_kernels - self.result.n_kernels} kernels"} if self._edits else {}
        return {"drawn": drawn, **edits, **self.result.summary_rows()}

    # ------------------------------------------------------------------ what is shown

    def _choice(self, *, keep: bool) -> Choice:
        low, high = self.range.value
        return Choice(self.feature.value, low, high, keep)

    def _drawn(self, kernels: Kernels) -> np.ndarray:
        return self._choice(keep=True).mask(kernels)

    def _set(self, edits: list[Choice]) -> None:
        self._edits = edits
        kernels = reduce(lambda left, choice: left[choice.mask(left)], edits, self._model.kernels())
        self.result = self._model.with_kernels(kernels) if edits else self._model
        self._tell("")
        self.pane.show(models=[self.result])
        self._show_range()
        self._redraw()

    def _redraw(self) -> None:
        self._drawing.ask(partial(self.result.render, sharpen=self.sharpen.value, device=self._device))

    def _show_drawn(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._tell(f'<div class="rsmoe-error">{html.escape(str(outcome.error))}</div>')
        else:
            self.pane.show(after=[self._model.layout.channels_last(outcome.result)])

    def _show_range(self) -> None:
        """Set the range of the slider to that of the feature, with the same number of kernels in each step."""
        column = FEATURES[self.feature.value][1](self.result.kernels())
        steps = [float(f"{value:.4g}") for value in np.percentile(column, np.linspace(0, 100, STEPS + 1))]
        steps[0], steps[-1] = float(column.min()), float(column.max())  # Includes all kernels in spite of rounding.
        self.range.options = [(f"{value:.4g}", value) for value in steps]
        self.range.index = (0, STEPS)
        self._show_choice()

    def _show_choice(self) -> None:
        low, high = self.range.value
        self.limits.value = f"{low:.4g} to {high:.4g}"
        self.undo_button.disabled = not self._edits
        self.pane.redraw_kernels()

    def _show_code(self) -> None:
        self.code_box.text = self.code()

    def _tell(self, text: str) -> None:
        self.message.value = text
