"""A part of the data: regions, chosen planes and channels, and where the results of parts lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import Wait, last_words, open_widget, press

from napari_rsmoe import denoise
from napari_rsmoe.plugin.entries import chosen_entries
from napari_rsmoe.plugin.names import METADATA_KEY

QUICK: dict[str, Any] = {"models": 1, "preset": "fast", "noise": 12.0, "warm_start": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", range(10)), ("all", range(10)), ("3", [3]), ("2-4", [2, 3, 4]), ("0-9-3", [0, 3, 6, 9]),
        ("4, 2,0", [0, 2, 4]), ("0-2,3-5", range(6)), ("7-7", [7]),
    ],
)  # fmt: skip
def test_entries_in_words(text: str, expected: Any) -> None:
    assert list(range(10))[chosen_entries(text, 10, "t")] == list(expected)


@pytest.mark.parametrize("text", ["10", "a", "-1", "0,1,3", "2:4", "1-2-3-4"])
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
