"""The Files widget in a real window: a folder in, a folder of results out."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from driving import Wait, last_words, open_widget, press

from napari_rsmoe import denoise, read_image, write_image
from napari_rsmoe.batch.pairs import Pair
from napari_rsmoe.batch.queue import Entry
from napari_rsmoe.plugin.widgets.file_table import FileTable
from napari_rsmoe.plugin.widgets.files import FilesWidget


@pytest.fixture
def folder(tmp_path: Path, noisy: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RSMOE_STATE", str(tmp_path / "state"))
    source = tmp_path / "cells"
    source.mkdir()
    for name in ("one", "two", "other"):
        write_image(source / f"{name}.tif", noisy)
    return source


def opened(viewer: Any, folder: Path) -> Any:
    widget = open_widget(viewer, "Files")
    widget.source.line_edit.value = str(folder)
    widget._propose_folder()
    widget.forms["denoise"].set({"models": 2, "preset": "fast", "noise": 12.0})
    return widget


def test_a_folder_is_processed_and_taken_up_again(
    viewer: Any, run_until: Wait, folder: Path, noisy: np.ndarray
) -> None:
    widget = opened(viewer, folder)
    target = folder.parent / "cells_denoised"
    assert widget.target.line_edit.value == str(target)
    widget.names.value = "t*"
    widget.outputs["denoise"]["std"].value = True
    press(widget.run)
    assert widget.busy
    run_until(lambda: not widget.busy)
    assert [widget.table.item(0, column).text() for column in (0, 2)] == ["two.tif", "done"]
    np.testing.assert_array_equal(
        read_image(target / "two.ome.tif").numpy(), denoise(noisy, models=2, preset="fast", noise=12.0).image
    )
    assert (target / "uncertainty" / "two.ome.tif").exists()
    assert widget.status.value.startswith("1 of 1 files are finished")
    widget.names.value = "*"
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert [widget.table.item(row, 2).text() for row in range(3)] == ["done", "done", "done before"]
    widget.table.cellDoubleClicked.emit(1, 0)
    assert len(viewer.layers) == 1
    assert viewer.layers[0].data.shape == noisy.shape


def test_cancel_leaves_no_half_file(viewer: Any, run_until: Wait, folder: Path) -> None:
    widget = opened(viewer, folder)
    widget.forms["denoise"].set({"models": 200})
    press(widget.run)
    run_until(lambda: widget.queue.entries[0].fraction > 0)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert widget.queue.entries[0].state == "stopped"
    assert widget.run.text == "Resume"
    assert "3 are left" in widget.status.value
    assert not list((folder.parent / "cells_denoised").glob("*.tif"))


def test_cancel_while_the_engine_is_being_loaded(
    viewer: Any, run_until: Wait, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Event()
    monkeypatch.setattr(FilesWidget, "load", staticmethod(lambda: loaded.wait(60)))
    widget = opened(viewer, folder)
    press(widget.run)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    loaded.set()
    assert widget.queue.entries[0].state == "waiting"
    assert "3 are left" in widget.status.value


def test_what_is_missing_is_said_in_words(viewer: Any, folder: Path) -> None:
    widget = open_widget(viewer, "Files")
    press(widget.run)
    assert "Choose a folder" in last_words()
    widget.source.line_edit.value = str(folder)
    widget.target.line_edit.value = str(folder)
    press(widget.run)
    assert "are the same" in last_words()
    widget.target.line_edit.value = str(folder.parent / "out")
    widget.names.value = "x*"
    press(widget.run)
    assert "no image with a name like x*" in last_words()
    assert not widget.busy


def test_an_unfinished_queue_is_shown_and_resumed_in_another_session(
    viewer: Any, run_until: Wait, folder: Path, noisy: np.ndarray
) -> None:
    widget = opened(viewer, folder)
    widget.forms["denoise"].set({"models": 3, "block": 32, "n_kernels": 40})
    widget.names.value = "o*"
    press(widget.run)
    run_until(lambda: widget.queue.entries[1].fraction > 0.3)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    states = [entry.state for entry in widget.queue.entries]
    assert states == ["done", "stopped"]
    assert (folder.parent / "cells_denoised" / "other.ome.tif.rsmoe-job").is_dir()
    viewer.window.remove_dock_widget(widget.native)
    again = open_widget(viewer, "Files")
    assert again.source.line_edit.value == str(folder)
    assert again.names.value == "o*"
    assert again.run.text == "Resume"
    assert [again.table.item(row, 2).text() for row in range(2)] == states
    assert "1 of 2 files of an earlier queue are not finished" in again.status.value
    press(again.run)
    run_until(lambda: not again.busy)
    assert [again.table.item(row, 2).text() for row in range(2)] == ["done before", "done"]
    expected = denoise(noisy, models=3, preset="fast", noise=12.0, block=32, n_kernels=40).image
    for entry in again.queue.entries:
        np.testing.assert_array_equal(read_image(entry.pair.target).numpy(), expected)


def test_the_selected_layers_are_a_queue_too_with_pixels_left_out(
    viewer: Any, run_until: Wait, folder: Path, noisy: np.ndarray
) -> None:
    hole = np.zeros(noisy.shape, np.uint8)
    hole[10:14, 20:24] = 1
    spoiled = np.where(hole, 255, noisy).astype(np.uint8)
    first = viewer.add_image(spoiled, name="a/b", scale=(0.5, 0.5), units=("um", "um"))
    second = viewer.add_image(spoiled[::-1], name="plain")
    viewer.add_image(noisy, name="not chosen")
    viewer.add_labels(hole, name="hole")
    viewer.layers.selection = {first, second}
    widget = opened(viewer, folder)
    widget.inputs.images.value = "selected layers"
    widget.inputs.mask.value = viewer.layers["hole"]
    widget.target.line_edit.value = str(folder.parent / "out")
    widget.format.value = "OME-Zarr"
    assert not widget.source.visible
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert [entry.state for entry in widget.queue.entries] == ["done", "done"]
    saved = read_image(folder.parent / "out" / "a_b.ome.zarr")
    np.testing.assert_array_equal(saved.numpy(), denoise(spoiled, models=2, preset="fast", noise=12.0, mask=hole).image)
    assert saved.pixel_size["X"].value == 0.5
    press(widget.run)
    assert [entry.state for entry in widget.queue.entries] == ["done before", "done before"]
    first.data = noisy
    press(widget.run)
    assert "exists and was not written by this command" in last_words()
    assert "Overwrite" in last_words()
    widget.overwrite.value = True
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert [entry.state for entry in widget.queue.entries] == ["done", "done before"]
    viewer.layers.selection.clear()
    press(widget.run)
    assert "Select one or more images" in last_words()


def test_the_table_says_first_why_a_file_failed(qapp: Any, tmp_path: Path) -> None:
    pair = Pair(tmp_path / "cells.tif", tmp_path / "out.tif")
    table = FileTable(lambda _: None)
    table.show_entries([Entry(pair, "failed", summary=f"{pair.source} cannot be read: it is damaged.")])
    assert table.item(0, 3).text() == "cannot be read: it is damaged."
    assert str(pair.source) in table.item(0, 3).toolTip()
