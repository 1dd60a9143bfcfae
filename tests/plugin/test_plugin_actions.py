"""Jobs on layers of all kinds, without a window."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from napari.layers import Image, Labels

from napari_rsmoe import ImageError, fit, psnr, upscale
from napari_rsmoe.cli.program import main
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.writing import write_image
from napari_rsmoe.plugin import actions
from napari_rsmoe.plugin.commands import denoise_layer, fit_layer, process_layer, upscale_layer
from napari_rsmoe.plugin.copying import ready_to_copy
from napari_rsmoe.plugin.inside import inside_only
from napari_rsmoe.plugin.layers.kernels import TABLE_KEY
from napari_rsmoe.plugin.names import METADATA_KEY
from napari_rsmoe.plugin.record import as_command_line, as_python, make_record
from napari_rsmoe.plugin.source import from_layer, plane_in_view
from napari_rsmoe.plugin.trials import Setting, tried
from napari_rsmoe.progress import Progress
from napari_rsmoe.ui.parameters.common import DTYPE
from napari_rsmoe.ui.parameters.functions import PARAMETERS

QUICK: dict[str, Any] = {"n_kernels": 30, "iterations": 20}
TURNED: dict[str, Any] = {
    "scale": (0.5, 0.25), "translate": (10, -3), "rotate": 30, "shear": [0.2], "units": ("um", "um"),
    "axis_labels": ("row", "column"),
}  # fmt: skip


def same_place(layer: Any, source: Image) -> None:
    for name in ("scale", "translate", "rotate", "shear", "affine"):
        np.testing.assert_allclose(getattr(layer, name), getattr(source, name), err_msg=name)
    assert layer.units == source.units
    assert layer.axis_labels == source.axis_labels


def layers(made: list[Any]) -> list[Any]:
    from napari.layers import Layer

    return [Layer.create(*each) for each in made]


def test_denoise_gives_image_uncertainty_and_residual(picture: np.ndarray, noisy: np.ndarray) -> None:
    source = Image(noisy, name="cells", **TURNED)
    clean, spread, rest = layers(denoise_layer(source, show={"std": True, "residual": True}, models=3, preset="fast"))
    assert [clean.name, spread.name, rest.name] == ["cells denoised", "cells uncertainty", "cells residual"]
    for layer in (clean, spread, rest):
        same_place(layer, source)
    assert clean.data.dtype == np.uint8
    assert psnr(clean.data, picture) > psnr(noisy, picture) + 2
    assert spread.colormap.name == "inferno"
    assert 0 < spread.contrast_limits[1] < 100
    assert spread.data.min() >= 0
    np.testing.assert_array_equal(rest.data, noisy.astype(np.float32) - clean.data)
    assert rest.contrast_limits[0] == -rest.contrast_limits[1]


def test_a_record_with_the_noise_of_a_camera_can_be_kept(noisy: np.ndarray) -> None:
    record = make_record("denoise", from_layer(Image(noisy)), {"noise": (0.5, 2.0, 10.0), "allotment": "area"})
    assert json.loads(json.dumps(record)) == record
    assert "--noise 0.5,2,10 --allocation area" in as_command_line(record)
    assert "noise=[0.5, 2.0, 10.0], allocation='area'" in as_python(record)


def test_record_can_be_repeated(noisy: np.ndarray) -> None:

    source = Image(noisy, name="cells")
    first = layers(fit_layer(source, seed=5, **QUICK))[0]
    record = first.metadata[METADATA_KEY]
    assert json.loads(json.dumps(record)) == record
    assert record["parameters"]["seed"] == 5
    assert {"napari-rsmoe", "torch", "numpy"} <= set(record["versions"])
    assert record["metrics"]["psnr"] == pytest.approx(psnr(first.data, noisy))
    assert record["metrics"]["kernels"] == 30
    again = layers(fit_layer(source, **record["parameters"]))[0]
    np.testing.assert_array_equal(again.data, first.data)


def test_fit_equals_the_function(noisy: np.ndarray) -> None:
    drawn, kernels = layers(fit_layer(Image(noisy, name="cells"), **QUICK))
    model = fit(noisy, **QUICK)
    np.testing.assert_array_equal(drawn.data, model.render())
    np.testing.assert_array_equal(kernels.metadata[TABLE_KEY].model(0).geometry, model.geometry)
    assert np.isfinite(kernels.features["error"]).mean() > 0.9


def test_upscale_equals_the_function(noisy: np.ndarray) -> None:
    options: dict[str, Any] = {"models": 2, "iterations": 10, "n_kernels": 40}
    (large,) = layers(upscale_layer(Image(noisy), scale=1.7, sharpen=1.3, **options))
    np.testing.assert_array_equal(large.data, upscale(noisy, 1.7, 1.3, **options))


@pytest.mark.parametrize("factor", [2.0, 3.0, 1.3, 0.5])
def test_enlarged_image_overlays_its_source(noisy: np.ndarray, factor: float) -> None:
    source = Image(noisy, **TURNED)
    large, cubic = layers(
        upscale_layer(source, show={"bicubic": True}, scale=factor, models=1, iterations=2, n_kernels=20)
    )
    np.testing.assert_array_equal(large.translate, cubic.translate)
    assert large.units == source.units
    shape, size = np.array(noisy.shape), np.array(large.data.shape)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):  # outer corners of the corner pixels
        mine = large.data_to_world(np.array(corner) * size - 0.5)
        theirs = source.data_to_world(np.array(corner) * shape - 0.5)
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_enlarged_step_lies_where_it_was() -> None:
    """An edge between columns 15 and 16 stays there in world coordinates, to a fifth of a pixel."""
    image = np.zeros((32, 32), np.float32)
    image[:, 16:] = 1
    source = Image(image, scale=(2, 2), translate=(5, 7))
    (large,) = layers(upscale_layer(source, scale=4, models=1, iterations=60, n_kernels=60))
    profile = large.data.mean(0)
    right = int(np.argmax(profile > 0.5))
    crossing = right - 1 + (0.5 - profile[right - 1]) / (profile[right] - profile[right - 1])
    world = large.data_to_world((0, crossing))[1]
    assert world == pytest.approx(source.data_to_world((0, 15.5))[1], abs=0.4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_types_are_kept(noisy: np.ndarray, dtype: str) -> None:
    data = noisy.astype(dtype)
    drawn, _ = layers(fit_layer(Image(data), **QUICK))
    assert drawn.data.dtype == data.dtype
    (large,) = layers(upscale_layer(Image(data), models=1, iterations=2, n_kernels=20))
    assert large.data.dtype == data.dtype
    assert large.data.shape == (96, 128)


def test_rgb_and_opacity(picture: np.ndarray) -> None:
    rgb = np.stack([picture, picture[::-1], 255 - picture], -1)
    drawn, kernels = layers(fit_layer(Image(rgb, rgb=True), **QUICK))
    assert drawn.rgb
    assert {"expert 0", "expert 1", "expert 2"} < set(kernels.features)
    alpha = np.full((*picture.shape, 1), 77, np.uint8)
    rgba = Image(np.concatenate([rgb, alpha], -1), rgb=True)
    other, _ = layers(fit_layer(rgba, **QUICK))
    np.testing.assert_array_equal(other.data[..., :3], drawn.data)
    assert (other.data[..., 3] == 77).all()
    clean, spread = layers(denoise_layer(rgba, show={"std": True}, models=2, preset="fast"))
    assert (clean.data[..., 3] == 77).all()
    assert spread.data.shape == picture.shape
    (large,) = layers(upscale_layer(rgba, models=1, iterations=2, n_kernels=20))
    assert large.data.shape == (96, 128, 4)
    assert (large.data[..., 3] == 77).all()


def test_stacks_lazy_and_multiscale(noisy: np.ndarray) -> None:
    import dask.array as da

    single = [layers(fit_layer(Image(plane), **QUICK))[0].data for plane in (noisy, noisy[::-1].copy())]
    stack = np.stack([noisy, noisy[::-1]])
    place: dict[str, Any] = {"scale": (4, 0.5, 0.5), "translate": (1, 2, 3), "axis_labels": ("z", "y", "x")}
    lazy = Image(da.from_array(stack, chunks=(1, 48, 64)), **place)
    drawn, kernels = layers(fit_layer(lazy, **QUICK))
    same_place(drawn, lazy)
    np.testing.assert_array_equal(drawn.data, single)
    assert kernels.ndim == 3
    assert set(kernels.features["plane"]) == {0, 1}
    pyramid = Image([stack, stack[:, ::2, ::2]], multiscale=True, **place)
    again, _ = layers(fit_layer(pyramid, **QUICK))
    np.testing.assert_array_equal(again.data, single)
    (large,) = layers(upscale_layer(lazy, scale=2, models=1, iterations=2, n_kernels=20))
    np.testing.assert_allclose(large.scale, (4, 0.25, 0.25))
    np.testing.assert_allclose(large.translate, (1, 2 - 0.125, 3 - 0.125))


def test_channels_that_share_kernels(noisy: np.ndarray) -> None:
    image = np.stack([noisy, 255 - noisy])
    result = actions.fit(from_layer(Image(image), channel_axis=0), QUICK)
    drawn, kernels = (output.layer() for output in result.outputs)
    model = fit(image, channel_axis=0, **QUICK)
    np.testing.assert_array_equal(drawn.data, model.render())
    assert {"expert 0", "expert 1"} < set(kernels.features)
    with pytest.raises(ImageError, match="last two are Y and X"):
        from_layer(Image(image), channel_axis=1)


def test_plane_and_region_keep_their_place(noisy: np.ndarray) -> None:
    layer = Image(np.stack([noisy] * 3), scale=(2, 0.5, 0.5), translate=(1, 2, 3), rotate=np.eye(3))
    assert plane_in_view(layer, (5.2, 0, 0)) == (2,)
    assert plane_in_view(layer, (-50, 0, 0)) == (0,)
    part = from_layer(layer).plane_at((2,)).crop(10, 20, 30, 50)
    assert part.data.shape == (1, 20, 30)
    made = actions.fit(part, QUICK).outputs[0].layer()
    np.testing.assert_allclose(made.data_to_world((0, 0, 0)), layer.data_to_world((2, 10, 20)))
    np.testing.assert_allclose(made.data_to_world((0, 5, 7)), layer.data_to_world((2, 15, 27)))
    with pytest.raises(ImageError, match="outside"):
        from_layer(layer).crop(500, 500, 600, 600)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Image(np.zeros((8, 8), bool)), "boolean"),
        (Image(np.full((8, 8), np.nan, np.float32)), "NaN|finite|infinit"),
        (Labels(np.zeros((8, 8), int)), "choose an image layer"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(layer: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        process_layer("fit", layer, **QUICK)


def test_cancel_keeps_what_is_there(noisy: np.ndarray) -> None:
    seen: list[Progress] = []

    def stop_in_second_plane(progress: Progress) -> bool:
        seen.append(progress)
        return progress.fraction > 0.5

    stack = np.stack([noisy, noisy, noisy])
    result = actions.fit(from_layer(Image(stack)), QUICK, stop_in_second_plane)
    metrics = result.record["metrics"]
    assert metrics["stopped"]
    assert metrics["planes_done"] == 2
    image = result.outputs[0].data
    assert image[1].any()
    assert not image[2].any()
    assert "plane 2 of 3" in seen[-1].stage
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert seen[-1].preview().shape == noisy.shape


# ------------------------------------------------------------------ copy as Python, copy as command line


def test_masked_pixels_of_a_part_of_a_stack_are_left_out(noisy: np.ndarray) -> None:
    stack = np.stack([noisy, noisy]).astype(np.float32)
    mask = np.zeros(stack.shape, np.uint8)
    mask[1, 10:13, 8:20] = 2
    source = replace(from_layer(Image(np.where(mask, np.nan, stack), name="x")), mask=mask)
    part = source.crop(4, 4, 40, 40)
    given = {"models": 2, "preset": "fast", "fill": False, "average": 1}
    (result,) = (output.data for output in actions.denoise(part, given).outputs)
    np.testing.assert_array_equal(np.isnan(result), mask[:, 4:40, 4:40] > 0)


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("denoise", {"models": 2, "preset": "fast", "noise": 12.0, "seed": 3}),
    ("fit", {"n_kernels": 25, "iterations": 10, "experts": "linear"}),
    ("upscale", {"scale": 1.5, "models": 1, "iterations": 3, "n_kernels": 20}),
]


@pytest.mark.parametrize(("action", "given"), CALLS)
@pytest.mark.parametrize("kind", ["grey", "rgb", "stack"])
def test_copied_python_gives_the_same(
    action: str, given: dict[str, Any], kind: str, noisy: np.ndarray, tmp_path: Path
) -> None:
    image = {
        "grey": noisy,
        "rgb": np.stack([noisy] * 2 + [255 - noisy], -1),
        "stack": np.stack([noisy, noisy.T.copy().T]),
    }
    path = tmp_path / "image.tif"
    write_image(path, image[kind], axes={"grey": "YX", "rgb": "YXC", "stack": "ZYX"}[kind])
    layer = Image(read_image(path).data, rgb=kind == "rgb", name="x")
    source = from_layer(layer)
    result = run(action, source, given)
    record = {**result.record, "source": {**result.record["source"], "path": str(path)}}
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(as_python(record), names)
    np.testing.assert_array_equal(names["result"], result.outputs[0].data)


def run(action: str, source: Any, given: dict[str, Any]) -> actions.Result:
    return actions.ACTIONS[action](source, given)


@pytest.mark.parametrize(("action", "given"), CALLS)
def test_copied_command_line_gives_the_same(
    action: str, given: dict[str, Any], noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "image.tif", noisy)
    result = run(action, from_layer(Image(noisy, name="x")), given)
    record = {**result.record, "source": {**result.record["source"], "path": str(tmp_path / "image.tif")}}
    text = as_command_line(record)
    assert "#" not in text, text
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, shlex.split(text)[1:])
    assert done.exit_code == 0, done.output
    made = read_image(tmp_path / f"{action}.tif").data
    np.testing.assert_array_equal(made, result.outputs[0].data)


def test_copied_calls_say_what_they_cannot_repeat(noisy: np.ndarray) -> None:
    layer = Image(noisy, name="cells")
    source = from_layer(layer).crop(0, 0, 20, 20)
    settings = {"n_kernels": 10, "rasterized": False}
    record = make_record("fit", source, settings)
    shell = as_command_line(record)
    assert "save the layer 'cells'" in shell
    assert "cut it out of the file first" in shell
    assert "--no-rasterized" in shell
    python = as_python(record)
    assert "image = image[0:20, 0:20]" in python
    assert "viewer.layers['cells'].data" in python
    assert "rasterized=False" in python


def test_copied_python_leaves_out_what_the_mask_marks(noisy: np.ndarray) -> None:
    stack = np.stack([noisy, noisy[::-1]]).astype(np.float32)
    mask = np.zeros(noisy.shape, np.uint8)
    mask[10:13, 8:20] = 2
    pyramid = Image([stack, stack[:, ::2, ::2]], multiscale=True, name="film")
    whole = replace(from_layer(pyramid), mask=mask, mask_name="gap")
    viewer = SimpleNamespace(layers={"film": pyramid, "gap": Labels(mask)})
    given = {"models": 2, "preset": "fast", "noise": 12.0, "fill": False}
    for source in (whole, whole.plane_at((1,)), whole.crop(4, 4, 40, 40)):
        result = actions.denoise(source, given)
        names: dict[str, Any] = {"viewer": viewer}
        exec(as_python(result.record), names)
        np.testing.assert_array_equal(names["result"], result.outputs[0].data)
        np.testing.assert_array_equal(names["mask"], source.mask)
    assert "# save the labels 'gap', of which the part mask[4:40, 4:40] to mask.tif first" in as_command_line(
        result.record
    )
    assert "--mask mask.tif" in as_command_line(result.record)


@pytest.mark.parametrize(("action", "given"), [*CALLS, ("deblur", {"psf": 1.2, "preset": "fast", "noise": 12.0})])
def test_what_lies_outside_of_a_shape_counts_neither_in_copied_calls_nor_in_trials(
    action: str, given: dict[str, Any], noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[:24, :32]
    image = np.where(np.hypot(y - 12, x - 16) < 12, noisy[:24, :32], 255).astype(np.uint8)
    whole = replace(from_layer(Image(image, name="x")), outside=image == 255, outside_name="part")
    source, settings = inside_only(whole, {**defaults(action), **given})
    result = run(action, source, settings)
    made = result.outputs[0].data
    assert made[0, 0] == 255
    assert np.median(made[np.asarray(made).shape[0] // 2]) < 250
    (trial,) = tried(action, source, settings, [source], [Setting("")], lambda _: False)
    np.testing.assert_array_equal(trial.image, made)
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "image.tif", image)
    record = ready_to_copy(result.record)
    names: dict[str, Any] = {"viewer": SimpleNamespace(layers={"x": SimpleNamespace(data=image)})}
    exec(as_python(record), names)
    np.testing.assert_array_equal(names["result"], made)
    done = CliRunner().invoke(main, shlex.split(as_command_line(record), comments=True)[1:])
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(read_image(tmp_path / f"{action}.tif").data, made)


def defaults(action: str) -> dict[str, Any]:
    table = PARAMETERS["denoise_stack"] if action == "denoise" else PARAMETERS[action]
    return {parameter.name: parameter.default for parameter in (*table, DTYPE)}
