"""Every front end has the same options: those of the functions. For napari see `tests/plugin/test_plugin_form.py`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from click import Command

import napari_rsmoe
from napari_rsmoe.cli.program import ADVANCED, SETTINGS
from napari_rsmoe.ui.kinds.parameter import Parameter
from napari_rsmoe.ui.parameters.common import LEFT_OUT, MEMORY
from napari_rsmoe.ui.parameters.fitting import RENDER
from napari_rsmoe.ui.parameters.functions import PARAMETERS

ONLY_IN_PYTHON = {
    "image", "self",  # what the others open or show
    "callback", "client",  # objects; the others have progress bars and --cluster
    "weight", "mask", "warm_start", "neighbours",  # further images: --mask, a labels layer; a stack has its own
    "axes", "channel_axis",  # --axes, the dimensions of a layer, axes= of a widget
    "spacing",  # the pixel sizes of a file, the scale of a layer
    "sigma", "return_std",  # another name of noise; --std, a layer, the uncertainty in the pane
}  # fmt: skip
TABLES: dict[str, Sequence[Parameter]] = {**PARAMETERS, "render": RENDER, "noise": (*LEFT_OUT, MEMORY)}
WIDGETS = {
    "denoise": "DenoiseWidget", "denoise_stack": "DenoiseWidget", "fit": "FitWidget", "deblur": "DeblurWidget",
    "upscale": "SuperResolutionWidget",
}  # fmt: skip
ELSEWHERE = {"denoise": {"along", "warm_start", "average"}, "fit": {"dtype"}}
"""Settings of a verb for other images, or for its output, than those of the function."""


def names(table: Sequence[Parameter]) -> set[str]:
    return {parameter.name for parameter in table}


@pytest.mark.parametrize("name", TABLES)
def test_the_functions(name: str) -> None:
    function: Any = {"render": napari_rsmoe.Model.render, "noise": napari_rsmoe.estimate_noise}.get(name)
    function = function or getattr(napari_rsmoe, name)
    taken = set(inspect.signature(function).parameters)
    if name == "denoise_stack":
        taken |= set(inspect.signature(napari_rsmoe.denoise).parameters)
        taken -= {"data", "settings", "create", "independent_channels"}
    assert taken - ONLY_IN_PYTHON - names(TABLES[name]) == set()
    assert names(TABLES[name]) - taken == set()


@pytest.mark.parametrize("name", TABLES)
def test_the_command_line(name: str) -> None:
    command: Command = import_module(f"napari_rsmoe.cli.{name.removesuffix('_stack')}").command
    shown = {each.name for each in command.params if getattr(each, "section", "") in (SETTINGS, ADVANCED)}
    assert shown - ELSEWHERE.get(name, set()) == names(TABLES[name])


@pytest.mark.parametrize("name", WIDGETS)
def test_notebooks(name: str) -> None:
    pytest.importorskip("ipywidgets", reason="install the notebook extra")
    widgets = import_module("napari_rsmoe.notebook")
    shape = (2, 8, 8) if name == "denoise_stack" else (8, 8)
    given: dict[str, Any] = {"psf": 1.0} if name == "deblur" else {}
    assert set(getattr(widgets, WIDGETS[name])(np.eye(8) + np.zeros(shape), **given).form.fields) == names(TABLES[name])
