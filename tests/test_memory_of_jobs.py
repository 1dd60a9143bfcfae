"""What jobs are said to take beforehand is what they take, and what does not fit is refused before any work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import run

import napari_rsmoe
from napari_rsmoe import write_image
from napari_rsmoe.denoising.memory import memory_of_denoising
from napari_rsmoe.denoising.plans import Plan
from napari_rsmoe.errors import NotEnoughMemoryError
from napari_rsmoe.fitting.memory import memory_of_fit
from napari_rsmoe.fitting.settings import FitSettings

MEASURED = """
import ctypes, gc, importlib, json, os, pkgutil, sys, warnings
import numpy as np
import scipy.fft, scipy.ndimage, scipy.optimize
from skimage.restoration import denoise_tv_chambolle
import torch
import napari_rsmoe as r
from napari_rsmoe import memory

warnings.simplefilter("ignore")
torch.set_num_threads(1)
library = ctypes.CDLL("libc.so.6")
for module in pkgutil.walk_packages(r.__path__, "napari_rsmoe."):
    if module.name.split(".")[1] in ("denoising", "enlarging", "fitting", "model", "noise", "image"):
        importlib.import_module(module.name)

def resident(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

def load_code():
    # Pages of files that are mapped, such as code, are no memory of the job.
    with open("/proc/self/maps") as maps:
        for line in maps:
            parts = line.split()
            if len(parts) > 5 and parts[5].startswith("/"):
                begin, end = (int(each, 16) for each in parts[0].split("-"))
                library.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), 22)  # MADV_POPULATE_READ

def picture(side, channels=None, dtype=np.uint8):
    y, x = np.mgrid[:side, :side].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 10, y.shape).astype(np.float32)
    grey = np.clip(120 + 60 * np.sin(x / 9) * np.cos(y / 7) + noise, 0, 255).astype(dtype)
    return grey if channels is None else np.stack([grey] * channels, 2)

model, colours = r.fit(picture(64), 400, iterations=60), r.fit(picture(64, 3), 400, iterations=5)
grey, colour, large, wide, small = picture(320), picture(224, 3), picture(448), picture(320, 3), picture(192)
few = dict(preset="fast", noise=0)
jobs = {
    "fit": lambda: r.fit(grey, 4000, iterations=90),
    "fit colour": lambda: r.fit(wide, 5000, iterations=60, experts="linear"),
    "fit content": lambda: r.fit(large, 2000, iterations=20, start="content"),
    "fit random": lambda: r.fit(small, 500, iterations=20, start="random"),
    "denoise": lambda: r.denoise(grey, noise=10, preset="fast"),
    "denoise small": lambda: r.denoise(small, preset="fast"),
    "denoise colour": lambda: r.denoise(colour, preset="fast", models=8),
    "film": lambda: list(r.denoise_film([small] * 3, preset="fast")),
    "upscale": lambda: r.upscale(grey, 2, models=2, **few),
    "upscale colour": lambda: r.upscale(small[:96, :96, None].repeat(3, 2), 3, models=1, return_std=True),
    "deblur": lambda: r.deblur(small[:128, :128], 1.5, preset="fast", noise=10),
    "deblur larger": lambda: r.deblur(small[:128, :128], 1.5, scale=3, **few),
    "render": lambda: model.render(scale=40),
    "render averaged": lambda: model.render(region=(0, 0, 2e3, 2e3), shape=(1000, 1000)),
    "render coarse": lambda: model.render(region=(0, 0, 9e3, 9e3), shape=(90, 90)),
    "render coarser": lambda: colours.render(region=(0, 0, 4e3, 4e3), shape=(10, 10)),
    "noise": lambda: r.estimate_noise(large),
    "noise small": lambda: r.estimate_noise(small),
    "noise colour": lambda: r.estimate_noise(colour),
    "noise small colour": lambda: r.estimate_noise(wide[:192, :192]),
    "noise channels": lambda: r.estimate_noise(wide[..., [0, 1, 2, 0]], channel_axis=2),
}
said = []
memory.budget = lambda: 2**62
def note(needed, what, remedy):
    said.append(needed)
for module in list(sys.modules.values()):
    if getattr(module, "__name__", "").startswith("napari_rsmoe"):
        if hasattr(module, "require"):
            module.require = note
        if hasattr(module, "budget"):
            module.budget = memory.budget
for name in sys.argv[1:] or jobs:
    job = jobs[name]
    # Each job has a process of its own, in which all libraries are loaded.
    child = os.fork()
    if child == 0:
        load_code()
        gc.collect()
        library.malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")
        before = resident("VmRSS")
        result = job()
        print(json.dumps([name, max(said), resident("VmHWM") - before]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""


RUNS = 3
"""Times that a job is measured at most: the pages that the allocator keeps between steps differ from run to run."""
SMALL = 1e6
"""Difference in bytes that is no matter whatever the ratio: what the allocator of a fresh process keeps free."""


def measured(*jobs: str) -> dict[str, tuple[int, int]]:
    """What jobs, by default all of them, are said to take and what they take, in bytes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURED, *jobs]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "clear_refs" in done.stderr:
        pytest.skip("this system does not let a process forget its peak")
    assert done.returncode == 0, done.stderr
    return {name: (said, taken) for name, said, taken in map(json.loads, done.stdout.splitlines())}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a job is read from /proc")
def test_what_jobs_take_is_said_beforehand() -> None:
    found = measured()
    assert found["render coarse"][1] < 30e6  # 81 million samples, 324 MB, are averaged block by block
    for _ in range(RUNS - 1):
        if wrong := outside(found):
            found = measured(*wrong)
    assert not outside(found)


def outside(found: dict[str, tuple[int, int]]) -> dict[str, float]:
    """The jobs that take much more or less than was said, and what was said relative to that."""
    return {
        name: round(said / taken, 2)
        for name, (said, taken) in found.items()
        if not 1 / 1.2 < said / taken < 1.2 and abs(said - taken) > SMALL
    }


IMAGE = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)


@pytest.mark.parametrize(
    ("job", "given", "words"),
    [
        ("fit", {"n_kernels": 4000, "rasterized": False}, "Fitting 4000 kernels to 64 x 64 px.*or rasterized=True"),
        ("denoise", {"models": 1000}, "Denoising 64 x 64 px with 1000 models.*fewer models"),
        ("upscale", {"scale": 100}, "Enlarging 64 x 64 px.*a smaller scale"),
        ("estimate_noise", {}, "Estimating the noise of 64 x 64 px.*Take a part of the image"),
    ],
)
def test_jobs_over_the_budget_are_refused_before_any_work(job: str, given: dict[str, Any], words: str) -> None:
    def never(progress: object) -> None:
        raise AssertionError("the work has begun")

    more = {} if job == "estimate_noise" else {"callback": never}
    with pytest.raises(NotEnoughMemoryError, match=rf"(?s){words}.*memory='\d+[MG]'"):
        getattr(napari_rsmoe, job)(IMAGE, **given, **more, memory="1M")


def test_a_large_fit_is_refused_before_its_image_is_checked() -> None:
    def never(progress: object) -> None:
        raise AssertionError("the work has begun")

    large = np.broadcast_to(IMAGE[:1, :1], (6000, 4000))  # Its check takes seconds and is reported.
    with pytest.raises(NotEnoughMemoryError, match="Fitting 500 kernels to 6000 x 4000 px"):
        napari_rsmoe.fit(large, 500, callback=never, memory="100M")


def test_a_stack_that_memory_does_not_hold_is_refused() -> None:
    stack = np.broadcast_to(IMAGE, (100_000, *IMAGE.shape))
    with pytest.raises(NotEnoughMemoryError, match=r"denoised stack of shape \(100000, 64, 64\).*create"):
        napari_rsmoe.denoise_stack(stack, "ZYX", memory="1G")


def test_results_do_not_depend_on_the_budget() -> None:
    tight, wide = (napari_rsmoe.denoise(IMAGE, preset="fast", memory=memory) for memory in ("20M", "8G"))
    np.testing.assert_array_equal(tight.image, wide.image)
    np.testing.assert_array_equal(tight.std, wide.std)


def test_command_line_refuses_too(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.tile(IMAGE, (3, 3)))
    for verb, options in (("fit", []), ("denoise", []), ("upscale", ["--scale", "8"])):
        result = run(verb, tmp_path / "a.png", tmp_path / "b.png", *options, "--memory", "1M")
        assert result.exit_code == 1
        assert "of memory, and memory allows 1 MiB" in result.stderr
        assert "Traceback" not in result.stderr
    result = run("fit", tmp_path / "a.png", tmp_path / "b.png", "--memory", "four")
    assert result.exit_code == 2
    assert "'four' is not a size of at least 1 MiB, such as 500M or 4G" in result.stderr


def test_a_block_of_any_number_of_pixels_can_be_planned() -> None:
    plans = [Plan(count, (0, 0)) for count in (100, 200, 100, 200)]
    whole = memory_of_denoising(3, 10_000, plans)
    assert whole.pixels(whole.bytes(5000)) in (5000, 5001)
    fit = memory_of_fit(1, 500, FitSettings(), "smoe")
    assert fit.bytes(2000) > fit.bytes(1000) > fit.fixed > 0


def test_large_blocks_that_do_not_fit_are_refused() -> None:
    large = np.broadcast_to(IMAGE[:1, :1], (4000, 4000))
    with pytest.raises(NotEnoughMemoryError, match=r"4000 x 4000 px in blocks.*Take smaller blocks, such as block=128"):
        napari_rsmoe.denoise(large, block=4096, memory="500M")


def test_the_planes_of_a_film_are_counted() -> None:
    frames = [np.broadcast_to(IMAGE[:1, :1], (1000, 1000))] * 3
    with pytest.raises(NotEnoughMemoryError, match=r"Holding 9 planes of 1000 x 1000 px.*Take fewer planes on either"):
        list(napari_rsmoe.denoise_film(frames, average=4, memory="50M"))
