"""The widgets in a real window, driven as a user does: choose, press, wait, cancel, press again, close."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import LONG, Wait, last_words, names, open_widget, press, quick_fit

from napari_rsmoe import denoise, fit, upscale
from napari_rsmoe.errors import ImageWarning
from napari_rsmoe.plugin.names import METADATA_KEY

# ------------------------------------------------------------------ Denoise


def test_denoise(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    layer = viewer.add_image(noisy, name="cells", scale=(0.5, 0.5), colormap="green")
    widget = open_widget(viewer, "Denoise")
    assert widget.layer.value.name == "cells"
    widget.form.set({"models": 3, "preset": "fast", "noise": 12.0})
    widget.outputs["residual"].value = True
    press(widget.run)
    assert widget.busy
    assert not widget.run.enabled
    run_until(lambda: not widget.busy)
    assert names(viewer) == ["cells", "cells uncertainty", "cells residual", "cells denoised"]
    clean = viewer.layers["cells denoised"]
    np.testing.assert_array_equal(clean.data, denoise(noisy, models=3, preset="fast", noise=12.0).image)
    np.testing.assert_allclose(clean.scale, layer.scale)
    assert clean.colormap.name == "green"
    assert widget.status.value.startswith("Done")
    assert widget.progress.value == 1000


def test_denoise_leaves_labelled_pixels_out(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    mask = np.zeros(noisy.shape, np.uint8)
    mask[5:9, 5:20] = 1
    labels = viewer.add_labels(mask, name="gap")
    widget = open_widget(viewer, "Denoise")
    widget.mask.value = viewer.add_labels(mask[:9], name="other")
    press(widget.run)
    assert last_words().endswith("have shape (9, 64); the image needs (48, 64).")
    widget.mask.value = labels
    widget.form.set({"models": 2, "preset": "fast", "noise": 12.0, "fill": False})
    press(widget.run)
    run_until(lambda: not widget.busy)
    clean = viewer.layers["cells denoised"].data
    np.testing.assert_array_equal(clean[mask > 0], noisy[mask > 0])
    assert (clean != noisy)[mask == 0].mean() > 0.5


def test_run_again_replaces_or_adds(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Denoise")
    widget.form.set({"models": 1, "preset": "fast"})
    for again, expected in (("replace the last result", 2), ("replace the last result", 2), ("add layers", 3)):
        widget.again.value = again
        press(widget.run)
        run_until(lambda: not widget.busy)
        assert len(viewer.layers) == expected
    widget.again.value = "replace the last result"
    viewer.layers[1].opacity = 0.4
    viewer.layers.remove(viewer.layers[2])
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert viewer.layers[1].opacity == 0.4  # the look is kept


def test_settings_are_remembered(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy)
    first = open_widget(viewer, "Denoise")
    first.form.set({"models": 2, "preset": "fast", "noise": 7.5, "saturation": 233.0})
    first.outputs["residual"].value = True
    press(first.run)
    run_until(lambda: not first.busy)
    from napari_rsmoe.plugin.widgets.denoise import DenoiseWidget

    second = DenoiseWidget(viewer)
    assert second.form.get()["noise"] == 7.5
    assert second.form.get()["saturation"] == 233.0
    assert second.outputs["residual"].value
    second.form.reset()
    assert second.form.get()["noise"] == "auto"
    second.close()


def test_errors_are_told_in_words_and_the_widget_goes_on(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    widget = open_widget(viewer, "Denoise")
    press(widget.run)
    assert "open an image first" in last_words()
    viewer.add_image(np.zeros((8, 8), bool), name="mask")
    widget.form.set({"models": 1, "preset": "fast"})
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert "boolean" in last_words()
    assert "Traceback" not in last_words()
    assert widget.status.value == "Failed"
    widget.layer.value = viewer.add_image(noisy, name="cells")
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert "cells denoised" in names(viewer)


def test_advanced_settings_are_folded(viewer: Any, run_until: Wait) -> None:
    widget = open_widget(viewer, "Denoise")
    run_until(lambda: widget.form.field("models").visible)
    assert not widget.form.field("threshold").visible
    press(widget.form.toggle)
    assert widget.form.field("threshold").visible
    press(widget.form.toggle)
    assert not widget.form.field("threshold").visible


def test_copy_buttons_fill_the_clipboard(viewer: Any, noisy: np.ndarray) -> None:
    from qtpy.QtWidgets import QApplication

    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    press(widget.copy_python)
    assert "fit(image, n_kernels=30, iterations=20).render()" in QApplication.clipboard().text()
    press(widget.copy_command)
    assert "napari-rsmoe fit image.tif fit.tif --n-kernels 30 --iterations 20" in QApplication.clipboard().text()


# ------------------------------------------------------------------ Fit


def test_fit_gives_reconstruction_and_kernels(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert names(viewer) == ["cells", "cells fit 30 kernels", "cells fit 30 kernels: kernels"]
    np.testing.assert_array_equal(viewer.layers[1].data, fit(noisy, 30, iterations=20).render())
    assert viewer.layers[1].metadata[METADATA_KEY]["metrics"]["psnr"] > 10
    assert len(viewer.layers[2].data) == 30
    assert len(widget.curve.points) > 2


def test_targets_exclude_each_other(viewer: Any) -> None:
    form = open_widget(viewer, "Fit kernels").form
    form.set({"n_kernels": 50})
    form.set({"psnr": 25.0})
    assert form.get()["n_kernels"] == "auto"
    form.set({"time": 2.0})
    assert form.get()["psnr"] is None
    form.set({"iterations": 30})
    assert form.get()["time"] is None


def test_fit_to_a_quality_and_within_a_time(viewer: Any, run_until: Wait, picture: np.ndarray) -> None:
    viewer.add_image(picture, name="p")
    widget = open_widget(viewer, "Fit kernels")
    for target in ({"psnr": 26.0, "preset": "fast"}, {"time": 0.3}):
        widget.form.reset()
        widget.form.set(target)
        press(widget.run)
        run_until(lambda: not widget.busy)
        assert widget.result.record["metrics"]["psnr"] > 25.5
    assert len(viewer.layers) == 3


def test_preview_grows_and_cancel_keeps_it(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget, steps=LONG)
    press(widget.run)
    assert names(viewer) == ["cells"]  # The layer of the preview comes with the first one.
    run_until(lambda: "cells (preview)" in names(viewer))
    first = viewer.layers["cells (preview)"].data
    run_until(lambda: not np.array_equal(viewer.layers["cells (preview)"].data, first))
    run_until(lambda: "left" in widget.status.value)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert widget.result.record["metrics"]["stopped"]
    assert widget.status.value.startswith("Stopped")
    assert "cells (preview)" not in names(viewer)
    kept = viewer.layers["cells fit 30 kernels (stopped)"].data
    assert np.abs(kept.astype(float) - noisy).mean() < noisy.std()
    quick_fit(widget)  # and once more
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert not widget.result.record["metrics"]["stopped"]
    assert names(viewer) == ["cells", "cells fit 30 kernels", "cells fit 30 kernels: kernels"]


def test_deleting_layers_during_the_run(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget, steps=LONG)
    press(widget.run)
    run_until(lambda: "cells (preview)" in names(viewer))
    viewer.layers.remove(viewer.layers["cells (preview)"])
    viewer.layers.remove(viewer.layers["cells"])
    run_until(lambda: widget._run.preview is None)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert names(viewer) == ["cells fit 30 kernels (stopped)", "cells fit 30 kernels (stopped): kernels"]


def test_closing_the_widget_stops_the_job(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    dock, widget = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Fit kernels")
    quick_fit(widget, steps=LONG)
    press(widget.run)
    job = widget._run.job
    run_until(lambda: job.progress is not None)
    viewer.window.remove_dock_widget(dock)
    widget.native.deleteLater()
    run_until(lambda: job.cancelled and job.done)
    assert not [name for name in names(viewer) if "fit" in name]


def test_closing_the_window_stops_the_job(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget, steps=LONG)
    press(widget.run)
    job = widget._run.job
    run_until(lambda: job.progress is not None)
    viewer.close()
    run_until(lambda: job.cancelled and job.done)


def test_a_stack_and_one_plane_of_it(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(np.stack([noisy, noisy[::-1], noisy]), name="stack", scale=(2, 1, 1))
    widget = open_widget(viewer, "Fit kernels")
    run_until(lambda: widget.part.planes.visible)
    quick_fit(widget)
    viewer.dims.set_point(0, 2)
    widget.part.planes.value = "the plane in view"
    press(widget.run)
    run_until(lambda: not widget.busy)
    drawn = viewer.layers["stack fit 30 kernels"]
    assert drawn.data.shape == (1, 48, 64)
    np.testing.assert_allclose(drawn.data_to_world((0, 0, 0)), (2, 0, 0))
    np.testing.assert_array_equal(drawn.data[0], fit(noisy[::-1], 30, iterations=20).render())
    widget.part.planes.value = "all planes"
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert viewer.layers["stack fit 90 kernels"].data.shape == (3, 48, 64)
    assert viewer.layers["stack fit 30 kernels"].data.shape == (1, 48, 64)  # Of another scope, so it is not replaced.
    assert viewer.layers.selection.active.name == "stack fit 90 kernels: kernels"


# ------------------------------------------------------------------ Super-resolution & sharpen


def enlarge(widget: Any, **given: Any) -> None:
    widget.form.set({"models": 2, "iterations": 5, "n_kernels": 60, **given})
    press(widget.run)


def test_upscale_and_live_sharpening(
    viewer: Any, run_until: Wait, noisy: np.ndarray, recwarn: pytest.WarningsRecorder
) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Super-resolution & sharpen")
    enlarge(widget, scale=2.5, noise=0.0)
    run_until(lambda: not widget.busy)
    large = viewer.layers["cells x2.5"]
    options: dict[str, Any] = {"models": 2, "iterations": 5, "n_kernels": 60, "noise": 0.0}
    np.testing.assert_array_equal(large.data, upscale(noisy, 2.5, **options))
    widget.sharpen.value = 1.8
    run_until(lambda: "cells x2.5 sharpened 1.8" in names(viewer))
    run_until(lambda: not widget._live.busy)
    said = widget.status.value
    assert not [each for each in recwarn if "sharpen" in str(each.message)]  # Nothing pops up at each move.
    with pytest.warns(ImageWarning, match=r"sharpen=1\.8 makes"):
        np.testing.assert_array_equal(large.data, upscale(noisy, 2.5, 1.8, **options))
    assert large.metadata[METADATA_KEY]["parameters"]["sharpen"] == 1.8
    assert said.startswith("Sharpened 1.8. “")
    assert "1.8 makes" in said


def test_upscale_of_a_rectangle_and_the_view(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    layer = viewer.add_image(noisy, name="cells", scale=(0.5, 0.5), translate=(3, 4))
    widget = open_widget(viewer, "Super-resolution & sharpen")
    widget.part.region.value = "a rectangle"
    press(widget.run)
    assert "no shapes layer" in last_words()
    low, high = layer.data_to_world((9.5, 19.5)), layer.data_to_world((29.5, 49.5))
    viewer.add_shapes([[low, (low[0], high[1]), high, (high[0], low[1])]], shape_type="rectangle", name="frame")
    enlarge(widget, scale=2.0)
    run_until(lambda: not widget.busy)
    part = viewer.layers["cells x2"]
    options: dict[str, Any] = {"models": 2, "iterations": 5, "n_kernels": 60}
    np.testing.assert_array_equal(part.data, upscale(noisy[10:30, 20:50], 2.0, **options))
    np.testing.assert_allclose(part.data_to_world((-0.5, -0.5)), low)
    widget.part.region.value = "the current view"
    viewer.reset_view()
    widget.layer.value = layer
    enlarge(widget, scale=2.0)
    run_until(lambda: not widget.busy)
    tall, wide = widget._result_layer.data.shape
    assert tall == 96  # the view is as high as the image, but may be narrower
    assert 60 < wide <= 128


def test_bicubic_beside_and_over(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells", scale=(0.5, 0.5))
    widget = open_widget(viewer, "Super-resolution & sharpen")
    widget.compare.value = "bicubic in its place"
    enlarge(widget)
    run_until(lambda: not widget.busy)
    large, cubic = viewer.layers["cells x2"], viewer.layers["cells x2 bicubic"]
    np.testing.assert_allclose(cubic.translate, large.translate)
    widget.compare.value = "bicubic beside it"
    enlarge(widget)
    run_until(lambda: not widget.busy)
    large, cubic = viewer.layers["cells x2"], viewer.layers["cells x2 bicubic"]
    assert cubic.data_to_world((0, -0.5))[1] > large.data_to_world((0, 127.5))[1]
    assert cubic.translate[0] == pytest.approx(large.translate[0])


# ------------------------------------------------------------------ commands


def test_commands_run_in_the_background(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    from napari_rsmoe.plugin.commands import copy_command_line, copy_python, denoise_selected, fit_selected
    from napari_rsmoe.plugin.widgets.memory import remember

    assert list(fit_selected(viewer)) == []
    assert "Select an image layer" in last_words()
    layer = viewer.add_image(noisy, name="cells")
    viewer.layers.selection = {layer}
    remember("denoise", {"parameters": {"models": 2, "preset": "fast"}})
    (job,) = denoise_selected(viewer)
    run_until(lambda: job.done)
    assert names(viewer) == ["cells", "cells denoised"]
    viewer.layers.selection.active = viewer.layers["cells denoised"]
    assert "denoise(image, preset='fast', models=2).image" in copy_python(viewer)
    assert "--models 2" in copy_command_line(viewer)
    viewer.layers.selection.active = layer
    assert copy_python(viewer) == ""
    assert "Select a result layer" in last_words()


def test_a_stopped_job_frees_the_widget_at_once(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(np.tile(noisy, (3, 3)), name="cells")
    widget = open_widget(viewer, "Denoise")
    widget.form.set({"preset": "fast", "models": 3, "noise": 12.0})
    press(widget.run)
    press(widget.cancel)  # Before anything is reported there is nothing to wait for.
    assert not widget.busy
    assert widget.run.enabled
    assert "before there was a result" in widget.status.value
    press(widget.run)
    run_until(lambda: widget._run.job.progress is not None and widget._run.job.progress.fraction > 0.3)
    press(widget.cancel)
    assert widget.run.enabled
    assert widget.cancel.text == "Discard"
    press(widget.run)  # The layers of the stopped job come while the next one runs.
    assert widget.busy
    run_until(lambda: not widget.busy)
    assert "cells denoised" in viewer.layers
    assert widget.status.value.startswith("Done")
