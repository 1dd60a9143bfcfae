"""The benchmarks for asv: there are as many as CONTRIBUTING promises, and they run."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "asv.conf.json"


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    folder = json.loads(CONFIGURATION.read_text())["benchmark_dir"]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        names = [path.stem for path in (ROOT / folder).glob("[a-z]*.py")]
        return {name: importlib.import_module(f"{folder}.{name}") for name in names}


def test_every_figure_has_a_benchmark(modules: dict[str, ModuleType]) -> None:
    found = {
        f"{name}.{benchmark.__name__}.{method}"
        for name, module in modules.items()
        for _, benchmark in inspect.getmembers(module, inspect.isclass)
        for method, _ in inspect.getmembers(benchmark, inspect.isfunction)
        if method.startswith(("time_", "track_"))
    }
    assert found == {
        "fitting.Fit.time_fit", "fitting.Fit.track_error", "fitting.Render.time_render",
        "fitting.Upscale.time_upscale", "fitting.Upscale.track_error",
        "denoising.Denoise.time_denoise", "denoising.Denoise.track_error",
        "denoising.Noise.time_estimate", "denoising.Noise.track_error", "denoising.PatchFilter.time_filter",
        "starting.Start.track_help", "starting.Start.track_import", "starting.Start.track_engine",
    }  # fmt: skip
    assert modules["fitting"].Fit.params == (2000, 10_000)
    assert modules["denoising"].Denoise.params == ("fast", "balanced", "best")


def test_benchmarks_run(modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules["starting"], "REPEATS", 1)
    upscale = modules["fitting"].Upscale()
    upscale.setup()
    assert 0 < upscale.track_error() < 20
    noise = modules["denoising"].Noise()
    noise.setup()
    assert noise.track_error() < 0.1
    assert 0 < modules["starting"].Start().track_help() < 5
