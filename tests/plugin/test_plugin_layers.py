"""Which layer is processed, how results are shown, and that nothing of the user's is lost; in one window."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import LONG, Wait, last_words, names, open_widget, press, quick_fit

from napari_rsmoe.plugin.commands import copy_command_line, copy_python
from napari_rsmoe.plugin.names import METADATA_KEY

QUICK: dict[str, Any] = {"models": 2, "preset": "fast", "noise": 12.0}


def done(widget: Any, run_until: Wait) -> None:
    press(widget.run)
    run_until(lambda: not widget.busy)


def test_the_image_is_the_active_one_and_never_a_result(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.open_sample("napari-rsmoe", "micrograph")
    widget = open_widget(viewer, "Denoise")
    assert widget.layer.value.name == "noisy micrograph"
    other = viewer.add_image(noisy, name="cells")
    assert widget.layer.value.name == "cells"
    viewer.layers.selection.active = viewer.layers["noisy micrograph"]
    assert widget.layer.value.name == "noisy micrograph"
    viewer.layers.selection.active = other
    widget.form.set(QUICK)
    done(widget, run_until)
    assert viewer.layers.selection.active.name == "cells denoised"
    assert widget.layer.value.name == "cells"
    fits = open_widget(viewer, "Fit kernels")
    assert fits.layer.value.name == "cells"  # What the active result was made from.
    viewer.layers.selection.active = viewer.layers["cells uncertainty"]
    assert fits.layer.value.name == "cells"
    widget.layer.native.setCurrentIndex(widget.layer.native.findText("noisy micrograph"))  # As a user does.
    viewer.layers.selection.active = other
    assert (widget.layer.value.name, fits.layer.value.name) == ("noisy micrograph", "cells")
    viewer.layers["noisy micrograph"].name = "renamed"
    assert widget.layer.value.name == "renamed"
    viewer.layers.remove("renamed")
    assert widget.layer.value.name == "cells"
    for name in ("micrograph without noise", "cells"):
        viewer.layers.remove(name)
    assert widget.layer.value is None
    press(widget.run)
    assert "open an image first" in last_words()

    # Deleting another layer with the bin deletes that layer only.
    extra = viewer.add_image(noisy, name="extra")
    done(widget, run_until)
    viewer.layers.selection.active = extra
    viewer.layers.remove_selected()
    assert "extra denoised" in names(viewer)
    assert "extra" not in names(viewer)


def test_results_look_like_their_source_and_take_its_place(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    import napari

    own = napari.utils.Colormap([[0, 0, 0], [1, 0.4, 0]], name="orange of mine")
    viewer.add_image(noisy[::-1], name="nuclei", blending="additive", colormap="blue")
    cells = viewer.add_image(
        noisy, name="cells", blending="additive", colormap=own, contrast_limits=(20, 190), gamma=0.8, opacity=0.9
    )
    viewer.add_image(noisy, name="actin", blending="additive", colormap="red")
    viewer.layers.selection.active = cells
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    widget.outputs["residual"].value = True
    for _ in range(2):
        done(widget, run_until)
        assert names(viewer) == ["nuclei", "cells", "cells uncertainty", "cells residual", "cells denoised", "actin"]
        seen = [layer.name for layer in viewer.layers if layer.visible]
        assert seen == ["nuclei", "cells denoised", "actin"]
        cells.visible = True
    clean = viewer.layers["cells denoised"]
    np.testing.assert_array_equal(clean.colormap.colors, cells.colormap.colors)
    for name in ("blending", "contrast_limits", "gamma", "opacity"):
        assert getattr(clean, name) == getattr(cells, name), name
    widget.again.value = "add layers"
    done(widget, run_until)  # Two results of one channel would be summed too.
    assert sum("cells" in layer.name for layer in viewer.layers if layer.visible) == 1
    viewer.canvas.grid.enabled = True
    cells.visible = True
    done(widget, run_until)
    assert cells.visible  # Nothing overlaps in the grid.


def test_only_a_complete_result_of_the_same_part_replaces_one(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(np.stack([noisy, noisy[::-1], noisy]), name="stack", axis_labels=("c", "y", "x"))
    widget = open_widget(viewer, "Fit kernels")
    assert [widget.channels.native.itemText(k) for k in range(2)] == ["each separately", "c, 3 entries"]
    quick_fit(widget)
    done(widget, run_until)
    whole = viewer.layers["stack fit 90 kernels"]
    before = whole.data.copy()
    widget.part.planes.value = "the plane in view"
    done(widget, run_until)
    assert viewer.layers["stack fit 30 kernels"].data.shape == (1, 48, 64)
    widget.part.planes.value = "all planes"
    quick_fit(widget, steps=LONG)
    count = len(viewer.layers)
    viewer.dims.set_point(0, 0)
    press(widget.run)
    run_until(lambda: "stack (preview)" in names(viewer) and viewer.layers["stack (preview)"].visible)
    assert viewer.layers["stack"].visible is False
    viewer.dims.set_point(0, 1)  # The preview is of the first plane, and covers no other.
    assert not viewer.layers["stack (preview)"].visible
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert len(viewer.layers) == count + 2
    assert "stack fit 30 kernels (stopped, 1 of 3 planes)" in names(viewer)
    assert "1 of 3 planes are finished; the others are zero" in widget.status.value
    np.testing.assert_array_equal(whole.data, before)

    # Channels are chosen from the list, and stay chosen when layers come and go.
    widget.channels.native.setCurrentIndex(1)
    viewer.add_labels(np.zeros(noisy.shape, int))
    assert widget.channels.value == 0
    quick_fit(widget)
    done(widget, run_until)
    assert viewer.layers.selection.active.name == "stack fit 30 kernels: kernels [1]"
    assert widget.result.record["source"]["axes"] == "CYX"
    np.testing.assert_array_equal(whole.data, before)


def test_edited_kernels_are_not_replaced(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    done(widget, run_until)
    kernels = viewer.layers.selection.active
    table = kernels.metadata["rsmoe_kernels"]
    table.delete(0, np.array([3]))
    done(widget, run_until)
    assert kernels in viewer.layers
    assert table.count(0) == 29
    assert len(viewer.layers) == 4  # The image was replaced, and the new kernels were added.


def test_an_early_cancel_claims_no_certainty(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(np.stack([noisy] * 3), name="film")
    widget = open_widget(viewer, "Denoise")
    widget.form.set({**QUICK, "models": 200})
    widget.outputs["residual"].value = True
    press(widget.run)
    run_until(lambda: widget._run.job.progress is not None and ", model" in widget._run.job.progress.stage)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert widget.result.record["metrics"]["stopped"]
    found = [layer for layer in viewer.layers if "uncertainty" in layer.name]
    assert not found or np.isnan(found[0].data[1:]).all()
    assert np.isnan(viewer.layers["film residual"].data[1:]).all()
    assert np.isfinite(viewer.layers["film residual"].data[0]).all()


def test_no_preview_covers_a_result_that_comes_while_the_bar_is_drawn(
    viewer: Any, run_until: Wait, noisy: np.ndarray
) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Denoise")
    widget.form.set({**QUICK, "models": 200})
    press(widget.run)
    run, job = widget._run, widget._run.job
    taken: list[Any] = []
    take, draw = job.take_preview, run._bar.show

    def take_and_keep() -> Any:
        taken.extend(filter(None, [take()]))
        return taken[-1] if taken else None

    def draw_late(progress: Any) -> None:
        """As on a busy machine: napari's bar handles the events of the window, and the job ends meanwhile."""
        run._bar.show = draw
        job.cancel()
        run_until(lambda: not widget.busy)

    job.take_preview = take_and_keep
    run_until(lambda: bool(taken))
    run._bar.show = draw_late
    run.tick(0.0)
    expected = widget.result.outputs[0].data
    np.testing.assert_array_equal(viewer.layers.selection.active.data, expected)
    assert (taken[-1].image != expected).any()


def test_a_preview_of_another_plane_leaves_the_one_in_view(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    film = viewer.add_image(np.stack([noisy, noisy]), name="film", blending="additive")
    viewer.dims.set_point(0, 1)
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget, steps=LONG)
    press(widget.run)
    preview = widget._run.preview
    run_until(lambda: preview.layer is not None)
    shown = viewer.layers["film (preview)"]
    assert (shown.visible, film.visible) == (False, True)  # The first plane is being fitted.
    viewer.dims.set_point(0, 0)
    assert (shown.visible, film.visible) == (True, False)
    viewer.dims.set_point(0, 1)
    assert (shown.visible, film.visible) == (False, True)
    press(widget.cancel)
    run_until(lambda: not widget.busy)


def test_closing_the_dock_leaves_nothing_behind(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    cells = viewer.add_image(noisy, name="cells", blending="additive")
    dock, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Fit kernels")
    quick_fit(widget, steps=LONG)
    press(widget.run)
    run_until(lambda: "cells (preview)" in names(viewer))
    job = widget._run.job
    dock.destroyOnClose()  # The cross in its title bar.
    run_until(lambda: job.done)
    assert names(viewer) == ["cells"]
    assert cells.visible
    assert METADATA_KEY not in cells.metadata


def test_copied_calls_leave_out_what_was_left_out(
    viewer: Any, run_until: Wait, noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner
    from qtpy.QtWidgets import QApplication

    from napari_rsmoe.cli.program import main
    from napari_rsmoe.io.files import read_image
    from napari_rsmoe.io.writing import write_image

    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "cells.tif", noisy)
    viewer.open(tmp_path / "cells.tif", plugin="napari")
    mask = np.zeros(noisy.shape, np.uint8)
    mask[5:9, 5:40] = 3
    labels = viewer.add_labels(mask, name="gap")
    widget = open_widget(viewer, "Denoise")
    widget.mask.value = labels
    labels.name = "dead pixels"  # The choice stays.
    widget.form.set({**QUICK, "fill": False})
    done(widget, run_until)
    clean = viewer.layers.selection.active.data
    press(widget.copy_python)
    texts = [QApplication.clipboard().text()]
    viewer.layers.remove(labels)
    assert widget.mask.value is None
    assert copy_python(viewer) == texts[0]  # Of the result, whose mask is no longer in the window.
    names_: dict[str, Any] = {}
    exec(texts[0], names_)
    np.testing.assert_array_equal(names_["result"], clean)
    shell = copy_command_line(viewer)
    assert "#" not in shell
    assert CliRunner().invoke(main, shlex.split(shell)[1:]).exit_code == 0
    np.testing.assert_array_equal(read_image(tmp_path / "denoise.tif").data, clean)
    assert len(list(tmp_path.glob("cells.mask-*.tif"))) == 1

    write_image(tmp_path / "mask.tif", mask)  # A mask that has a file is taken from there.
    viewer.layers.selection.active = viewer.layers["cells"]
    viewer.open(tmp_path / "mask.tif", plugin="napari", layer_type="labels")
    widget.mask.value = viewer.layers["mask"]
    press(widget.copy_command)
    assert f"--mask {tmp_path / 'mask.tif'}" in QApplication.clipboard().text()
    viewer.layers["mask"].data[20:30, 20:30] = 1  # Painted since.
    press(widget.copy_command)
    assert f"--mask {tmp_path / 'cells.mask-'}" in QApplication.clipboard().text()


def test_a_copy_that_the_user_has_made_of_a_result_is_never_replaced(
    viewer: Any, run_until: Wait, noisy: np.ndarray
) -> None:
    from napari.layers import Layer

    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Denoise")
    widget.form.set({**QUICK, "models": 1})
    done(widget, run_until)
    first = viewer.layers["cells denoised"]
    kept = np.array(first.data)
    data, options, kind = first.as_layer_data_tuple()
    copy = viewer.add_layer(Layer.create(data.copy(), {**options, "name": "my copy"}, kind))  # As "Duplicate Layer".
    widget.form.set({"seed": 5, "noise": 30.0})
    done(widget, run_until)
    np.testing.assert_array_equal(copy.data, kept)
    assert copy.name == "my copy"
    assert (viewer.layers["cells denoised"].data != kept).any()
    assert len(viewer.layers) == 3
