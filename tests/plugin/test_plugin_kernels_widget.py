"""The Kernels widget in a real window: select, move, recolour, delete, undo, and the image follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import Wait, last_words, open_widget, press, quick_fit

from napari_rsmoe.plugin.layers.kernels import TABLE_KEY


@pytest.fixture
def fitted(viewer: Any, run_until: Wait, noisy: np.ndarray) -> Any:
    """A viewer with a fit, and the Kernels widget."""
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    press(widget.run)
    run_until(lambda: not widget.busy)
    return open_widget(viewer, "Kernels")


def test_image_follows_a_move_and_undo(viewer: Any, fitted: Any, run_until: Wait) -> None:
    image, kernels = viewer.layers[1], viewer.layers[2]
    before = np.array(image.data)
    assert fitted.info.value == "30 of 30 kernels drawn, 0 selected"
    data = [np.array(shape) for shape in kernels.data]
    data[0] = data[0] + 8.0
    kernels.data = data
    fitted.take_over()
    table = kernels.metadata[TABLE_KEY]
    run_until(lambda: np.array_equal(image.data, table.model(0).render()))
    assert not np.array_equal(image.data, before)
    assert fitted.undo.enabled
    press(fitted.undo)
    run_until(lambda: np.array_equal(image.data, before))
    np.testing.assert_allclose(kernels.data[0], data[0] - 8.0, atol=1e-3)
    press(fitted.redo)
    run_until(lambda: np.array_equal(image.data, table.model(0).render()) and not fitted.redo.enabled)


def test_the_image_keeps_the_data_type_that_was_chosen(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy.astype(np.uint16), name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    widget.form.field("dtype").value = "float32"
    press(widget.run)
    run_until(lambda: not widget.busy)
    editor = open_widget(viewer, "Kernels")
    image, kernels = viewer.layers[1], viewer.layers[2]
    kernels.data = [np.array(shape) + 8.0 * (number == 0) for number, shape in enumerate(kernels.data)]
    editor.take_over()
    expected = kernels.metadata[TABLE_KEY].model(0).render(dtype="float32")
    run_until(lambda: np.array_equal(image.data, expected))
    assert image.data.dtype == np.float32


def test_select_by_feature_delete_and_recolour(viewer: Any, fitted: Any, run_until: Wait) -> None:
    image, kernels = viewer.layers[1], viewer.layers[2]
    table = kernels.metadata[TABLE_KEY]
    fitted.feature.value = "long axis"
    middle = float(np.median(kernels.features["long axis"]))
    fitted.low.value, fitted.high.value = 0, round(middle, 2)
    press(fitted.select)
    chosen = set(kernels.selected_data)
    assert chosen == set(np.flatnonzero(kernels.features["long axis"] <= round(middle, 2)).tolist())
    press(fitted.delete)
    assert table.count(0) == 30 - len(chosen)
    run_until(lambda: np.array_equal(image.data, table.model(0).render()))
    kernels.selected_data = {0, 1}
    fitted.expert.value = "red"
    press(fitted.recolour)
    assert "give 1 number" in last_words()
    fitted.expert.value = "255"
    press(fitted.recolour)
    np.testing.assert_allclose(table.model(0).kernels().expert[:2, 0], 255, atol=1)
    assert len(kernels.data) == 30 - len(chosen)
    run_until(lambda: np.array_equal(image.data, table.model(0).render()))
    kernels.selected_data = {2}
    kernels.current_face_color = "black"
    assert kernels.features["expert"][2] == pytest.approx(table.model(0).kernels().expert[2, 0])
    assert kernels.features["expert"][2] < 20


def test_a_mouse_drag_moves_a_kernel(canvas: None, viewer: Any, fitted: Any, run_until: Wait, qtbot: Any) -> None:
    from qtpy.QtCore import QPoint, Qt

    kernels = viewer.layers[2]
    table = kernels.metadata[TABLE_KEY]
    row = int(np.argmax(kernels.features["short axis"]))
    viewer.layers.selection = {kernels}
    kernels.mode = "select"
    kernels.selected_data = {row}
    before = table.kernels(0).center[int(kernels.features["kernel"][row])]
    qtbot.wait(200)
    canvas = viewer.window._qt_viewer.canvas.native
    zoom = viewer.camera.zoom

    def at(y: float, x: float) -> QPoint:
        cy, cx = viewer.camera.center[-2:]
        return QPoint(round(canvas.width() / 2 + (x - cx) * zoom), round(canvas.height() / 2 + (y - cy) * zoom))

    start, end = at(*before), at(before[0] + 4, before[1] + 6)
    qtbot.mouseMove(canvas, start)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 11):
        qtbot.mouseMove(canvas, start + (end - start) * step / 10)
        qtbot.wait(10)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    run_until(lambda: table.can_undo)
    moved = table.kernels(0).center[int(kernels.features["kernel"][row])] - before
    np.testing.assert_allclose(moved, (4, 6), atol=1.5)
    image = viewer.layers[1]
    run_until(lambda: np.array_equal(image.data, table.model(0).render()))


def test_draw_fewer_and_by_the_filter(viewer: Any, fitted: Any) -> None:
    kernels = viewer.layers[2]
    fitted.most.value = 7
    press(fitted.redraw)
    assert len(kernels.data) == len(kernels.features) == 7
    assert fitted.info.value.startswith("7 of 30")
    fitted.draw.value = "those that pass the filter"
    fitted.feature.value = "weight"
    fitted.low.value, fitted.high.value = 1e6, 1e7
    press(fitted.redraw)
    assert "No kernel passes the filter" in last_words()
    fitted.low.value = 0
    fitted.most.value = 2000
    press(fitted.redraw)
    assert len(kernels.data) == 30
    fitted.draw.value = "those selected"
    press(fitted.redraw)
    assert "No kernel is selected" in last_words()
    kernels.selected_data = {3, 5, 8}
    press(fitted.redraw)
    assert list(kernels.features["kernel"]) == [3, 5, 8]
    fitted.draw.value = "those in view"
    viewer.camera.zoom *= 6
    viewer.window._qt_window.repaint()
    press(fitted.redraw)
    assert 0 < len(kernels.data) <= 30


def test_what_is_drawn_follows_undo_and_redo(viewer: Any, fitted: Any) -> None:
    kernels = viewer.layers[2]
    table = kernels.metadata[TABLE_KEY]
    fitted.most.value = 10
    press(fitted.redraw)
    kernels.selected_data = set(range(10))
    press(fitted.delete)  # All that are drawn, while others are not.
    assert (len(kernels.data), len(kernels.features), table.count(0)) == (0, 0, 20)
    press(fitted.undo)
    assert (len(kernels.data), len(kernels.features), table.count(0)) == (10, 10, 30)
    press(fitted.redo)
    assert (len(kernels.data), table.count(0)) == (0, 20)
    kernels.add_ellipses([[10, 10], [10, 20], [20, 20], [20, 10]])
    assert (len(kernels.data), table.count(0)) == (1, 21)
    press(fitted.undo)
    assert (len(kernels.data), table.count(0)) == (0, 20)
    press(fitted.redo)
    assert (len(kernels.data), table.count(0)) == (1, 21)
    assert list(kernels.features["kernel"]) == [30]


def test_a_copy_of_a_kernels_layer_has_kernels_of_its_own(viewer: Any, fitted: Any, run_until: Wait) -> None:
    from napari.layers._layer_actions import _duplicate_layer

    image, kernels = viewer.layers[1], viewer.layers[2]
    viewer.layers.selection.active = kernels
    _duplicate_layer(viewer.layers)
    twin = viewer.layers[3]
    before = image.data.copy()
    assert twin.metadata[TABLE_KEY] is not kernels.metadata[TABLE_KEY]
    fitted.layer.value = twin
    viewer.layers.selection.active = twin
    twin.selected_data = {0, 1}
    press(fitted.delete)
    assert (twin.metadata[TABLE_KEY].count(0), kernels.metadata[TABLE_KEY].count(0)) == (28, 30)
    run_until(lambda: len(viewer.layers) == 5)  # The copy gets an image of its own.
    np.testing.assert_array_equal(image.data, before)
    np.testing.assert_array_equal(viewer.layers[3].data, twin.metadata[TABLE_KEY].model(0).render())
    assert viewer.layers[4] == twin == viewer.layers.selection.active  # It neither covers them nor takes their keys.


def test_recolouring_a_sum_of_gaussians(viewer: Any, noisy: np.ndarray, run_until: Wait) -> None:
    viewer.add_image(100 + noisy // 3, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    widget.form.set({"mode": "rbf"})
    press(widget.run)
    run_until(lambda: not widget.busy)
    open_widget(viewer, "Kernels")
    image, kernels = viewer.layers[1], viewer.layers[2]
    table = kernels.metadata[TABLE_KEY]
    before, others = table.model(0), image.data.copy()
    kernels.selected_data = {4}
    kernels.current_face_color = "#808080"
    after = table.model(0)
    low, high = noisy.min() // 3 + 100, noisy.max() // 3 + 100
    assert after.kernels().expert[4, 0] == pytest.approx(128 / 255 * (int(high) - int(low)), abs=0.5)
    np.testing.assert_array_equal(np.delete(after.experts, 4, 0), np.delete(before.experts, 4, 0))
    run_until(lambda: np.array_equal(image.data, after.render()))
    assert not np.array_equal(image.data, others)


def test_a_closed_widget_leaves_edits_to_the_one_that_is_opened_next(viewer: Any, fitted: Any) -> None:
    kernels = viewer.layers[2]
    viewer.window.remove_dock_widget(fitted.native)
    again = open_widget(viewer, "Kernels")
    kernels.selected_data = {0, 1}
    press(again.delete)
    assert len(kernels.data) == 28
    press(again.undo)
    assert len(kernels.data) == 30
    assert not again.undo.enabled
    viewer.window.add_dock_widget(fitted.native)  # A script may show it again.
    assert fitted.info.value.startswith("30 of 30 kernels drawn")


def test_save_from_the_widget(viewer: Any, fitted: Any, tmp_path: Any) -> None:
    from napari_rsmoe import Model

    fitted.save_to(tmp_path / "a.rsmoe")
    assert Model.load(tmp_path / "a.rsmoe").n_kernels == 30
    fitted.save_to(tmp_path / "none" / "a.rsmoe")
    assert "not saved" in last_words()


def test_kernels_without_a_layer_and_after_its_deletion(viewer: Any, fitted: Any) -> None:
    viewer.layers.remove(viewer.layers[2])
    assert fitted.layer.value is None
    assert "Fit an image" in fitted.info.value
    for button in (fitted.redraw, fitted.select, fitted.recolour, fitted.delete):
        press(button)
    fitted.step_back()
