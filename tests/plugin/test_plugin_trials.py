"""Settings are tried on crops before the whole is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import Wait, names, open_widget, press
from napari.settings import get_settings

from napari_rsmoe import denoise, estimate_noise
from napari_rsmoe.plugin.names import METADATA_KEY
from napari_rsmoe.plugin.source import from_layer
from napari_rsmoe.plugin.trials import Setting, crops_of, settings_to_try, tried


def test_crops_are_the_view_much_and_little_content(noisy: np.ndarray) -> None:
    from napari.layers import Image

    image = np.full((96, 128), 100, np.uint16)
    image[:32, 96:] += (np.indices((32, 32)).sum(0) % 2 * 50).astype(np.uint16)
    source = from_layer(Image(image, scale=(0.5, 0.5)))
    parts = [crop.part for crop in crops_of(source, (60, 50), 32)]
    assert parts[:2] == ["44:76, 34:66", "0:32, 96:128"]
    assert len(set(parts)) == 3
    assert [crop.part for crop in crops_of(from_layer(Image(noisy[:20, :20])))] == [""]
    assert [crop.size for crop in crops_of(source, (0, 0), 40)] == [(40, 40)] * 3
    assert len(crops_of(from_layer(Image(image[:64, :64])), None, 32)) == 3


def test_a_trial_is_what_the_job_gives_with_the_noise_of_the_whole(noisy: np.ndarray) -> None:
    from napari.layers import Image

    rgba = np.dstack([noisy, noisy, noisy, np.full_like(noisy, 255)])
    whole = from_layer(Image(np.stack([rgba] * 4), rgb=True))
    crop = crops_of(whole.plane_at([2, slice(None), slice(None)]), (24, 32), 24)[0]
    setting = Setting("fast", {"preset": "fast", "models": 1, "noise_factor": 1.4})
    (trial,) = tried("denoise", whole, {"average": 0}, [crop], [setting], lambda _: False)
    pixels = rgba[12:36, 20:44, :3]
    noise = estimate_noise(rgba[..., :3], channel_axis=2)
    expected = denoise(pixels, preset="fast", models=1, noise=noise, noise_factor=1.4, channel_axis=2)
    np.testing.assert_array_equal(trial.image, expected.image)
    assert trial.seconds > 4 * 0.001
    labels = [setting.label for row in settings_to_try("denoise") for setting in row]
    assert len(labels) == len(set(labels)) == 9
    assert len(settings_to_try("fit")[0]) == 3


def test_preview_of_a_crop_before_the_run(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    layer = viewer.add_image(np.stack([noisy] * 3), name="film", scale=(1, 0.5, 0.5), translate=(5, 1, 2))
    widget = open_widget(viewer, "Denoise")
    widget.form.set({"models": 1, "preset": "fast", "noise": 12.0, "warm_start": False})
    viewer.dims.set_current_step(0, 1)
    press(widget.trying.crop)
    run_until(lambda: widget.trying.job is None)
    crop = viewer.layers["film (crop)"]
    assert METADATA_KEY in crop.metadata
    assert viewer.layers.selection.active.name == "film"
    assert widget.layer.value.name == "film"
    np.testing.assert_allclose(crop.data_to_world((0, 0, 0)), layer.data_to_world((1, 0, 0)))
    expected = denoise(noisy, models=1, preset="fast", noise=12.0).image
    np.testing.assert_array_equal(crop.data[0], expected)
    assert "The whole takes about" in widget.status.value
    press(widget.trying.crop)  # Again: in its place.
    run_until(lambda: widget.trying.job is None)
    assert names(viewer) == ["film", "film (crop)"]
    press(widget.run)
    run_until(lambda: not widget.busy)
    assert "film (crop)" not in names(viewer)


def test_all_presets_side_by_side(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy[:32, :32], name="cells")
    widget = open_widget(viewer, "Fit kernels")
    widget.form.set({"n_kernels": 9, "iterations": 2})
    press(widget.trying.compare)
    dialog = widget.trying.dialog
    run_until(lambda: dialog.job.done and dialog.status.text().startswith("Click"))
    assert [dialog.tabs.tabText(k) for k in range(dialog.tabs.count())] == ["In view"]
    assert all("in all" in cell.text() for cell in dialog.cells[0])
    dialog.cells[0][2].click()
    dialog.use.click()
    assert widget.form.get()["preset"] == "best"
    run_until(lambda: widget.trying.dialog is None)


def captions_and_titles_have_the_size_of_the_settings(widget: Any, dialog: Any, run_until: Wait) -> None:
    """Also of what napari's style leaves out: buttons with pictures, lines of text, and the title of the dock."""
    title = widget.native.parent().titleBarWidget()
    small = dialog.status.font().pointSize()
    others = [widget.form.field("noise").own.native, dialog.cells[0][0]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_settings().appearance, "font_size", 18)
        run_until(lambda: all(each.font().pointSize() == 19 for each in (dialog.status, *others)))
        run_until(lambda: title.height() >= title.title.fontMetrics().height() > title.fontMetrics().height() // 2)
        assert dialog.sizeHint().height() < 720
    run_until(lambda: others[0].font().pointSize() == others[1].font().pointSize() == small < 19)


def test_the_window_may_be_closed_while_it_computes(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="cells")
    widget = open_widget(viewer, "Denoise")
    press(widget.trying.compare)
    dialog = widget.trying.dialog
    job = dialog.job
    run_until(lambda: len(dialog.cells) > 0)
    captions_and_titles_have_the_size_of_the_settings(widget, dialog, run_until)
    dialog.close()
    run_until(lambda: job.done)
    assert widget.trying.dialog is None  # An error in a slot of Qt would fail this test.
