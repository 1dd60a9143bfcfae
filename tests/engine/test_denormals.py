"""The engine computes with denormals as zero, and leaves the floating-point state of its callers as it was."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from backends import ROOT, compiler, run
from mixtures import random_mixture
from skimage import data

import napari_rsmoe as rsmoe
from napari_rsmoe import engine
from napari_rsmoe.engine.limits import Limits

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads the state of x86-64")

TINY = 1e-40  # denormal in float32
HEIGHT, WIDTH, KERNELS = 70, 90, 60


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Functions that read the floating-point state of this thread and of torch's workers."""
    library = tmp_path_factory.mktemp("state") / "control_word.so"
    torch_library = ["-L", str(Path(torch.__file__).parent / "lib"), "-Wl,--allow-shlib-undefined", "-ltorch_cpu"]
    source = str(ROOT / "tests" / "abi" / "control_word.cpp")
    include = ["-I", str(ROOT / "csrc")]
    run(compiler(), "-std=c++20", "-O1", "-shared", "-fPIC", *include, source, *torch_library, "-o", str(library))
    loaded = ctypes.CDLL(str(library))
    loaded.met_denormals.restype = ctypes.c_bool
    return loaded


def words(state: ctypes.CDLL) -> list[int]:
    """Control words of this thread and of torch's workers."""
    workers = np.zeros(torch.get_num_threads(), np.uint32)
    state.control_words_of_workers(ctypes.c_int64(len(workers)), ctypes.c_void_p(workers.ctypes.data))
    return [state.control_word(), *workers.tolist()]


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fit_steps(target: torch.Tensor, geometry: torch.Tensor, experts: torch.Tensor) -> torch.Tensor:
    """Train a mixture in place; returns its losses."""
    channels = experts.shape[1]
    losses, _ = engine.fit_steps(
        geometry, experts, torch.zeros(2, 6 + channels, len(geometry)), target, None, torch.full((30, 4), 0.05),
        HEIGHT, WIDTH, first_step=0, tau=7.0, normalised=True, confidence=0.0, whitened=True, list_interval=5,
        list_margin=2.0, betas=(0.85, 0.95), limits=Limits(),
    )  # fmt: skip
    return losses


def operators(tiny: float) -> dict[str, Callable[[], list[torch.Tensor]]]:
    """Every operator that computes, on values of which some or all are as small as `tiny`."""
    geometry, experts = random_mixture(KERNELS, 3, (HEIGHT, WIDTH), 0, scales=(1.0, 8.0))
    upstream = torch.full((3, HEIGHT, WIDTH), tiny)
    image = np.full((HEIGHT, WIDTH, 3), tiny, np.float32)
    planes = np.moveaxis(image, 2, 0)
    correlation = np.broadcast_to(np.eye(64, dtype=np.float32), (3, 64, 64))
    sizes = {"stride": 4, "reach": 6, "fewest": 8, "most": 16, "similar": 0.5, "same": 0.0, "negligible": 0.0}

    def filtered(noisy: np.ndarray) -> list[torch.Tensor]:
        return [torch.from_numpy(engine.filter_patches(noisy, noisy, np.ones_like(noisy), correlation, **sizes)[0])]

    return {
        "render": lambda: [engine.render(geometry, torch.full_like(experts, tiny), HEIGHT, WIDTH)],
        "sums": lambda: [engine.render(geometry, torch.full_like(experts, tiny), HEIGHT, WIDTH, normalised=False)],
        "backward": lambda: [engine.gate_sums(geometry, upstream)],
        "lists": lambda: [(engine.tile_lists(geometry * 1, HEIGHT, WIDTH)[0] * 0).float()],
        "fit": lambda: [fit_steps(torch.full((30, 3, 256), tiny), geometry.clone(), torch.zeros_like(experts))],
        "segment": lambda: [torch.from_numpy(engine.segment(image, 0.1)).float()],
        "filter": lambda: filtered(planes),
        "filter through planes": lambda: filtered(np.stack([planes, planes])),
    }


@pytest.mark.parametrize("flush", [False, True])
def test_the_callers_state_stays_as_it_was(state: ctypes.CDLL, flush: bool) -> None:
    before_all = torch.set_flush_denormal(flush)
    assert before_all
    try:
        with threads(3):
            before = words(state)
            for run_operator in operators(TINY).values():
                run_operator()
                assert words(state) == before
            with pytest.raises(RuntimeError):
                engine.render(torch.zeros(1, 5), torch.zeros(1, 1), 8, 8)
            assert words(state) == before
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", operators(TINY))
def test_every_thread_takes_denormals_for_zero(name: str, count: int) -> None:
    with threads(count):
        for result in operators(TINY)[name]():
            assert bool((result == 0).all())


def met_in(state: ctypes.CDLL) -> dict[str, bool]:
    """Which operators meet a denormal operand, among them steps of a fit that is trained."""
    geometry, experts = random_mixture(KERNELS, 3, (HEIGHT, WIDTH), 1, scales=(1.0, 4.0))
    target = torch.rand(30, 3, 256, generator=torch.Generator().manual_seed(0))
    met = {}
    with threads(1):  # the work is all done in this thread, whose exceptions can be read
        for name, run_operator in [
            ("trained", lambda: fit_steps(target, geometry, experts)),
            *operators(TINY).items(),
        ]:
            state.clear_exceptions()
            run_operator()
            met[name] = bool(state.met_denormals())
    return met


def test_no_operand_is_denormal(state: ctypes.CDLL) -> None:
    """A proof for every processor, also for those that lose no time by denormals."""
    assert not any(met_in(state).values())


def in_process(code: str, **environment: str) -> str:
    path = os.pathsep.join([str(ROOT / "tests" / "helpers"), str(Path(__file__).parent)])
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_the_proof_sees_denormals(state: ctypes.CDLL) -> None:
    """With the flushing turned off, nearly every operator meets some."""
    code = f"""
import ctypes, test_denormals
state = ctypes.CDLL({state._name!r})
state.met_denormals.restype = ctypes.c_bool
met = test_denormals.met_in(state)
print(",".join(sorted(name for name, yes in met.items() if yes)))
"""
    met = in_process(code, RSMOE_DENORMALS="keep").split(",")
    every = {"trained", "render", "sums", "backward", "fit", "segment", "filter", "filter through planes"}
    assert set(met) >= every


def results() -> str:
    """A digest of what fits, denoised and enlarged images are."""
    image = data.chelsea()[100:148, 120:184]
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 20, image.shape), 0, 255).astype(np.uint8)
    model = rsmoe.fit(image, 100, iterations=60)
    denoised = rsmoe.denoise(noisy, preset="fast")
    dark = rsmoe.denoise(np.random.default_rng(1).poisson(0.3, (48, 64)).astype(np.uint16), models=2)
    enlarged = rsmoe.upscale(image[:32, :32], 2.5, models=2, iterations=60)
    arrays = [model.geometry.numpy(), model.experts.numpy(), model.render(), denoised.image, denoised.std, dark.image]
    digest = hashlib.sha256()
    for array in (*arrays, dark.std, enlarged):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def test_bits_do_not_depend_on_the_callers_state() -> None:
    found = set()
    for flush, count in ((False, 1), (True, 1), (True, 3)):
        torch.set_flush_denormal(flush)
        try:
            with threads(count):
                found.add(results())
        finally:
            torch.set_flush_denormal(False)
    assert len(found) == 1
