"""What a fit on a device must not do, wait and copy to and fro, and what it does when memory runs out."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backends import OnHost, load_on_host
from mixtures import random_mixture
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_rsmoe import engine
from napari_rsmoe.engine import devices, operators
from napari_rsmoe.engine.limits import Limits
from napari_rsmoe.errors import DeviceError
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.optimiser import together
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.starts.start import Start


@pytest.fixture
def library(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """The CUDA engine, run on the CPU, in place of the CPU's."""
    loaded = load_on_host(tmp_path_factory.getbasetemp())
    loaded.cuda_on_host_waits.restype = ctypes.c_int64
    monkeypatch.setattr(operators, "ops", OnHost())
    return loaded


def a_fitter(
    kernels: int, size: int, device: str, sigma: float = 3.0, *, runs_ahead: bool = True, **options: Any
) -> Fitter:
    rng = np.random.default_rng(0)
    pixels = rng.random((size, size, 3), np.float32)
    start = Start(
        rng.random((kernels, 2), np.float32) * size,
        np.full(kernels, sigma, np.float32),
        rng.random((kernels, 3), np.float32),
    )
    settings, where = FitSettings(**options), torch.device(device)
    return Fitter(pixels, start, settings, weight=pixels[..., 0], rng=rng, device=where, runs_ahead=runs_ahead)


# ---------------------------------------------------------------------- nothing is read back in the loop


class OnlyOnTheDevice(TorchDispatchMode):
    """Refuses what makes the host wait for a device, or copies memory between them."""

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        results = function(*arguments, **(options or {}))
        name = function.name()
        waits = name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal")
        if name.startswith("aten::"):
            tensors = [t for t in tree_leaves((arguments, options, results)) if isinstance(t, torch.Tensor)]
            waits |= len({t.device.type for t in tensors}) > 1
        assert not waits, f"{name} makes the host wait"
        return results


@pytest.mark.parametrize("options", [{}, {"linear": True}, {"oversample": 2}], ids=str)
def test_thousands_of_steps_read_nothing_back(options: dict[str, Any]) -> None:
    """On a device that holds no numbers: what would read one there cannot succeed."""
    fitter = a_fitter(60, 40, "meta", iterations=2000, **options)
    with OnlyOnTheDevice():
        while fitter.remaining:
            fitter.chunk()
    assert fitter.step == 2000


def test_batches_read_nothing_back() -> None:
    batch = together([a_fitter(60, 40, "meta", iterations=100, relocate=0.0) for _ in range(3)])
    with OnlyOnTheDevice():
        while batch.remaining:
            batch.advance(20)
    assert batch.geometry.shape == (3, 60, 6)


def test_running_ahead_changes_no_bit() -> None:
    """The places of relocated kernels included."""
    ahead, waits = (a_fitter(60, 40, "cpu", runs_ahead=choice, iterations=100) for choice in (True, False))
    for fitter in (ahead, waits):
        while fitter.remaining:
            fitter.chunk()
    assert ahead.mean_squared_error == waits.mean_squared_error
    assert torch.equal(ahead.geometry, waits.geometry)
    assert torch.equal(ahead.state.moments, waits.state.moments)


def test_that_test_sees_waiting() -> None:
    fitter = a_fitter(60, 40, "meta", iterations=100)
    fitter.chunk()
    with OnlyOnTheDevice():
        with pytest.raises(RuntimeError, match="on meta tensors"):
            fitter.settle()
        with pytest.raises(AssertionError, match="_to_copy makes the host wait"):
            torch.ones(3).to("meta")


def test_the_engine_does_not_wait_either(library: ctypes.CDLL) -> None:
    """Kernels that all reach everywhere need more memory than is set aside at first."""

    def run() -> tuple[Fitter, int, int]:
        fitter = a_fitter(200, 64, "cpu", 50.0, iterations=20, relocate_interval=5)
        before = library.cuda_on_host_waits()
        while fitter.remaining:
            fitter.chunk()
        between = library.cuda_on_host_waits()
        fitter.settle()
        return fitter, between - before, library.cuda_on_host_waits() - between

    first, *waits = run()
    assert waits[0] == 0
    assert waits[1] > 4  # it had too little room, found that out at the end and did all again, call by call
    second, *waits = run()
    assert waits == [0, 0]  # now it knows
    for one, other in zip(
        *([f.geometry, f.experts, f.state.moments, f.state.loss] for f in (first, second)), strict=True
    ):
        assert torch.equal(one, other)
    assert first.mean_squared_error < 0.1
    second.keep_best()
    assert second.mean_squared_error <= first.mean_squared_error


def test_what_lacks_room_is_nan(library: ctypes.CDLL) -> None:
    geometry, experts = random_mixture(300, 1, (64, 65), 0, scales=(50.0, 60.0))
    assert bool(engine.render(geometry, experts, 64, 65, wait=False).isnan().all())
    assert bool(engine.gate_sums(geometry, torch.ones(1, 64, 65), wait=False).isnan().all())
    right = engine.render(geometry, experts, 64, 65)
    assert bool(right.isfinite().all())
    assert torch.equal(engine.render(geometry, experts, 64, 65, wait=False), right)


# ---------------------------------------------------------------------- graphs and memory


def test_operators_can_be_captured(library: ctypes.CDLL) -> None:
    """They then wait for nothing. Whether a replay does the right thing, tests/cuda_on_host/program.cpp tells."""
    geometry, experts = random_mixture(30, 3, (33, 40), 0)
    before = geometry.clone()
    library.cuda_on_host_capture(1)
    try:
        inputs = [geometry.clone().requires_grad_(), experts.clone().requires_grad_()]
        torch.autograd.grad(engine.render(*inputs, 33, 40).sum(), inputs)
        engine.fit_steps(
            geometry, experts, torch.zeros(2, 9, 30), torch.rand(9, 3, 256), None, torch.full((6, 4), 0.02), 33, 40,
            first_step=0, tau=7.0, normalised=True, confidence=0.0, whitened=True, list_interval=5, list_margin=2.0,
            betas=(0.85, 0.95), limits=Limits(largest_scale=512.0),
        )  # fmt: skip
        with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
            engine.tile_lists(geometry, 33, 40)  # its results have a size that only the device knows
    finally:
        library.cuda_on_host_capture(0)
    assert torch.equal(geometry, before)


@contextmanager
def little_memory(room: int) -> Iterator[None]:
    """Let this process have only so many bytes more."""
    used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited by way of /proc")
@pytest.mark.parametrize("name", ["render", "render_backward", "fit_steps"])
def test_too_little_memory_falls_back_or_says_so(
    library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As the user chose. The allocator that fails is torch's own."""
    kernels, size = 20_000, 1024
    geometry, experts = torch.ones(kernels, 6), torch.ones(kernels, 1)
    monkeypatch.setattr(devices, "why_not_cuda", lambda: "")

    def job(device: torch.device) -> str:
        if device.type == "cpu":
            return "on the CPU"
        with little_memory(256 << 20):
            if name == "render":
                engine.render(geometry, experts, size, size, tau=np.inf)
            elif name == "render_backward":
                engine.gate_sums(geometry, torch.ones(1, size, size), tau=np.inf)
            else:
                engine.fit_steps(
                    geometry, experts, torch.zeros(2, 7, kernels), torch.ones(4096, 1, 256), None, torch.ones(1, 4),
                    size, size, first_step=0, tau=np.inf, normalised=True, confidence=0.0, whitened=True,
                    list_interval=1, list_margin=0.0, betas=(0.9, 0.9), limits=Limits(),
                )  # fmt: skip
        return "done"

    with pytest.warns(UserWarning, match=r"not enough memory on the device for another 312 MiB.*the CPU is used"):
        assert engine.run_on("auto", job) == "on the CPU"
    with pytest.raises(DeviceError, match=r"another 312 MiB.*Use fewer kernels"):
        engine.run_on("cuda", job)
    assert bool(engine.render(geometry[:9], experts[:9], 20, 20).isfinite().all())  # it goes on after that
