"""Forms in napari are made from the description of a parameter, whatever it is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_up import EXPECTED, MADE_UP, TABLE

from napari_rsmoe.ui.kinds.numbers import Number
from napari_rsmoe.ui.kinds.parameter import Parameter
from napari_rsmoe.ui.parameters.common import DEVICE
from napari_rsmoe.ui.parameters.fitting import DRAWN
from napari_rsmoe.ui.parameters.functions import PARAMETERS

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def form(qapp: Any) -> Any:
    from napari_rsmoe.plugin.widgets.form import Form

    return Form(TABLE)


def test_a_form_begins_with_the_defaults_and_shows_what_is_set(form: Any) -> None:
    assert form.get() == {parameter.name: parameter.default for parameter in TABLE}
    form.set(EXPECTED)
    assert form.get() == EXPECTED
    form.reset()
    assert form.get() == {parameter.name: parameter.default for parameter in TABLE}


@pytest.mark.parametrize(("parameter", "value", "refused"), MADE_UP)
def test_a_field_has_label_help_and_range(form: Any, parameter: Parameter, value: Any, refused: Any) -> None:
    field = form.field(parameter.name)
    assert field.label == parameter.caption
    assert field.tooltip == parameter.help
    own = field if parameter.automatic is None else field.own
    if isinstance(parameter, Number):
        assert (own.min, own.max) == pytest.approx(parameter.bounds)
    form.set({parameter.name: value})
    form.set({parameter.name: refused})  # as from an older version
    assert form.get()[parameter.name] == value
    in_advanced = field in list(form.advanced)
    assert in_advanced == parameter.advanced


def test_a_text_that_is_not_accepted_is_refused_in_words(form: Any) -> None:
    field = form.field("blur")
    field.automatic.value = False
    assert form.get()["blur"] == 10.0
    field.own.value = "2, 100, 1.5"
    assert form.get()["blur"] == (2.0, 100.0, 1.5)
    field.own.value = "loud"
    with pytest.raises(ValueError, match="Blur: 'loud' is not a number of at least 0 or GAIN,OFFSET,READ"):
        form.get()


def test_settings_that_need_another(qapp: Any) -> None:
    from napari_rsmoe.plugin.widgets.form import Form

    form = Form(PARAMETERS["fit"])
    form.set({"threshold": 9.0})
    assert form.get()["threshold"] == 9.0  # the default quality starts with a segmentation
    form.set({"start": "random"})
    with pytest.raises(ValueError, match="Segmentation threshold is for Start segmentation"):
        form.get()


@pytest.mark.parametrize(
    ("kind", "name", "own"),
    [
        ("DenoiseWidget", "denoise_stack", ()),
        ("FitWidget", "fit", ()),
        ("UpscaleWidget", "upscale", ("sharpen",)),
        ("DeblurWidget", "deblur", ("psf",)),
    ],
)
def test_every_option_of_a_function_is_there(qapp: Any, kind: str, name: str, own: tuple[str, ...]) -> None:
    """In the form or in a field of its own; where to compute is a preference."""
    from napari.components import ViewerModel

    module = import_module(f"napari_rsmoe.plugin.widgets.{name.removesuffix('_stack')}")
    form = getattr(module, kind)(ViewerModel()).form
    table = DRAWN if name == "fit" else PARAMETERS[name]
    assert {*form.get(), *own, "device"} == {parameter.name for parameter in table}


def test_preferences_offer_the_devices_of_the_table() -> None:
    manifest = yaml.safe_load((REPOSITORY / "napari.yaml").read_text())
    device = manifest["contributions"]["configurations"]["computing"]["properties"]["device"]
    assert tuple(device["enum"]) == DEVICE.choices
    assert (device["title"], device["description"], device["default"]) == (DEVICE.label, DEVICE.help, DEVICE.default)
