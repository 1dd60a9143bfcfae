"""What only a CUDA device can show. Without one, or without the CUDA engine, everything here is skipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from napari_rsmoe import denoise, engine, fit, psnr
from napari_rsmoe.engine import devices
from napari_rsmoe.engine.limits import Limits
from napari_rsmoe.errors import DeviceError
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.starts.methods import make_start

pytestmark = pytest.mark.skipif(bool(devices.why_not_cuda()), reason=devices.why_not_cuda() or "there is a device")


@pytest.fixture
def photograph() -> np.ndarray:
    return data.chelsea()[60:156, 120:240]


def mixture(kernels: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    geometry = torch.zeros(kernels, 6)
    geometry[:, :2] = torch.rand(kernels, 2, generator=rng) * size
    geometry[:, [2, 4]] = 0.25
    return geometry.cuda(), torch.rand(kernels, 3, generator=rng).cuda()


@pytest.mark.parametrize("options", [{}, {"mode": "rbf"}, {"experts": "linear"}], ids=str)
def test_a_fit_is_as_good_as_the_cpus(photograph: np.ndarray, options: dict[str, str]) -> None:
    quality = [
        psnr(fit(photograph, 300, iterations=200, device=device, **options).render(device=device), photograph)  # type: ignore[arg-type]
        for device in ("cpu", "cuda")
    ]
    assert quality[1] == pytest.approx(quality[0], abs=0.05)


def test_denoising_is_as_good_as_the_cpus(photograph: np.ndarray) -> None:
    noisy = photograph + np.random.default_rng(0).normal(0, 20, photograph.shape)
    quality = [psnr(denoise(noisy, models=2, device=device).image, photograph, 255) for device in ("cpu", "cuda")]
    assert quality[1] == pytest.approx(quality[0], abs=0.05)


def test_a_fit_waits_for_nothing(photograph: np.ndarray) -> None:
    pixels = photograph.astype(np.float32) / 255
    settings = FitSettings(iterations=500)
    start = make_start(settings.start, pixels, 300, np.random.default_rng(0))
    fitter = Fitter(pixels, start, settings, device=torch.device("cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        while fitter.remaining:
            fitter.chunk()
        with pytest.raises(RuntimeError, match="synchronizing"):
            fitter.settle()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert fitter.mean_squared_error < 0.01


def test_too_little_memory_falls_back_or_says_so(photograph: np.ndarray) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-5)
    try:
        with pytest.raises(DeviceError, match="memory"):
            fit(photograph, 300, iterations=10, device="cuda")
        with pytest.warns(UserWarning, match="the CPU is used"):
            assert np.isfinite(fit(photograph, 300, iterations=10).render(device="cpu")).all()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_the_same_seed_gives_the_same_bits(photograph: np.ndarray) -> None:
    first, second = (fit(photograph, 300, iterations=100, device="cuda") for _ in range(2))
    assert torch.equal(first.geometry, second.geometry)


def test_the_current_stream_is_used() -> None:
    geometry, experts = mixture(500, 256)
    expected = engine.render(geometry, experts, 256, 256)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # type: ignore[no-untyped-call]
        late = geometry + 0.0
        image = engine.render(late, experts, 256, 256)
    stream.synchronize()
    assert torch.equal(image, expected)


def test_another_device_than_the_current_one_is_used() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one device only")
    geometry, experts = mixture(500, 256)
    there = engine.render(geometry.to("cuda:1"), experts.to("cuda:1"), 256, 256)
    assert there.device.index == 1
    assert torch.equal(there.cpu(), engine.render(geometry, experts, 256, 256).cpu())


def test_steps_can_be_captured_in_a_graph() -> None:
    geometry, experts = mixture(500, 256)
    state, target = torch.zeros(2, 9, 500, device="cuda"), torch.rand(256, 3, 256, device="cuda")
    rates = torch.full((10, 4), 0.02)

    def steps() -> torch.Tensor:
        return engine.fit_steps(
            geometry, experts, state, target, None, rates, 256, 256, first_step=0, tau=7.0, normalised=True,
            confidence=0.0, whitened=True, list_interval=5, list_margin=2.0, betas=(0.85, 0.95),
            limits=Limits(largest_scale=512.0),
        )[0]  # fmt: skip

    before = [t.clone() for t in (geometry, experts, state)]
    expected = steps().clone()
    for tensor, value in zip((geometry, experts, state), before, strict=True):
        tensor.copy_(value)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses = steps()
    graph.replay()
    assert torch.equal(losses, expected)
