"""The widgets with jobs, on the side of the kernel: real fits of small images."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from widget_traffic import Traffic

import napari_rsmoe
from napari_rsmoe import Model, psnr
from napari_rsmoe.cli.program import main
from napari_rsmoe.errors import ImageError, StoppedError
from napari_rsmoe.notebook import DeblurWidget, DenoiseWidget, FitWidget, SuperResolutionWidget, show
from napari_rsmoe.notebook.large import Overview
from napari_rsmoe.ui.kinds.choices import Choice
from napari_rsmoe.ui.kinds.numbers import Number
from napari_rsmoe.ui.parameters.functions import PARAMETERS

LONG = 200_000  # steps: nobody waits for that, it must be cancelled
Until = Callable[..., None]


def repeated(widget: Any, image: np.ndarray, **names: Any) -> Any:
    """What the code of a widget makes of the image."""
    names |= {"image": image}
    exec(widget.code(), names)
    return names["result"]


@pytest.mark.parametrize("widget_type", [FitWidget, DenoiseWidget, SuperResolutionWidget, DeblurWidget])
def test_there_is_a_control_for_every_parameter(widget_type: type[Any], image: np.ndarray) -> None:
    fields = widget_type(image).form.fields
    assert list(fields) == [parameter.name for parameter in PARAMETERS[widget_type.action]]
    for parameter in PARAMETERS[widget_type.action]:
        control = fields[parameter.name].control
        assert control.tooltip == parameter.help
        assert fields[parameter.name].value == parameter.default
        if isinstance(parameter, Choice):
            assert [key for _, key in control.options if key] == list(parameter.choices)
        if isinstance(parameter, Number):
            assert (control.min, control.max) == parameter.bounds


def test_settings_that_exclude_each_other(image: np.ndarray) -> None:
    form = FitWidget(image, n_kernels=50).form
    form.fields["psnr"].automatic.value = False
    assert form.values["psnr"] == 32
    assert form.values["n_kernels"] == "auto"
    with pytest.raises(ValueError, match="together"):
        FitWidget(image, n_kernels=50, psnr=30)
    with pytest.raises(TypeError, match="kernels"):
        FitWidget(image, kernels=50)
    with pytest.raises(ValueError, match="Kernels: 0"):
        FitWidget(image, n_kernels=0)


def test_fit(image: np.ndarray) -> None:
    widget = FitWidget(image, n_kernels=120, preset="fast", seed=3)
    assert widget.result is None
    widget.run_button.click()
    model = widget.wait()
    assert isinstance(model, Model)
    assert model is widget.result
    assert model.n_kernels == 120
    assert widget.progress.value == 1
    assert f"{psnr(model.render(), image):.2f} dB in a range of 255, 120 kernels" in widget.status.value
    assert widget.curve.value.count("<polyline") == 1
    assert not widget.run_button.disabled
    assert widget.cancel_button.disabled
    assert repr(widget) == "<FitWidget of an image of shape (64, 80, 3), result: Model>"
    again = repeated(widget, image)
    np.testing.assert_array_equal(again.geometry, model.geometry)
    np.testing.assert_array_equal(again.experts, model.experts)


def test_denoise_stack(image: np.ndarray) -> None:
    stack = np.stack([image[:32, :, 1]] * 2)
    widget = DenoiseWidget(stack, models=2, preset="fast", average=1)
    assert list(widget.form.fields) == [parameter.name for parameter in PARAMETERS["denoise_stack"]]
    widget.start()
    results = widget.wait()
    assert [each.image.shape for each in results] == [(32, 80)] * 2
    for first, second in zip(results, repeated(widget, stack), strict=True):
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.std, second.std)
    assert [each.models[0].metadata["generation"] for each in results] == [0, 1]  # a warm start
    assert "average=1" in widget.code()
    assert widget.pane.n_planes == 2


def test_channels_before_the_plane(image: np.ndarray, until: Until) -> None:
    channels = np.moveaxis(image, -1, 0)
    widget = FitWidget(channels, axes="CYX", n_kernels=30, preset="fast", iterations=20)
    widget.start()
    assert widget.wait().render().shape == (3, 64, 80)
    until(lambda: widget.pane.after is not None)
    assert widget.pane.after["size"] == [64, 80]
    np.testing.assert_array_equal(repeated(widget, channels).render(), widget.result.render())


def test_enlarge_then_sharpen(image: np.ndarray, until: Until) -> None:
    widget = SuperResolutionWidget(image[:40], scale=2.5, models=2, iterations=20)
    widget.start()
    first = widget.wait()
    assert first.shape == widget.std.shape == (100, 200, 3)
    until(lambda: widget.pane.after is not None)
    widget.pane.show_uncertainty = True
    until(lambda: widget.pane.uncertainty is not None)
    np.testing.assert_array_equal(repeated(widget, image[:40]), first)
    widget.form.fields["sharpen"].control.value = 1.5
    until(lambda: not widget.busy)
    assert not np.array_equal(widget.result, first)
    np.testing.assert_array_equal(repeated(widget, image[:40]), widget.result)


def test_the_noise_of_an_image_is_not_enlarged_unless_the_user_wants() -> None:
    smooth = np.add.outer(np.arange(128), np.arange(128)) / 2 + 50
    noisy = np.clip(smooth + np.random.default_rng(0).normal(0, 25, smooth.shape), 0, 255).astype(np.uint8)
    widget = SuperResolutionWidget(noisy, models=1, iterations=5)
    widget.start()
    clean = widget.wait()
    assert "noise with a standard deviation of 2" in widget.message.value
    assert "dB" not in widget.status.value + widget.curve.value  # the small image says nothing about the large one
    np.testing.assert_array_equal(repeated(widget, noisy), clean)
    widget = SuperResolutionWidget(noisy, models=1, iterations=5, noise=0)
    widget.start()
    assert clean.std() < widget.wait().std()


def test_a_region_that_was_drawn_is_what_the_job_is_run_on(image: np.ndarray) -> None:
    mask = np.zeros(image.shape[:2], bool)
    mask[20, 30] = True
    widget = DenoiseWidget(image, mask=mask, models=2, preset="fast")
    widget.pane.region = [10, 20, 50, 70]
    widget.start()
    part = widget.wait()
    assert part.image.shape == (40, 50, 3)
    assert widget.pane.size == [40, 50]
    assert widget.pane.region is None
    assert "image[10:50, 20:70]" in widget.code()
    np.testing.assert_array_equal(repeated(widget, image, mask=mask).image, part.image)
    widget.pane.region = [5, 5, 25, 25]  # of the part
    widget.start()
    widget.wait()
    assert "image[15:35, 25:45]" in widget.code()
    widget.whole_button.click()
    assert widget.pane.size == [64, 80]
    assert widget.result is None


def test_deblur(image: np.ndarray, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    grey = image[:32, :40, 1]
    widget = DeblurWidget(grey, 0.9, preset="fast", scale=1.5)
    widget.start()
    sharp = widget.wait()
    assert sharp.image.shape == sharp.std.shape == (48, 60)
    assert "psf=0.9" in widget.code()
    np.testing.assert_array_equal(repeated(widget, grey).image, sharp.image)
    until(lambda: widget.pane.after is not None)
    widget.pane.show_uncertainty = True
    until(lambda: widget.pane.uncertainty is not None)
    assert "noise" in widget.saved_rows()
    assert set(show(sharp, before=grey).saved_pictures()) == {"before", "after", "uncertainty"}

    psf = napari_rsmoe.measure_psf(np.tile(np.pad([[9.0, 99.0, 9.0]], ((20, 20), (19, 19))), (2, 2)))
    measured = DeblurWidget(grey, psf, preset="fast")
    assert "psf" not in measured.form.fields
    measured.start()
    again = measured.wait()
    np.testing.assert_array_equal(repeated(measured, grey, psf=psf).image, again.image)
    *notes, command = measured.command_line().splitlines()
    for note in notes:
        exec(note.split("in Python: ")[1], {"napari_rsmoe": napari_rsmoe, "image": grey, "psf": psf})
    assert CliRunner().invoke(main, shlex.split(command)[1:]).exit_code == 0
    np.testing.assert_array_equal(napari_rsmoe.read_image("deblur.tif").data, again.image)

    unknown = DeblurWidget(grey)  # The point spread function is asked for.
    unknown.start()
    with pytest.raises(ValueError, match="psf must be"):
        unknown.wait()


def test_enlarge_stack(image: np.ndarray) -> None:
    stack = np.moveaxis(image[:24, :24], -1, 0)
    widget = SuperResolutionWidget(stack, models=1, iterations=5)
    widget.start()
    assert widget.wait().shape == (3, 48, 48)
    np.testing.assert_array_equal(repeated(widget, stack), widget.result)


def test_a_mask_leaves_pixels_out(image: np.ndarray) -> None:
    grey = image[..., 1].astype(np.float32)
    mask = np.zeros(grey.shape, bool)
    mask[5:9, 5:20] = True
    widget = DenoiseWidget(np.where(mask, np.nan, grey), mask=mask, models=2, preset="fast", fill=False)
    widget.start()
    result = widget.wait()
    np.testing.assert_array_equal(np.isnan(result.image), mask)
    names: dict[str, Any] = {"image": np.where(mask, np.nan, grey), "mask": mask}
    exec(widget.code(), names)
    np.testing.assert_array_equal(names["result"].image, result.image)


def test_the_command_line_gives_the_same(image: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = np.stack([image[:32, :, 1]] * 2)
    mask = np.zeros((32, 80), bool)
    mask[5:9, 5:20] = True
    widget = DenoiseWidget(stack, mask=mask, models=2, preset="fast", noise=12.0, average=1)
    widget.command_button.click()
    assert "napari-rsmoe denoise" in widget.code_box.text
    widget.start()
    results = widget.wait()
    monkeypatch.chdir(tmp_path)
    *notes, command = widget.command_line().splitlines()
    for note in notes:  # what must be done before is Python
        exec(note.split("in Python: ")[1], {"napari_rsmoe": napari_rsmoe, "image": stack, "mask": mask})
    done = CliRunner().invoke(main, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    made = napari_rsmoe.read_image(tmp_path / "denoise.tif").data
    np.testing.assert_array_equal(made, [each.image for each in results])


def test_cancel_keeps_what_is_there(image: np.ndarray, until: Until) -> None:
    widget = FitWidget(image, n_kernels=100, iterations=LONG)
    widget.start()
    until(lambda: "left" in widget.status.value and widget.pane.after is not None)  # progress, and a preview
    assert widget.busy
    assert 0 < widget.progress.value < 1
    with pytest.raises(TimeoutError, match="still runs"):
        widget.wait(0.01)
    widget.cancel_button.click()
    model = widget.wait(60)
    assert model.metadata["steps"] < LONG
    assert widget.status.value.startswith("Stopped")
    assert psnr(model.render(), image) > 20


def test_closing_ends_the_job(image: np.ndarray, until: Until) -> None:
    widget = FitWidget(image, n_kernels=20, iterations=LONG)
    widget.start()
    widget.close()
    assert widget.wait(60).metadata["steps"] < LONG


def test_errors_appear_in_the_widget(image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = FitWidget(np.where(image > 0, image, np.float32(np.nan)).astype(np.float32) * np.nan)
    widget.start()
    with pytest.raises(ImageError):
        widget.wait()
    assert "NaN" in widget.message.value
    assert widget.status.value == "Failed"
    assert not widget.busy
    widget = FitWidget(image)

    def fault(*args: Any, **keys: Any) -> None:
        raise RuntimeError("a fault of <the program>")

    monkeypatch.setattr(widget, "compute", fault)
    widget.start()
    with pytest.raises(RuntimeError):
        widget.wait()
    assert "RuntimeError: a fault of &lt;the program&gt;" in widget.message.value
    assert "Traceback" in widget.message.value


def test_previews_are_few_and_small(traffic: Traffic, until: Until) -> None:
    rng = np.random.default_rng(0)
    image = np.repeat(np.repeat(rng.integers(0, 255, (32, 32, 3), np.uint8), 32, 0), 32, 1)
    widget = FitWidget(image, n_kernels=50, iterations=LONG)
    first = traffic.of(widget.pane)
    assert sum(message.binary for message in first) == image.nbytes  # the image, once
    assert sum(message.size for message in first) < 4e6
    widget.start()
    until(lambda: len(traffic.pictures(widget.pane)) >= 3)  # the image and two previews
    widget.cancel()
    widget.wait()
    sent = traffic.pictures(widget.pane)
    assert max(message.size for message in sent) < 4e6
    assert min(np.diff([message.time for message in sent])) >= 0.19


def test_images_of_any_size_go_block_by_block_into_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    da = pytest.importorskip("dask.array")
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:64, :150]
    noisy = 120 + 60 * np.sin(x / 20) * np.cos(y / 13) + np.random.default_rng(0).normal(0, 12, x.shape)
    image = np.clip(noisy, 0, 255).astype(np.uint8)
    napari_rsmoe.write_image("in.ome.zarr", image, axes="YX")
    array = zarr.open("in.ome.zarr", mode="r")["0"]
    settings: dict[str, Any] = {"preset": "fast", "models": 1, "block": 128, "noise": 12.0}

    def begun() -> Any:
        return DenoiseWidget(array, target="out.ome.zarr", std="std.ome.zarr", **settings)

    widget = begun()
    with monkeypatch.context() as patched:
        patched.setattr(Overview, "add", lambda *_: widget.cancel())  # after the first block
        widget.start()
        with pytest.raises(StoppedError):
            widget.wait()
    assert widget.status.value == "Stopped. Denoise goes on with the blocks that are left."
    assert not Path("out.ome.zarr").exists()
    again = begun()
    again.start()
    result = again.wait()
    whole = napari_rsmoe.denoise(image, **settings).image
    np.testing.assert_array_equal(result.numpy(), whole)
    np.testing.assert_array_equal(again._overview.after, whole)  # also the block of the first run
    assert "2 blocks" in again.status.value
    assert set(again.saved_pictures()) == {"image", "denoised"}
    assert napari_rsmoe.read_image("std.ome.zarr").shape == image.shape

    lazy = DenoiseWidget(da.from_array(image, chunks=128), target="lazy.npy", mask=image > 250, **settings)
    assert "# save it first" in lazy.command_line()
    names = {"image": lazy._place.opened[lazy._place.name]().data, "mask": image > 250}
    exec(lazy.code(), names)
    np.testing.assert_array_equal(napari_rsmoe.read_image("lazy.npy").numpy()[image <= 250], whole[image <= 250])


def test_what_is_assumed_about_channels_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an array or a file whose last axis may be anything; not if the user has named the axes."""
    monkeypatch.chdir(tmp_path)
    four = np.random.default_rng(0).normal(100, 9, (32, 33, 4)).astype(np.float32)
    np.save("four.npy", four)
    settings: dict[str, Any] = {"preset": "fast", "models": 1, "n_kernels": 20, "noise": 9.0}
    for widget, said in (
        (DenoiseWidget(four, **settings), True),
        (DenoiseWidget(four, axes="YXC", **settings), False),
        (DenoiseWidget("four.npy", target="a.npy", **settings), True),
        (DenoiseWidget(four, target="b.npy", **settings), True),
        (DenoiseWidget(four, target="c.npy", axes="YXC", **settings), False),
    ):
        widget.start()
        widget.wait()
        assert any("32 x 33 pixels of 4 channels" in text for text in widget.notes) == said
        assert ("32 x 33 pixels" in widget.message.value) == said


def test_channels_of_their_own_and_older_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    two = np.random.default_rng(0).normal(100, 9, (2, 32, 33)).astype(np.float32)
    napari_rsmoe.write_image("two.npy", two, axes="CYX")
    settings: dict[str, Any] = {"preset": "fast", "models": 1, "n_kernels": 20, "noise": 9.0}
    own: dict[str, Any] = {"axes": "CYX", "independent_channels": True, "ome_zarr": "0.4"}
    widget = DenoiseWidget("two.npy", target="out.ome.zarr", **own, **settings)
    widget.start()
    result = widget.wait()
    assert (result.axes, result.shape, widget._overview.after.shape) == ("CYX", two.shape, (32, 33))
    assert zarr.open("out.ome.zarr", mode="r").metadata.zarr_format == 2
    assert "--independent-channels --ome-zarr 0.4" in widget.command_line()
    exec(widget.code(), {})  # finds that all is done
    with pytest.raises(ValueError, match=r"0\.6"):
        DenoiseWidget("two.npy", target="out.ome.zarr", axes="CYX", ome_zarr="0.6")
