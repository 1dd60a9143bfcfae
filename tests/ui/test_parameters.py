"""The tables of parameters agree with the functions they describe, and their ranges with what the functions accept."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

import napari_rsmoe
from napari_rsmoe.errors import DeviceError
from napari_rsmoe.ui.kinds.choices import Choice, Flag
from napari_rsmoe.ui.kinds.numbers import IntParameter, NoiseParameter, Number
from napari_rsmoe.ui.kinds.parameter import Automatic, Parameter
from napari_rsmoe.ui.parameters.benchmarks import BENCHMARKS
from napari_rsmoe.ui.parameters.common import CHECKPOINT, SEGMENTATION
from napari_rsmoe.ui.parameters.denoising import DENOISE, STACK
from napari_rsmoe.ui.parameters.enlarging import DEBLUR, UPSCALE
from napari_rsmoe.ui.parameters.fitting import FIT, RENDER
from napari_rsmoe.ui.parameters.functions import PARAMETERS
from napari_rsmoe.ui.parameters.values import changed, values

TABLES = {"denoise": DENOISE, "fit": FIT, "upscale": UPSCALE, "deblur": DEBLUR, "render": RENDER}
NOT_SHOWN = {
    "self", "image", "weight", "mask", "warm_start", "neighbours", "channel_axis", "callback", "axes", "sigma",
    "return_std",
    "client",  # An object; the command line has --cluster.
}  # fmt: skip


def function(name: str) -> Callable[..., Any]:
    return napari_rsmoe.Model.render if name == "render" else getattr(napari_rsmoe, name)


@pytest.mark.parametrize("name", TABLES)
def test_every_keyword_is_described_with_its_default(name: str) -> None:
    signature = inspect.signature(function(name)).parameters
    table = {parameter.name: parameter for parameter in TABLES[name]}
    assert set(table) == set(signature) - NOT_SHOWN
    for key, parameter in table.items():
        default = signature[key].default
        assert parameter.required == (default is inspect.Parameter.empty)
        if not parameter.required:
            assert parameter.default == default, key


def test_keywords_of_stacks_are_described_with_their_defaults() -> None:
    signature = inspect.signature(napari_rsmoe.denoise_stack).parameters
    described = {parameter.name: parameter.default for parameter in STACK}
    assert described == {name: signature[name].default for name in described}
    assert {"along", "warm_start", "average", CHECKPOINT.name} == set(described)


@pytest.mark.parametrize("name", [*TABLES, *BENCHMARKS])
def test_descriptions_are_complete(name: str) -> None:
    table = {parameter.name: parameter for parameter in (TABLES | BENCHMARKS)[name]}
    for parameter in table.values():
        assert parameter.label
        assert parameter.help.endswith(".")
        assert parameter.check(parameter.default) == parameter.default
        if parameter.initial and not isinstance(parameter, Flag):
            assert parameter.check(parameter.initial) == parameter.initial
            assert parameter.parse(parameter.write(parameter.initial)) == parameter.initial
        for other in (*parameter.excludes, *([parameter.only_with[0]] if parameter.only_with else [])):
            assert other in table


# ------------------------------------------------------------------ ranges and choices are those of the functions


TINY = np.eye(8)


@pytest.fixture(scope="module")
def drawing() -> napari_rsmoe.Model:
    return napari_rsmoe.fit(TINY, 1, iterations=0)


def refusal(drawing: napari_rsmoe.Model, name: str, key: str, value: Any) -> str:
    """What a function says against a value, given a tiny image and stopped at its first report; empty: nothing."""
    table = {parameter.name: parameter for parameter in TABLES[name]}
    given = {key: value}
    if table[key].only_with is not None:
        given |= dict([SEGMENTATION])
    given = {"upscale": {"scale": 1}, "deblur": {"psf": 1, "noise": 0}}.get(name, {}) | given
    try:
        if name == "render":
            drawing.render(**given)
        else:
            function(name)(TINY, **given, callback=lambda _: True)
    except (ValueError, DeviceError) as error:
        return str(error)
    return ""


NO_NUMBERS = (math.nan, math.inf, -math.inf, True, np.True_, "5", b"5", [1], {}, 10**400, 1j)
"""What no parameter that takes one number accepts."""
NO_NAMES = ("no such name", ["fast"], 3, True, b"auto")
"""What no parameter that takes a name accepts."""


def edges() -> Iterator[tuple[str, str, Any]]:
    """Values at the ends of each range, just outside of them, and of other kinds."""
    for name, table in TABLES.items():
        for parameter in table:
            values: list[Any] = []
            if isinstance(parameter, Number):
                accepted = parameter.range
                # A scale may also be a pair, and the number of kernels is limited by the pixels alone.
                fine = {"scale": list, "n_kernels": int}.get(parameter.name)
                values += [value for value in NO_NUMBERS if type(value) is not fine and parameter.name != "nodata"]
                if accepted.positive:
                    values += [0, 0.0, -1.0]
                elif math.isfinite(accepted.low):
                    values += [accepted.low, accepted.low - (1 if accepted.whole else 1e-9)]
                if math.isfinite(accepted.high):
                    above = accepted.high + 1 if accepted.whole else np.nextafter(accepted.high, math.inf)
                    # The number of kernels and the size of a drawing have other limits besides.
                    values += [above, *([] if parameter.name in ("n_kernels", "scale") else [accepted.high])]
                if accepted.whole:
                    values += [accepted.low + 0.5, np.int16(3), np.float32(3)]
            elif isinstance(parameter, Choice):
                values += [*parameter.choices, *NO_NAMES]
            elif isinstance(parameter, Flag):
                values += [True, False, 1, "yes", None]
            elif isinstance(parameter, NoiseParameter):
                values += [1e-9, 0, -1, (1, 0, 0), (0, 5, 1), (0, 5, 0), (-1, 0, 1), (1, 2), "auto", "loud", math.inf]
            yield from ((name, parameter.name, value) for value in values)


@pytest.mark.parametrize("name", TABLES)
def test_ranges_and_choices_are_those_of_the_function(drawing: napari_rsmoe.Model, name: str) -> None:
    table = {parameter.name: parameter for parameter in TABLES[name]}
    for _, key, value in (case for case in edges() if case[0] == name and case[2] != "cuda"):
        parameter, said, own = table[key], refusal(drawing, name, key, value), ""
        try:
            parameter.check(value)
        except ValueError as error:
            own = str(error)
        assert bool(own) == bool(said), (key, value, own, said)
        if isinstance(parameter, Number) and said and key != "scale":  # a scale may also be two numbers
            assert parameter.range.text in said, (key, value, said)
            assert parameter.range.text in own


@pytest.mark.parametrize("name", ["denoise", "fit", "upscale"])
def test_kernels_are_limited_by_the_pixels(name: str) -> None:
    given = {"scale": 1} if name == "upscale" else {}
    with pytest.raises(
        ValueError, match=r"n_kernels=65 must be at most 64, the number of pixels of the image \(8 x 8\)"
    ):
        function(name)(TINY, **given, n_kernels=65)


@pytest.mark.parametrize(
    ("key", "value"), [("average", 101), ("average", 0.5), ("warm_start", 1), ("along", "nowhere")]
)
def test_options_of_stacks_have_ranges_too(key: str, value: Any) -> None:
    parameter = next(parameter for parameter in STACK if parameter.name == key)
    with pytest.raises(ValueError, match=str(parameter.label)):
        parameter.check(value)
    with pytest.raises(ValueError, match=re.escape(str(value))):
        napari_rsmoe.denoise_stack(np.stack([TINY, TINY]), "TYX", **{key: value})


# ------------------------------------------------------------------ values, one by one and together


def test_values_checks_and_fills_in() -> None:
    given = values(FIT, {"n_kernels": 50.0, "seed": 3})
    assert given["n_kernels"] == 50
    assert isinstance(given["n_kernels"], int)
    assert changed(FIT, given) == {"n_kernels": 50, "seed": 3}
    assert values(FIT, {"allotment": "area", "preset": "enlarge", "start": "segmentation"})["allocation"] == "area"
    with pytest.raises(ValueError, match="Unknown parameters: kernels"):
        values(FIT, {"kernels": 5})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_kernels": 5, "psnr": 30}, "Kernels and Target PSNR exclude each other"),
        ({"time": 1, "iterations": 30}, "Time and Steps exclude each other"),
        ({"threshold": 9, "start": "random"}, "Segmentation threshold is for Start segmentation, not random"),
        ({"threshold": 9, "preset": "paper"}, "not random"),
    ],
)
def test_values_that_cannot_be_given_together(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        values(FIT, given)
    with pytest.raises(ValueError, match=r"together|both|not both|for start|alone"):
        napari_rsmoe.fit([True], **given)


def test_what_goes_together_is_accepted() -> None:
    assert values(FIT, {"threshold": 9})["threshold"] == 9  # the default quality starts with a segmentation
    assert values(FIT, {"psnr": 30, "preset": "best"})["psnr"] == 30


ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.lists(st.floats()))


@hypothesis_given(st.sampled_from([p for table in PARAMETERS.values() for p in table]), ANY)
def test_a_check_accepts_or_says_why_not(parameter: Parameter, value: Any) -> None:
    try:
        accepted = parameter.check(value)
    except ValueError as error:
        assert str(error).startswith(f"{parameter.label}: ")  # noqa: PT017
    else:
        assert parameter.check(accepted) == accepted
        if not isinstance(parameter, Flag) and accepted is not None:
            assert parameter.parse(parameter.write(accepted)) == accepted


def test_a_parameter_that_no_command_line_could_write_is_refused() -> None:
    with pytest.raises(ValueError, match="must be the default"):
        IntParameter(name="n", label="N", help="A number.", default=3, automatic=Automatic(None, "off"))
    with pytest.raises(ValueError, match="left to the program"):
        IntParameter(name="n", label="N", help="A number.", default=3, excludes=("m",))


def test_the_help_of_the_presets_names_their_models_and_steps() -> None:
    """Written out, because reading them from `denoising` would load torch."""
    from napari_rsmoe.denoising.options import ITERATIONS, MODELS

    (preset,) = (parameter for parameter in DENOISE if parameter.name == "preset")
    numbers = [int(number) for number in re.findall(r"\d+", preset.help)]
    assert numbers == [table[name] for table in (MODELS, ITERATIONS) for name in preset.choices]
