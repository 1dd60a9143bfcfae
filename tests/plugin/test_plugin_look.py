"""Looking at results: the curtain, profiles, the noise report, and the kernels of a pixel; in a real window."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from driving import Wait, last_words, names, open_widget, press, quick_fit
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from vispy.gloo.glir import GlirParser

from napari_rsmoe import fit
from napari_rsmoe.noise.report import noise_report
from napari_rsmoe.plugin.layers.explaining import mixture_at
from napari_rsmoe.plugin.layers.halves import Halves, halves_of
from napari_rsmoe.plugin.widgets.compare import CompareWidget

QUICK: dict[str, Any] = {"models": 2, "preset": "fast"}


# ------------------------------------------------------------------ the curtain


@pytest.mark.parametrize("index", [..., (1,), (1, slice(2, 9)), (slice(0, 2), slice(None), slice(3, 11, 2)), (0, 4, 7)])
def test_halves_are_cut_from_both_images(index: Any) -> None:
    rng = np.random.default_rng(0)
    after = rng.integers(0, 1000, (2, 12, 16), np.uint16)
    before = rng.integers(0, 1000, (2, 6, 8), np.uint16)  # Twice as coarse.
    halves = Halves(before, after, np.array([1.0, 0.5, 0.5]), np.array([0.0, -0.25, -0.25]), axis=2)
    halves.edge = 9
    expected = after.copy()
    expected[:, :, :9] = before.repeat(2, 1).repeat(2, 2)[:, :, :9]
    np.testing.assert_array_equal(halves[index], expected[index])
    np.testing.assert_array_equal(np.asarray(halves), expected)


def test_images_that_do_not_match_are_refused_in_words() -> None:
    from napari.layers import Image

    here = Image(np.zeros((8, 9)), name="here")
    for other, words in (
        (Image(np.zeros((2, 8, 9)), name="stack"), "differ in their axes"),
        (Image(np.zeros((8, 9)), name="turned", rotate=30), "turned against each other"),
        (Image(np.zeros((8, 9)), name="far", translate=(0, 90)), "different places"),
    ):
        with pytest.raises(ValueError, match=words):
            halves_of(here, other, -1)
    assert halves_of(here, Image(np.zeros((16, 18)), scale=(0.5, 0.5), translate=(-0.25, -0.25)), -1).shape == (16, 18)


def test_the_curtain_shows_both_images_and_changes_neither(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    cells = viewer.add_image(noisy, name="cells", scale=(0.5, 0.5), contrast_limits=(20, 200), blending="additive")
    kept = noisy.copy()
    widget, compare = open_widget(viewer, "Denoise"), open_widget(viewer, "Compare")
    compare.curtain.value = True
    assert "two different images" in last_words()
    assert not compare.curtain.value
    widget.form.set(QUICK)
    press(widget.run)
    run_until(lambda: not widget.busy)
    clean = viewer.layers["cells denoised"]
    assert (compare.before.value, compare.after.value) == (cells, clean)
    compare.curtain.value = True
    both = viewer.layers["cells | cells denoised"]
    assert [layer.name for layer in viewer.layers if layer.visible] == [both.name, "edge of the curtain"]
    np.testing.assert_array_equal(both.data[:, :32], noisy[:, :32])
    np.testing.assert_array_equal(both.data[:, 32:], clean.data[:, 32:])
    assert tuple(both.contrast_limits) == (20, 200)
    both.contrast_limits = (30, 150)  # The contrast of one is that of all.
    assert tuple(cells.contrast_limits) == tuple(clean.contrast_limits) == (30, 150)
    compare.position.value = 25
    np.testing.assert_array_equal(both.data[:, 16:], clean.data[:, 16:])
    line = viewer.layers["edge of the curtain"].data[0]
    np.testing.assert_allclose(line, [(-0.25, 7.75), (23.75, 7.75)])

    # The mouse takes hold of the edge, but only there and only without a tool in hand.
    drag = compare._curtain._on_drag
    viewer.layers.selection.active = cells
    assert list(drag(viewer, SimpleNamespace(type="mouse_press", position=(5.0, 20.0)))) == []
    event = SimpleNamespace(type="mouse_press", position=(5.0, 7.75))
    move = drag(viewer, event)
    next(move)
    event.type, event.position = "mouse_move", (5.0, 23.75)
    next(move)
    move.close()
    assert compare.position.value == 75
    assert viewer.scene.camera.mouse_pan

    compare.curtain.value = False
    assert names(viewer) == ["cells", "cells uncertainty", "cells denoised"]
    assert [layer.name for layer in viewer.layers if layer.visible] == ["cells denoised"]
    np.testing.assert_array_equal(cells.data, kept)


def test_the_curtain_steps_aside(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    cells = viewer.add_image(noisy, name="cells", blending="additive")
    viewer.add_image(noisy[::-1], name="other", blending="additive")
    dock, compare = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Compare")
    compare.before.value, compare.after.value = cells, viewer.layers["other"]

    def open_curtain() -> None:
        compare.curtain.value = True
        assert len(viewer.layers) == 4

    open_curtain()
    cells.visible = True  # Two additive pictures would be summed.
    assert not compare.curtain.value
    open_curtain()
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    widget.layer.value = cells
    press(widget.run)
    run_until(lambda: not widget.busy)  # The curtain stays until there is a preview or a result to see.
    assert "edge of the curtain" not in names(viewer)
    viewer.layers.remove(viewer.layers[-1])
    viewer.layers.remove(viewer.layers["cells fit 30 kernels"])
    compare.before.value, compare.after.value = cells, viewer.layers["other"]
    open_curtain()
    viewer.layers.remove("cells | other")
    assert names(viewer) == ["cells", "other"]
    open_curtain()
    dock.destroyOnClose()
    assert names(viewer) == ["cells", "other"]
    assert viewer.layers["other"].visible


def test_the_curtain_goes_in_silence_with_the_last_image_but_one(qapp: Any, noisy: np.ndarray) -> None:
    viewer = ViewerModel()  # No canvas is needed.
    cells, other = viewer.add_image(noisy, name="cells"), viewer.add_image(noisy[::-1], name="other")
    compare = CompareWidget(viewer)
    compare.before.value, compare.after.value = cells, other
    compare.curtain.value = True
    assert len(viewer.layers) == 4
    viewer.layers.remove(cells)
    compare.reset_choices()  # As the window does it.
    assert names(viewer) == ["other"]
    assert not compare.curtain.value
    assert not notification_manager.records
    compare.on_close()


def test_a_layer_is_removed_in_the_context_of_the_canvas(
    canvas: None, viewer: Any, run_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another one, the deletion of its OpenGL objects ends the process at a later paint."""
    painted: list[bool] = []
    contexts: list[Any] = []
    parse = GlirParser.parse

    def watched(parser: GlirParser, commands: list[tuple[Any, ...]]) -> None:
        contexts.extend(QOpenGLContext.currentContext() for command in commands if command[0] == "DELETE")
        parse(parser, commands)

    dock, _ = viewer.window.add_plugin_dock_widget("napari-rsmoe", "Compare")
    drawn = dock.parent().findChild(QOpenGLWidget)
    drawn.frameSwapped.connect(lambda: painted.append(True))
    shapes = viewer.add_shapes([np.array([[5.0, 5.0], [20.0, 15.0]])])
    run_until(lambda: bool(painted))  # From now on, the context is that of the whole window.
    assert QOpenGLContext.currentContext() is not drawn.context()
    monkeypatch.setattr(GlirParser, "parse", watched)
    viewer.layers.remove(shapes)
    assert set(contexts) <= {drawn.context()}  # Before the paint that would end the process.
    del shapes
    viewer.add_image(np.zeros((8, 8)))
    run_until(lambda: bool(contexts))
    assert set(contexts) == {drawn.context()}


# ------------------------------------------------------------------ profiles


def test_a_profile_has_values_and_error_bars_of_the_plane_in_view(
    viewer: Any, run_until: Wait, noisy: np.ndarray, tmp_path: Path
) -> None:
    units = ("second", "micrometer", "micrometer")
    viewer.add_image(np.stack([noisy, noisy[::-1]]), name="film", scale=(2, 0.5, 0.5), units=units)
    widget, compare = open_widget(viewer, "Denoise"), open_widget(viewer, "Compare")
    compare.save_to(tmp_path / "none.csv") if compare.profiles else press(compare.save)
    assert "Draw a profile line first" in last_words()
    widget.form.set(QUICK)
    press(widget.run)
    run_until(lambda: not widget.busy)
    press(compare.draw_line)
    line = viewer.layers["profile line"]
    line.data = [np.array([[5.0, 4.0], [5.0, 14.0]])]  # In the world: row 10, columns 8 to 28.
    viewer.dims.set_point(0, 2.0)
    run_until(lambda: len(compare.profiles) == 2 and np.array_equal(compare.profiles[0].value, noisy[::-1][10, 8:29]))
    before, after = compare.profiles
    clean, std = (viewer.layers[f"film {name}"].data[1, 10, 8:29] for name in ("denoised", "uncertainty"))
    np.testing.assert_array_equal(after.value, clean)
    np.testing.assert_allclose(after.error, std, rtol=1e-6)
    np.testing.assert_allclose(before.distance, np.arange(21) * 0.5)
    assert compare.plot.x_label == "distance (µm)"
    compare.save_to(tmp_path / "profile.csv")
    with (tmp_path / "profile.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["distance (µm)", "film", "film denoised", "film denoised standard deviation"]
    assert [float(row["film"]) for row in rows] == noisy[::-1][10, 8:29].tolist()
    viewer.layers.remove(line)
    run_until(lambda: not compare.profiles)
    assert not compare.plot.series


# ------------------------------------------------------------------ noise


def test_the_noise_report_shows_what_the_estimate_rests_on() -> None:
    rng = np.random.default_rng(0)
    light = np.linspace(20, 220, 128) * np.ones((128, 1))
    curves, spectra = [], []
    for noise in (rng.poisson(light), light + rng.normal(0, 6, light.shape)):
        report = noise_report(noise)
        (curve,), (spectrum,) = report.curves, report.spectra
        curves.append(np.polyfit(curve.brightness, curve.variance, 1)[0])
        predicted = np.interp(curve.brightness, curve.line_brightness, curve.line_variance)
        np.testing.assert_allclose(curve.variance, predicted, rtol=0.25)
        spectra.append(spectrum.power)
    assert curves[0] == pytest.approx(1, abs=0.15)
    assert curves[1] == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(spectra, 1, atol=0.5)


def test_noise_widget(viewer: Any, run_until: Wait, noisy: np.ndarray, tmp_path: Path) -> None:
    widget = open_widget(viewer, "Noise")
    press(widget.run)
    assert "open an image first" in last_words()
    rng = np.random.default_rng(1)
    frames = np.stack([np.zeros((96, 96)), rng.normal(100, 9, (96, 96))])
    viewer.add_image(frames, name="film")
    viewer.dims.set_point(0, 1)
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert "±" in widget.status.value
    assert "the same at all brightnesses" in widget.status.value
    assert widget.report.estimate.sigma == pytest.approx(9, rel=0.1)
    assert [each.label for each in widget.variance.series] == ["measured", "model"]
    assert [each.label for each in widget.spectrum.series] == ["measured", "white noise"]
    widget.save_to(tmp_path / "noise.csv")
    widget.save_to(tmp_path / "noise.png")
    assert (tmp_path / "noise.csv").read_text(encoding="utf-8").startswith("plot,channel,x,y\n")
    from PIL import Image

    with Image.open(tmp_path / "noise.png") as picture:
        assert np.ptp(np.asarray(picture)) > 50
    press(widget.use)
    denoise = open_widget(viewer, "Denoise")
    assert denoise.form.get()["noise"] == pytest.approx(widget.report.estimate.sigma, rel=1e-3)
    viewer.add_image(noisy, name="other")  # The numbers are not those of this one.
    assert widget.report is None
    assert not widget.use.enabled
    press(widget.run)
    job = widget._run.job
    viewer.window.remove_dock_widget(widget.native)
    run_until(lambda: job.done)


# ------------------------------------------------------------------ the kernels of a pixel


@pytest.mark.parametrize("mode", ["smoe", "rbf"])
def test_a_pixel_is_the_sum_of_what_its_kernels_say(mode: Any, picture: np.ndarray) -> None:
    from napari_rsmoe.plugin.editing import EditableKernels

    model = fit(picture, 40, iterations=30, mode=mode, rasterized=False)
    table = EditableKernels([model], [()])
    low = float(model.layout.low) if mode == "rbf" else 0.0
    for y, x in ((10, 12), (30.25, 50.5)):
        mixture = mixture_at(table, 0, y, x)
        assert mixture.result[0] + low == pytest.approx(float(np.ravel(model.sample([[y, x]]))[0]), abs=0.6)
        assert mixture.summed == (mode == "rbf")


def test_the_kernels_widget_explains_the_pixel_under_the_mouse(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells", scale=(0.5, 0.5), units=("um", "um"))
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    press(widget.run)
    run_until(lambda: not widget.busy)
    kernels = open_widget(viewer, "Kernels")
    assert "Move the mouse" in kernels.pointed.value
    viewer.cursor.position = (10.0, 15.0)
    for call in viewer.mouse_move_callbacks:
        call(viewer, SimpleNamespace(type="mouse_move"))
    run_until(lambda: "y 20, x 30" in kernels.pointed.value)
    drawn = viewer.layers["cells fit 30 kernels"].data[20, 30]
    said = float(kernels.pointed.value.split("value ")[1].split(",")[0])
    assert said == pytest.approx(float(drawn), abs=1)
    assert "% kernel" in kernels.pointed.value
    assert "µm" in kernels.pointed.value
    viewer.cursor.position = (-10.0, 15.0)
    kernels.explain()
    assert "Move the mouse" in kernels.pointed.value


def test_nobody_sees_what_is_chosen_while_a_list_is_built_again(viewer: Any, noisy: np.ndarray) -> None:
    first = viewer.add_image(noisy, name="first")
    second = viewer.add_image(noisy, name="second")
    compare = open_widget(viewer, "Compare")
    seen: list[Any] = []
    compare.before.changed.connect(seen.append)
    compare.before.value, compare.after.value = first, second
    compare.curtain.value = True
    viewer.add_image(noisy, name="third")
    viewer.layers.move(0, 2)
    assert seen == [first]
    assert sum("|" in name for name in names(viewer)) == 1
    viewer.layers.remove(first)
    assert compare.before.value != first
    assert seen[-1] == compare.before.value
