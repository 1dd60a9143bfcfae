"""Lazy and multiscale layers, denoised block by block into an OME-Zarr that is shown while it fills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from driving import Wait, last_words, open_widget, press

from napari_rsmoe import denoise, read_image

QUICK = {"preset": "fast", "models": 2, "noise": 12.0, "n_kernels": 40, "block": 32}


@pytest.fixture
def large(noisy: np.ndarray) -> Any:
    """(96, 128) in chunks."""
    return da.from_array(np.block([[noisy, noisy[::-1]], [noisy[:, ::-1], noisy]]), chunks=32)


def opened(viewer: Any, folder: Path) -> Any:
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    widget.storing.path.line_edit.value = str(folder / "out.ome.zarr")
    return widget


def test_a_lazy_layer_becomes_a_store_that_is_shown_while_it_fills(
    viewer: Any, run_until: Wait, large: Any, tmp_path: Path
) -> None:
    layer = viewer.add_image(large, name="cells", scale=(0.5, 0.5), units=("um", "um"), translate=(3, 4))
    widget = opened(viewer, tmp_path)
    assert widget.storing.on_disk
    press(widget.run)
    run_until(lambda: len(viewer.layers) == 2)
    filling = viewer.layers["cells denoised (filling)"]
    assert not filling.multiscale
    assert not layer.visible
    run_until(lambda: widget._filling is None or widget._filling.filling.done >= 2)
    assert np.asarray(filling.data[...]).any()
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert not (tmp_path / "out.ome.zarr").exists()
    assert "Denoise goes on from there" in widget.status.value
    before = np.asarray(filling.data[...])
    viewer.layers.clear()  # As after another start of the program.
    viewer.add_image(large, name="cells", scale=(0.5, 0.5), units=("um", "um"), translate=(3, 4))
    press(widget.run)
    run_until(lambda: not widget.busy)
    result = viewer.layers["cells denoised"]
    expected = denoise(large.compute(), **QUICK).image
    np.testing.assert_array_equal(np.asarray(result.data[...]), expected)
    np.testing.assert_array_equal(before[before != 0], expected[before != 0])
    np.testing.assert_array_equal(result.scale, (0.5, 0.5))
    np.testing.assert_array_equal(result.translate, (3, 4))
    saved = read_image(tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(saved.numpy(), expected)
    assert saved.pixel_size["X"].value == 0.5
    error_bar = viewer.layers["cells uncertainty"]
    assert not error_bar.visible
    np.testing.assert_array_equal(np.asarray(error_bar.data[...]), denoise(large.compute(), **QUICK).std)
    assert (tmp_path / "out_uncertainty.ome.zarr").exists()


def test_a_multiscale_stack_is_denoised_at_full_resolution_and_what_is_in_view_first(
    viewer: Any, run_until: Wait, large: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_rsmoe.plugin.stored.COARSEST", 64)
    monkeypatch.setattr("napari_rsmoe.io.block_store.SMALLEST_LEVEL", 64)
    stack = da.stack([large, large[::-1]])
    viewer.add_image([stack, stack[:, ::2, ::2]], name="cells", multiscale=True)
    viewer.dims.set_point(0, 1)
    widget = opened(viewer, tmp_path)
    widget.form.set({"block": 64})
    widget.outputs["std"].value = False
    press(widget.run)
    run_until(lambda: len(viewer.layers) == 2)
    filling = viewer.layers[-1]
    assert [level.shape for level in filling.data] == [(2, 96, 128), (2, 48, 64)]
    run_until(lambda: widget._filling.filling.view is not None or not widget.busy)
    run_until(lambda: not widget.busy)
    result = viewer.layers[-1]
    assert result.name == "cells denoised"
    assert [level.shape for level in result.data] == [(2, 96, 128), (2, 48, 64)]
    assert np.asarray(result.data[1][...]).min() > 0


def test_what_cannot_be_stored_is_said_in_words(viewer: Any, large: Any, tmp_path: Path) -> None:
    viewer.add_image(large, name="cells")
    widget = opened(viewer, tmp_path)
    widget.storing.path.line_edit.value = ""
    press(widget.run)
    assert "Choose Save as" in last_words()
    widget.storing.path.line_edit.value = str(tmp_path / "out.tif")
    press(widget.run)
    assert "must end in .ome.zarr" in last_words()
    assert not widget.busy
    viewer.add_image(np.zeros((40, 40), np.uint8), name="small")
    assert not widget.storing.on_disk
