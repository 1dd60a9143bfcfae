"""A part of the data: regions, chosen planes and channels, and where the results of parts lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import Wait, last_words, open_widget, press

from napari_rsmoe import denoise
from napari_rsmoe.plugin.entries import chosen_entries
from napari_rsmoe.plugin.names import METADATA_KEY
from napari_rsmoe.plugin.stored import SpreadOut

QUICK: dict[str, Any] = {"models": 1, "preset": "fast", "noise": 12.0, "warm_start": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", range(10)), ("all", range(10)), ("3", [3]), ("2-4", [2, 3, 4]), ("0-9-3", [0, 3, 6, 9]),
        ("4, 2,0", [0, 2, 4]), ("0-2,3-5", range(6)), ("7-7", [7]), ("0, 3, 7-9", [0, 3, 7, 8, 9]),
    ],
)  # fmt: skip
def test_entries_in_words(text: str, expected: Any) -> None:
    assert chosen_entries(text, 10, "t") == list(expected)


@pytest.mark.parametrize("text", ["10", "a", "-1", "2:4", "1-2-3-4"])
def test_other_entries_are_refused_by_the_name_of_their_axis(text: str) -> None:
    with pytest.raises(ValueError, match="Entries of t:"):
        chosen_entries(text, 10, "t")


def test_chosen_planes_and_channels_of_a_rectangle(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    film = np.stack([[noisy + c + 10 * t for c in range(3)] for t in range(5)]).astype(np.uint16)
    place: dict[str, Any] = {
        "scale": (2.0, 1.0, 0.5, 0.5),
        "translate": (1.0, 0.0, 3.0, 4.0),
        "axis_labels": tuple("tcyx"),
    }
    layer = viewer.add_image(
        film, name="film", rotate=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, -1, 0]], **place
    )
    corners = np.array([[8, 10], [8, 41.9], [27.9, 41.9], [27.9, 10]]) - 0.5
    where = np.array([[0, 0, *corner] for corner in corners])
    viewer.add_shapes([[layer.data_to_world(each) for each in where]], shape_type="polygon", name="box")
    viewer.layers.selection.active = layer
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    widget.part.region.value = "a rectangle"
    widget.part.planes.value = "chosen ones"
    run_until(lambda: widget.part.entries.visible)
    assert [field.label for field in widget.part.entries] == ["t, 0-4", "c, 0-2"]
    widget.part.entries[0].value, widget.part.entries[1].value = "0-4-2", "0, 2"
    press(widget.run)
    run_until(lambda: not widget.busy)
    result = viewer.layers["film denoised"]
    assert result.data.shape == (3, 2, 20, 32)
    given = {name: value for name, value in QUICK.items() if name != "warm_start"}
    np.testing.assert_array_equal(result.data[1, 1], denoise(film[2, 2, 8:28, 10:42], **given).image)
    # Every pixel of the result lies where the same pixel of the film lies.
    np.testing.assert_allclose(result.data_to_world((1, 1, 3, 5)), layer.data_to_world((2, 2, 11, 15)))
    assert result.metadata[METADATA_KEY]["source"]["part"] == "0:5:2, 0:3:2, :, :][:, :, 8:28, 10:42"
    assert layer.data is film
    widget.part.entries[1].value = "3"
    press(widget.run)
    assert "Entries of c: there is no 3" in last_words()
    assert not widget.busy


def test_a_view_of_other_axes_is_no_region(viewer: Any, noisy: np.ndarray) -> None:
    viewer.add_image(np.stack([noisy] * 5), name="stack")
    widget = open_widget(viewer, "Fit kernels")
    widget.part.region.value = "the current view"
    viewer.dims.order = (1, 0, 2)
    press(widget.run)
    assert "does not show a plane of Y and X" in last_words()


def test_cancel_pressed_twice_keeps_nothing_and_does_not_wait(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Denoise")
    widget.form.set({**QUICK, "models": 500})
    press(widget.run)
    run_until(lambda: widget._run.job.progress is not None)
    widget._run.job.cancel()  # As the button of the activity dock does.
    widget.stop()
    assert not widget.busy
    assert (widget.run.enabled, widget.cancel.enabled, widget.cancel.text) == (True, False, "Cancel")
    assert [layer.name for layer in viewer.layers] == ["cells"]
    widget.form.set({"models": 1})
    press(widget.run)  # The job before may still be ending.
    run_until(lambda: not widget.busy)
    assert "cells denoised" in [layer.name for layer in viewer.layers]


@pytest.mark.parametrize("kind", ["rectangle", "ellipse"])
def test_of_a_turned_rectangle_or_an_ellipse_only_what_is_inside_counts(
    viewer: Any, run_until: Wait, noisy: np.ndarray, kind: str
) -> None:
    spoiled = noisy.copy()
    spoiled[12:14, 12:14] = 255  # In the corner of the box, outside of the shape.
    layer = viewer.add_image(spoiled, name="cells")
    corners = [[24, 8], [8, 24], [24, 40], [40, 24]] if kind == "rectangle" else [[8, 8], [8, 40], [40, 40], [40, 8]]
    viewer.add_shapes([np.array(corners, float)], shape_type=kind, name="part")
    viewer.layers.selection.active = layer
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    widget.part.region.value = "a rectangle"
    press(widget.run)
    run_until(lambda: not widget.busy)
    result = viewer.layers["cells denoised"]
    box = spoiled[8:40, 8:40]
    assert result.data.shape == box.shape
    outside = np.array(viewer.layers["cells denoised"].data == box)
    assert outside[0, 0]  # It is as it was.
    assert np.mean(outside[10:22, 10:22]) < 0.2
    y, x = np.mgrid[:32, :32] - 16
    far = np.abs(y) + np.abs(x) > 18 if kind == "rectangle" else np.hypot(y, x) > 18
    np.testing.assert_array_equal(result.data[far], box[far])


def test_a_fit_too_counts_only_what_is_inside_of_a_turned_rectangle(
    viewer: Any, run_until: Wait, noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # The mask of a copied call is written beside the image, which has no file here.
    noisy[8:14, 8:14] = 255  # In the corner of the box, outside of the shape.
    layer = viewer.add_image(noisy, name="cells")
    viewer.add_shapes([np.array([[24, 8], [8, 24], [24, 40], [40, 24]], float)], shape_type="rectangle", name="part")
    viewer.layers.selection.active = layer
    widget = open_widget(viewer, "Fit kernels")
    widget.form.set({"n_kernels": 40, "iterations": 10})
    widget.part.region.value = "a rectangle"
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert "Only what lies inside of the shape in 'part' counts" in widget.status.value
    press(widget.trying.crop)
    run_until(lambda: widget.trying.job is None)
    for made in (widget.result.outputs[0].data, viewer.layers["cells (crop)"].data):
        assert (np.asarray(made)[:5, :5] == 255).all()
    press(widget.copy_python)
    assert "mask=mask" in last_words()


def test_planes_at_any_distances_lie_in_the_result_where_they_lie_in_the_film(
    viewer: Any, run_until: Wait, noisy: np.ndarray
) -> None:
    film = np.stack([noisy[:24, :32] + 5 * t for t in range(10)]).astype(np.uint16)
    layer = viewer.add_image(film, name="film", scale=(2.0, 1.0, 1.0), translate=(3.0, 0.0, 0.0))
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    widget.outputs["residual"].value = True
    widget.part.planes.value = "chosen ones"
    widget.part.entries[0].value = "1, 5, 7"
    press(widget.run)
    run_until(lambda: not widget.busy)
    result = viewer.layers["film denoised"]
    assert result.data.shape == (4, 24, 32)  # Every second plane from 1 on.
    given = {name: value for name, value in QUICK.items() if name != "warm_start"}
    for entry, plane in {0: 1, 2: 5, 3: 7}.items():
        np.testing.assert_array_equal(result.data[entry], denoise(film[plane], **given).image)
        np.testing.assert_allclose(result.data_to_world((entry, 3, 5)), layer.data_to_world((plane, 3, 5)))
    assert not result.data[1].any()  # It was not chosen.
    assert np.isnan(viewer.layers["film residual"].data[1]).all()
    assert result.metadata[METADATA_KEY]["source"]["part"] == "[1, 5, 7], :, :"
    viewer.dims.set_point(0, 3.0 + 2 * 5)
    widget.trying.preview()
    run_until(lambda: widget.trying.job is None)
    np.testing.assert_allclose(viewer.layers["film (crop)"].data_to_world((0, 0, 0)), layer.data_to_world((5, 0, 0)))


def test_a_store_shows_chosen_planes_where_they_lie() -> None:
    kept = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    shown = SpreadOut(kept, [(0, 2, 3)], blank=-1)
    assert shown.shape == (4, 2, 4)
    np.testing.assert_array_equal(shown[2], kept[1])
    np.testing.assert_array_equal(shown[3, :, 1:3], kept[2, :, 1:3])
    assert (shown[1, :1] == -1).all()
    np.testing.assert_array_equal(np.asarray(shown)[[0, 2, 3]], kept)
