"""The Deblur widget in a real window: every way to say what the blur is."""

from __future__ import annotations

from typing import Any

import numpy as np
from driving import Wait, last_words, open_widget, press
from qtpy.QtWidgets import QApplication
from scipy.ndimage import gaussian_filter

from napari_rsmoe import deblur, measure_psf
from napari_rsmoe.plugin.service import DeblurSettings, start


def beads() -> np.ndarray:
    points = np.zeros((72, 72))
    points[[18, 18, 52], [18, 52, 36]] = 4000
    return gaussian_filter(points, 1.5)


def scene() -> np.ndarray:
    points = np.zeros((40, 48))
    points[8:36:9, 8:44:9] = 1000
    blurred = gaussian_filter(points, 1.5)
    return np.random.default_rng(0).poisson(blurred + 20).astype(np.uint16)


def opened(viewer: Any) -> Any:
    widget = open_widget(viewer, "Deblur")
    widget.form.set({"preset": "fast"})
    return widget


def test_a_gaussian_and_a_lens_and_the_copied_call(viewer: Any, run_until: Wait) -> None:
    image = scene()
    layer = viewer.add_image(image, name="points", scale=(0.065, 0.065), units=("um", "um"))
    widget = opened(viewer)
    assert widget.pixel.value == 65
    widget.form.set({"scale": 2.0})
    press(widget.run)
    run_until(lambda: not widget.busy)
    result = viewer.layers["points deblurred x2"]
    np.testing.assert_array_equal(result.data, deblur(image, 1.5, 2.0, preset="fast").image)
    error_bar = viewer.layers["points uncertainty"]
    assert not error_bar.visible
    for each in (result, error_bar):  # The same area, in pixels of half the size.
        np.testing.assert_allclose([each.scale, each.translate], [[0.0325, 0.0325], [-0.01625, -0.01625]])
    assert not layer.visible
    press(widget.copy_python)
    names: dict[str, Any] = {"viewer": viewer}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["result"], result.data)
    press(widget.copy_command)
    assert "--psf 1.5 --scale 2" in QApplication.clipboard().text()
    widget.spread.value = "a lens"
    assert widget.aperture.visible
    assert not widget.sigma.visible
    assert widget.given()["psf"] == (1.4, 520, 65)


def test_a_point_spread_function_from_beads_in_a_layer(viewer: Any, run_until: Wait) -> None:
    image = scene()
    viewer.add_image(beads(), name="beads")
    viewer.add_image(image, name="points")
    widget = opened(viewer)
    assert widget.layer.value.name == "points"
    widget.spread.value = "beads in an image"
    press(widget.run)
    assert "Choose in Layer which image shows beads" in last_words()
    widget.of_layer.value = viewer.layers["beads"]
    press(widget.run)
    run_until(lambda: not widget.busy)
    expected = deblur(image, measure_psf(beads()), preset="fast").image
    np.testing.assert_array_equal(viewer.layers["points deblurred"].data, expected)
    press(widget.copy_python)
    assert "psf = measure_psf(psf)" in QApplication.clipboard().text()
    names: dict[str, Any] = {"viewer": viewer}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["result"], expected)
    press(widget.copy_command)
    assert "napari_rsmoe.write_image('psf.tif', psf)" in QApplication.clipboard().text()
    widget.of_layer.value = viewer.layers["points"]
    widget.spread.value = "beads in an image"
    widget.of_layer.value = viewer.layers["points uncertainty"]
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert "beads" in last_words()


def test_deblur_as_a_service_and_a_crop_before_the_run(viewer: Any, run_until: Wait) -> None:
    image = scene()
    layer = viewer.add_image(image, name="points")
    done = start("deblur", layer, DeblurSettings(psf=1.5, preset="fast"), viewer, std=True)
    run_until(done.done)
    assert [each.name for each in done.result()] == ["points deblurred", "points uncertainty"]
    widget = opened(viewer)
    press(widget.trying.crop)
    run_until(lambda: widget.trying.job is None)
    assert "points (crop)" in viewer.layers
    assert "The whole takes about" in widget.status.value
