"""Jobs as text: what Python and a command line say is what was set, and both give the same result."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import EXPECTED, TABLE
from scipy.ndimage import gaussian_filter

import napari_rsmoe
from napari_rsmoe.cli.program import VERBS, Program, main
from napari_rsmoe.ui import calls
from napari_rsmoe.ui.calls import Subject, call_text, command_line, image_of, python_call
from napari_rsmoe.ui.kinds.choices import Choice, Flag
from napari_rsmoe.ui.kinds.numbers import MAX_INT, FloatParameter, IntParameter, NoiseParameter, PointSpread
from napari_rsmoe.ui.kinds.parameter import Parameter
from napari_rsmoe.ui.kinds.texts import Folder, Size
from napari_rsmoe.ui.parameters.functions import PARAMETERS
from napari_rsmoe.ui.parameters.values import check_together, values

ACTIONS = ("denoise", "fit", "upscale", "deblur")
GREY = Subject(axes="YX", shape=(8, 9))


def of(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Values that a parameter accepts."""
    finite = {"allow_nan": False, "allow_infinity": False}
    match parameter:
        case IntParameter():
            own: st.SearchStrategy[Any] = st.integers(int(parameter.low), int(min(parameter.high, MAX_INT)))
        case FloatParameter():
            own = st.floats(
                *(1e-9, min(parameter.high, 1e9))
                if parameter.positive
                else (max(parameter.low, -1e9), min(parameter.high, 1e6))
            )
        case Choice():
            own = st.sampled_from(parameter.choices)
        case Flag():
            own = st.booleans()
        case NoiseParameter():
            own = st.floats(1e-9, 1e9) | st.tuples(st.floats(1e-9, 9), st.floats(**finite), st.floats(0, 9))
        case PointSpread():
            own = st.floats(1e-3, 60) | st.tuples(*[st.floats(1e-3, 1e3)] * 3) | st.just("beads of 100 nm.tif")
        case Folder():
            own = st.text("ab c'/-$", min_size=1).filter(lambda text: text.strip() and text[0] != "-")
        case Size():
            own = st.sampled_from(("500M", "4G", "1.5 GiB"))
        case _:
            raise NotImplementedError(parameter)
    automatic = parameter.automatic
    return own if automatic is None else own | st.just(automatic.value)


@st.composite
def jobs(draw: st.DrawFn, action: str) -> dict[str, Any]:
    """Values of all parameters that go together."""
    table = PARAMETERS[action]
    drawn = {parameter.name: draw(of(parameter)) for parameter in table}
    for parameter in table:
        if parameter.excludes or parameter.only_with:
            try:
                check_together(table, drawn, lambda each: each.name)
            except ValueError:
                drawn[parameter.name] = parameter.default
    return drawn


def told(action: str, text: str) -> dict[str, Any]:
    """The settings that reach a verb of the command line."""
    words = shlex.split(text)[4:]
    command = Program("main").get_command(None, action)  # type: ignore[arg-type]
    assert command is not None
    context = command.make_context(action, ["a.tif", "b.tif", *words])
    return {parameter.name: context.params[parameter.name] for parameter in PARAMETERS[action]}


class File(str):
    """What stands for an image file, whose pixels are its name."""

    def numpy(self) -> str:
        return str(self)


@pytest.mark.parametrize("action", ACTIONS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_both_texts_say_what_was_set(action: str, data: st.DataObject) -> None:
    settings_ = data.draw(jobs(action))
    assert told(action, command_line(action, settings_, GREY)) == settings_
    seen: list[dict[str, Any]] = []

    def function(*image: Any, **keywords: Any) -> None:
        seen.append(keywords)

    call = python_call(action, settings_, GREY).split("result = ")[1]
    eval(call, {action: function, "image": None, "read_image": File})
    assert values(PARAMETERS[action], seen[0]) == settings_


def test_a_parameter_that_is_described_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calls.PARAMETERS, "fit", TABLE)
    text = command_line("fit", EXPECTED, GREY)
    for words in (
        "--tile-side 8", "--rounds 5", "--weight-decay 0.1", "--limit -0.5", "--border zero", "--no-keep-order",
        "--verbose-log", "--blur 2,100,1.5", "--corner 3,4", "--cache 'some where'",
    ):  # fmt: skip
        assert words in text
    seen: list[dict[str, Any]] = []
    code = python_call("fit", EXPECTED, GREY).split("result = ")[1]
    eval(code, {"fit": lambda _, **keywords: seen.append(keywords), "image": None})
    assert seen == [EXPECTED]
    defaults = {parameter.name: parameter.default for parameter in TABLE}
    assert command_line("fit", defaults, GREY).split() == ["napari-rsmoe", "fit", "image.tif", "fit.tif"]


def test_notes_and_folders_are_safe_in_a_shell() -> None:
    subject = Subject(axes="ZYX", shape=(2, 8, 9), path="my image.tif", notes=("do this first",), mask_path="m.tif")
    text = command_line("denoise", {"checkpoint": "it's here", "average": 2}, subject)
    note, command = text.splitlines()
    assert note == "# do this first"
    assert shlex.split(command) == [
        *("napari-rsmoe", "denoise", "my image.tif", "denoise.tif", "--average", "2", "--checkpoint", "it's here"),
        *("--mask", "m.tif", "--axes", "ZYX"),
    ]


def test_call_text() -> None:
    assert call_text("fit", {"seed": 3}, "image", weight="w == 0") == "fit(image, seed=3, weight=w == 0)"
    assert image_of("fit", {"device": "cuda"}) == ".render(device='cuda')"


# ------------------------------------------------------------------ both are run

SETS: list[tuple[str, str, dict[str, Any]]] = [
    ("denoise", "YX", {"models": 2, "preset": "fast", "noise": 12.0, "seed": 3}),
    ("denoise", "YX", {"models": 1, "noise": (0.5, 2.0, 10.0), "start": "segmentation", "threshold": 9.5}),
    ("denoise", "TYX", {"models": 2, "preset": "fast", "noise": 12.0, "average": 1, "warm_start": False}),
    ("fit", "YX", {"n_kernels": 25, "iterations": 10, "experts": "linear"}),
    ("fit", "YX", {"n_kernels": 16, "iterations": 6, "mode": "rbf", "rasterized": False, "preset": "paper"}),
    ("fit", "CYX", {"n_kernels": 20, "iterations": 5, "start": "random", "seed": 9}),
    ("fit", "ZYX", {"n_kernels": 20, "iterations": 5}),
    ("upscale", "YX", {"scale": 1.5, "sharpen": 1.25, "models": 1, "iterations": 3, "n_kernels": 20}),
    ("upscale", "YXC", {"scale": 2.0, "models": 1, "iterations": 3, "n_kernels": 20}),
    ("upscale", "YX", {"scale": 1.5, "models": 1, "iterations": 3, "n_kernels": 20, "dtype": "float32"}),
    ("deblur", "YX", {"psf": 0.8, "preset": "fast", "noise": 12.0}),
    ("deblur", "YX", {"psf": "point.npy", "preset": "fast", "scale": 1.5, "noise": 12.0, "dtype": "float32"}),
    ("upscale", "ZYX", {"scale": 0.5, "models": 2, "iterations": 3, "n_kernels": 9}),
]


@pytest.mark.parametrize(("action", "axes", "given_"), SETS)
def test_python_and_command_line_give_the_same(
    action: str, axes: str, given_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :32]
    plane = 90 + 60 * np.sin(x / 9) * np.cos(y / 7) + 60 * (x + y > 30)
    extra = 3 if "C" in axes else 2
    stack = np.stack([plane + rng.normal(0, 12, plane.shape) for _ in range(extra)], -1 if axes[-1] == "C" else 0)
    image = np.clip(np.rint(stack if len(axes) == 3 else stack[0]), 0, 255).astype(np.uint8)
    napari_rsmoe.write_image(tmp_path / "image.tif", image, axes=axes)
    subject = Subject(axes=axes, shape=image.shape)
    monkeypatch.chdir(tmp_path)
    napari_rsmoe.write_image("point.npy", gaussian_filter(np.pad([[1.0]], 5), 0.7))
    settings_ = values(PARAMETERS["denoise_stack" if action == "denoise" else action], given_)
    names: dict[str, Any] = {"image": image}
    exec(python_call(action, settings_, subject, drawn=True), names)
    plain: dict[str, Any] = {"image": image}
    exec(python_call(action, settings_, subject), plain)
    assert_same_image(action, plain["result"], names["result"])
    text = command_line(action, settings_, subject)
    result = CliRunner().invoke(main, shlex.split(text)[1:])
    assert result.exit_code == 0, result.output
    made = napari_rsmoe.read_image(tmp_path / f"{action}.tif")
    np.testing.assert_array_equal(made.data, names["result"])


def assert_same_image(action: str, result: Any, image: np.ndarray) -> None:
    """What the function returned shows the image, plane by plane."""
    if isinstance(result, list):
        drawn = np.stack([eval(f"each{image_of(action, {})}", {"each": each}) for each in result])
    else:
        drawn = eval(f"result{image_of(action, {})}", {"result": result})
    np.testing.assert_array_equal(drawn, image)


def test_verbs_are_those_that_calls_write() -> None:
    assert set(ACTIONS) <= set(VERBS)


def test_the_distance_of_planes_is_part_of_a_call_of_a_volume() -> None:
    spacing = {"Z": 1.0, "Y": 0.2, "X": 0.2}
    volume = Subject(axes="ZYX", shape=(2, 8, 9), spacing=spacing)
    for drawn in (False, True):
        assert f"spacing={spacing!r}" in python_call("denoise", {}, volume, drawn=drawn)
        assert "spacing" not in python_call("denoise", {}, replace(volume, axes="TYX"), drawn=drawn)
