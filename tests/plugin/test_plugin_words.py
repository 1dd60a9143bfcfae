"""What the widgets say: units of 16 bit images, notes on results, errors in the words of the form, defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import Wait, last_words, open_widget, press

from napari_rsmoe import fit
from napari_rsmoe.plugin.samples import micrograph

QUICK: dict[str, Any] = {"models": 2, "preset": "fast"}


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """A part of the noisy micrograph, uint16 (64, 72): values from 100 to about 1500."""
    return micrograph()[1][0][140:204, 60:132]


def done(widget: Any, run_until: Wait) -> None:
    press(widget.run)
    run_until(lambda: not widget.busy)


def test_a_fit_of_16_bit_counts_in_the_range_of_the_image(viewer: Any, run_until: Wait, cells: np.ndarray) -> None:
    viewer.add_image(cells, name="cells")
    widget = open_widget(viewer, "Fit kernels")
    widget.form.set({"psnr": 22.0, "preset": "fast"})
    done(widget, run_until)
    metrics = widget.result.record["metrics"]
    span = metrics["data_range"]
    assert np.ptp(cells) / 2 <= span <= np.ptp(cells)
    drawn = viewer.layers[1].data
    psnr = 10 * np.log10(span**2 / np.square(drawn.astype(float) - cells).mean())
    assert psnr == pytest.approx(metrics["psnr"], abs=0.3)
    assert 21.9 < psnr < 30
    assert metrics["kernels"] > 1
    assert f"dB in a range of {span:.6g}" in widget.status.value
    assert widget.curve.points[-1][1] == pytest.approx(psnr, abs=1.5)
    np.testing.assert_array_equal(drawn, fit(cells, psnr=22.0, preset="fast").render())


def test_small_images_and_images_without_noise_are_explained(viewer: Any, run_until: Wait) -> None:
    y, x = np.mgrid[:40, :40]
    viewer.add_image((100 + 50 * np.sin(x / 9) * np.cos(y / 9)).astype(np.float32), name="smooth")
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    done(widget, run_until)
    assert "no noise found" in widget.status.value
    assert "The image is small (40 x 40 pixels)" in widget.status.value
    assert "“Noise level” gives it. The" in widget.status.value
    assert "uncertainty" not in [layer.name for layer in viewer.layers]  # An error of 0 would claim certainty.
    widget.form.set({"noise": 5.0})
    done(widget, run_until)
    assert "small" not in widget.status.value
    assert "noise 5" in widget.status.value


def test_sharpening_a_noisy_image_advises_to_denoise_it_first(
    viewer: Any, run_until: Wait, noisy: np.ndarray, picture: np.ndarray
) -> None:
    widget = open_widget(viewer, "Super-resolution & sharpen")
    widget.form.set({"models": 1, "iterations": 2, "n_kernels": 20})
    said = {}
    for name, image in (("noisy", noisy), ("clean", picture)):
        widget.layer.value = viewer.add_image(image, name=name)
        for sharpen in (1.0, 1.5):
            widget.sharpen.value = sharpen
            done(widget, run_until)
            said[name, sharpen] = widget.status.value
    assert "denoise it first" in said["noisy", 1.5]
    assert not any("denoise it first" in text for key, text in said.items() if key != ("noisy", 1.5))


def test_errors_name_the_field_and_not_the_argument(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    holed = noisy.astype(np.float32)
    holed[5, 5] = np.nan
    viewer.add_image(holed, name="holed")
    widget = open_widget(viewer, "Denoise")
    widget.form.set(QUICK)
    done(widget, run_until)
    assert "“Leave out NaN”" in last_words()
    assert "ignore_nan" not in last_words()
    noise = widget.form.field("noise")
    noise.automatic.value = False
    noise.own.value = "loud"
    press(widget.run)
    assert not widget.busy
    assert last_words().startswith("Noise level: 'loud' is not a number of at least 0")


def test_defaults_and_what_is_folded_away(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    viewer.add_image(noisy, name="flat")
    widget = open_widget(viewer, "Denoise")
    form = widget.form
    assert not form.differing.visible
    form.set({"seed": 7, "preset": "best"})
    run_until(lambda: form.differing.visible)
    assert "Seed 7" in form.differing.value
    assert "best" not in form.differing.value  # It is not folded away.
    press(form.toggle)
    assert not form.differing.visible
    press(form.toggle)
    press(form.defaults)
    assert form.get()["seed"] == 0
    assert form.get()["preset"] == "balanced"
    assert not form.differing.visible
    # Fields for stacks are there for stacks only, and keep nothing of a stack for a plane.
    fields = [widget.part.planes, widget.channels, form.field("average")]
    assert not any(field.visible for field in fields)
    viewer.add_image(np.stack([noisy, noisy]), name="stack")
    run_until(lambda: all(field.visible for field in fields[:2]))
    form.set({"average": 2})
    viewer.layers.selection.active = viewer.layers["flat"]
    assert form.get()["average"] == "auto"
