"""The plugin as a service for other plugins and scripts: typed functions, napari's commands, magicgui."""

import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_type_hints

import numpy as np
import pytest
from driving import Wait, names
from napari.layers import Image, Layer
from napari.types import LayerDataTuple

from napari_rsmoe import Model, denoise, fit
from napari_rsmoe.plugin import service
from napari_rsmoe.plugin.commands import process_layer
from napari_rsmoe.plugin.layers.adding import earlier
from napari_rsmoe.plugin.layers.profiles import std_of
from napari_rsmoe.plugin.names import METADATA_KEY, ORIGINAL_KEY
from napari_rsmoe.plugin.record import as_command_line, as_python
from napari_rsmoe.plugin.service import DenoiseSettings, FitSettings
from napari_rsmoe.ui.parameters.outputs import OUTPUTS

QUICK: dict[str, Any] = {"models": 2, "preset": "fast", "noise": 12.0}
SCRIPT = """
import sys
import napari, numpy as np
from qtpy.QtCore import QTimer
from napari_rsmoe.plugin import service
{without_opengl}
from napari._app_model import get_app_model

viewer = napari.Viewer()
cells = viewer.add_image(np.load(sys.argv[1]), name="cells", scale=(0.5, 0.5))
commands = get_app_model().commands
settings = service.DenoiseSettings(models=2, preset="fast", noise=12.0)
commands.execute_command("napari-rsmoe.denoise_layer", settings=settings)  # The active layer; adds its result.
assert [layer.name for layer in viewer.layers] == ["cells", "cells denoised", "cells uncertainty"], viewer.layers
first = viewer.layers["cells denoised"].data
viewer.layers.selection.active = cells
noise = commands.execute_command("napari-rsmoe.noise_of_layer", cells).result()
assert 6 < noise.sigma < 20, noise

def done(future):
    (layer,) = future.result()
    assert layer in viewer.layers and layer.name == "cells denoised [1]"
    np.testing.assert_array_equal(layer.data, first)
    np.save(sys.argv[2], layer.data)
    QTimer.singleShot(0, viewer.close)

service.start("denoise", cells, settings, std=False).add_done_callback(done)
napari.run()
"""


def test_signatures_and_types_say_what_is_accepted() -> None:
    given = inspect.signature(DenoiseSettings).parameters
    assert given["preset"].annotation == Literal["fast", "balanced", "best"]
    assert given["models"].annotation == int | Literal["auto"]
    assert given["noise"].default == "auto"
    for function in (service.denoise, service.fit, service.upscale, service.measure_noise, service.start):
        hints = get_type_hints(function)
        assert set(hints) == {*inspect.signature(function).parameters, "return"}
    assert get_type_hints(service.denoise)["return"] == list[LayerDataTuple]
    settings = DenoiseSettings(models=3)
    assert repr(settings) == "DenoiseSettings(models=3)"
    assert settings == DenoiseSettings(models=3) != DenoiseSettings()
    with pytest.raises(ValueError, match="Unknown parameters: model"):
        DenoiseSettings(model=3)
    with pytest.raises(ValueError, match="Models: 0 is not"):
        DenoiseSettings(models=0)


def test_further_results_have_one_name() -> None:
    """The name that they have on the command line, and in Python where the result has such an attribute."""
    for action, outputs in OUTPUTS.items():
        taken = set(inspect.signature(getattr(service, action)).parameters) - {"layer", "settings"}
        assert taken == {each.name for each in outputs}


def test_earlier_names_of_further_results(noisy: np.ndarray) -> None:
    layer, settings = Image(noisy), FitSettings(n_kernels=9, iterations=2)
    with pytest.warns(FutureWarning, match="kernels is now called model") as seen:
        alone = service.fit(layer, settings, kernels=False)  # type: ignore[call-arg]
    assert seen[0].filename == __file__
    assert len(alone) == 1
    assert len(process_layer("fit", layer, show={"kernels": False}, **settings)) == 1
    # Layers that were made before have the earlier names as their roles.
    record = {"action": "denoise", "run": "1", "source": {"id": "2", "part": "", "axes": "YX"}}
    image = Image(noisy, metadata={METADATA_KEY: {**record, "role": "image"}})
    error_bar = Image(noisy, metadata={METADATA_KEY: {**record, "role": "uncertainty"}})
    error_bar.metadata[ORIGINAL_KEY] = str(error_bar.unique_id)
    viewer = SimpleNamespace(layers=[image, error_bar])
    assert std_of(viewer, image) is error_bar
    assert earlier(viewer, {**record, "role": "std"}) is error_bar
    assert earlier(viewer, {**record, "role": "residual"}) is None


def test_functions_give_what_the_library_gives(noisy: np.ndarray) -> None:
    layer = Image(noisy, scale=(0.5, 0.5))
    (clean, options, kind), _ = service.denoise(layer, DenoiseSettings(**QUICK))
    np.testing.assert_array_equal(clean, denoise(noisy, **QUICK).image)
    assert Layer.create(clean, options, kind).scale.tolist() == [0.5, 0.5]
    drawn = service.fit(layer, FitSettings(n_kernels=30, iterations=20), model=False)
    np.testing.assert_array_equal(drawn[0][0], fit(noisy, 30, iterations=20).render())
    whole = Image(noisy.astype(np.uint16))
    settings = FitSettings(n_kernels=30, iterations=20, dtype="float32")
    ((fine, options, _),) = service.fit(whole, settings, model=False)
    assert fine.dtype == np.float32
    assert as_python(options["metadata"][METADATA_KEY]).endswith("iterations=20).render(dtype='float32')\n")
    assert "--dtype float32" in as_command_line(options["metadata"][METADATA_KEY])
    np.testing.assert_array_equal(fine, fit(whole.data, 30, iterations=20).render(dtype="float32"))
    (large,) = service.upscale(layer, service.UpscaleSettings(models=1, iterations=2, n_kernels=20, scale=2.0))
    assert large[0].shape == (96, 128)
    assert service.measure_noise(layer).sigma == pytest.approx(12, rel=0.4)


def test_magicgui_knows_settings_and_results(viewer: Any, noisy: np.ndarray, picture: np.ndarray) -> None:
    from magicgui import magicgui

    cells = viewer.add_image(noisy, name="cells")
    Result = service.Model  # To ask for it makes magicgui know it.

    @magicgui
    def other(layer: Image, settings: DenoiseSettings, twice: bool = False) -> list[LayerDataTuple]:
        return service.denoise(layer, settings, std=False)

    viewer.window.add_dock_widget(other)
    assert type(other.settings.value) is DenoiseSettings
    other.settings.value = DenoiseSettings(**QUICK)
    assert dict(other.settings.value) == dict(DenoiseSettings(**QUICK))
    other.settings.form.field("models").own.value = 3
    assert other.settings.value["models"] == 3
    other()
    assert names(viewer) == ["cells", "cells denoised"]
    np.testing.assert_array_equal(viewer.layers[1].data, denoise(noisy, **{**QUICK, "models": 3}).image)

    own = magicgui(service.denoise)  # The functions themselves can be widgets too.
    viewer.window.add_dock_widget(own)
    assert own.settings.value == DenoiseSettings()
    assert own.layer.value is not None

    @magicgui
    def modelled() -> Model:
        return fit(picture, 20, iterations=5)

    assert Result is Model
    modelled()
    assert names(viewer)[2:] == ["model", "model kernels"]
    assert cells.data is not None


def test_a_job_in_the_background_is_a_future(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    cells = viewer.add_image(noisy, name="cells")
    future = service.start("fit", cells, FitSettings(n_kernels=30, iterations=200_000), viewer, model=False)
    run_until(lambda: future._background.job.progress is not None)
    assert not future.cancel()
    run_until(future.done)
    (layer,) = future.result()
    assert layer.name == "cells fit 30 kernels (stopped)"
    wrong = service.start("denoise", viewer.add_image(np.full((9, 9), np.nan)), viewer=viewer)
    run_until(wrong.done)
    assert "NaN" in str(wrong.exception())
    for job, settings, words in (
        ("blur", None, "use one of denoise, fit, upscale"),
        ("fit", DenoiseSettings(), "takes FitSettings"),
    ):
        with pytest.raises(ValueError, match=words):
            service.start(job, cells, settings, viewer)


def test_a_script_with_commands_and_napari_run(noisy: np.ndarray, tmp_path: Path) -> None:
    from conftest import HAS_OPENGL

    np.save(tmp_path / "in.npy", noisy)
    without = "" if HAS_OPENGL else "sys.path.insert(0, sys.argv[3]); import conftest"
    (tmp_path / "script.py").write_text(SCRIPT.replace("{without_opengl}", without), encoding="utf-8")
    arguments = [tmp_path / "script.py", tmp_path / "in.npy", tmp_path / "out.npy", Path(__file__).parent]
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=200
    )
    assert (tmp_path / "out.npy").exists(), done.stdout + done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), denoise(noisy, **QUICK).image)
