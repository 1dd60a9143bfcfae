"""The table of parameters agrees with the functions it describes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import napari_rsmoe
from napari_rsmoe.ui.parameters import DENOISE, FIT, STACK, UPSCALE, Parameter, changed, values

TABLES = {"denoise": DENOISE, "fit": FIT, "upscale": UPSCALE}
NOT_SHOWN = {"image", "weight", "warm_start", "neighbours", "resume", "channel_axis", "callback"}


def function(name: str) -> Callable[..., Any]:
    return getattr(napari_rsmoe, name)


@pytest.mark.parametrize("name", TABLES)
def test_every_keyword_is_described_with_its_default(name: str) -> None:
    signature = inspect.signature(function(name)).parameters
    table = {parameter.name: parameter for parameter in TABLES[name]}
    assert set(table) == set(signature) - NOT_SHOWN
    for key, parameter in table.items():
        default = signature[key].default
        if default is not inspect.Parameter.empty:
            assert parameter.default == default, key


def test_keywords_of_stacks_are_described_with_their_defaults() -> None:
    signature = inspect.signature(napari_rsmoe.denoise_stack).parameters
    described = {parameter.name: parameter.default for parameter in STACK}
    assert described == {name: signature[name].default for name in described}
    assert {"along", "warm_start", "average"} == set(described)


@pytest.mark.parametrize("name", TABLES)
def test_descriptions_are_complete(name: str) -> None:
    for parameter in TABLES[name]:
        assert parameter.label
        assert parameter.help.endswith(".")
        assert parameter.check(parameter.default) == parameter.default
        if parameter.automatic_label and parameter.kind in ("int", "float"):
            assert parameter.check(parameter.number) == parameter.number
        assert set(parameter.excludes) <= {other.name for other in TABLES[name]}


def test_choices_are_accepted_by_the_api() -> None:
    from napari_rsmoe.fitting.settings import PRESETS
    from napari_rsmoe.fitting.starts.methods import START_METHODS
    from napari_rsmoe.fitting.starts.segmentation import ALLOTMENTS

    table = {parameter.name: parameter for parameter in FIT}
    assert set(table["preset"].choices) == set(PRESETS)
    assert set(table["start"].choices) == set(START_METHODS)
    assert set(table["allotment"].choices) == set(ALLOTMENTS)


def test_values_checks_and_fills_in() -> None:
    given = values(FIT, {"n_kernels": 50.0, "seed": 3})
    assert given["n_kernels"] == 50
    assert isinstance(given["n_kernels"], int)
    assert changed(FIT, given) == {"n_kernels": 50, "seed": 3}
    with pytest.raises(ValueError, match="Unknown parameters: kernels"):
        values(FIT, {"kernels": 5})


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_kernels", 0), ("n_kernels", 2.5), ("n_kernels", "many"), ("preset", "good"), ("rasterized", 1), ("seed", -1)],
)
def test_wrong_values_are_refused_in_words(name: str, value: Any) -> None:
    parameter: Parameter = next(p for p in FIT if p.name == name)
    with pytest.raises(ValueError, match=parameter.label):
        parameter.check(value)
