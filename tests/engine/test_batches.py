"""Several models in one call are, to the bit, what each is alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from backends import backend, in_use  # noqa: F401  (every test of this file runs over all backends)
from mixtures import random_mixture

from napari_rsmoe import denoise, engine
from napari_rsmoe.denoising import ensemble, options
from napari_rsmoe.denoising.plans import Plan, batches
from napari_rsmoe.engine.limits import Limits

MODELS, KERNELS, SHAPE = 3, 40, (37, 50)


def batch(channels: int, linear: bool) -> tuple[torch.Tensor, torch.Tensor]:
    models = [random_mixture(KERNELS, channels, SHAPE, seed, linear=linear) for seed in range(MODELS)]
    geometry, experts = (torch.stack(parts) for parts in zip(*models, strict=True))
    return geometry, experts


def drawn(geometry: torch.Tensor, experts: torch.Tensor, upstream: torch.Tensor, **options: Any) -> list[torch.Tensor]:
    inputs = [geometry.clone().requires_grad_(), experts.clone().requires_grad_()]
    image = engine.render(*inputs, *SHAPE, **options)
    return [image.detach(), *torch.autograd.grad(image, inputs, upstream)]


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_images_and_gradients(channels: int, normalised: bool, linear: bool) -> None:
    geometry, experts = batch(channels, linear)
    upstream = torch.rand(MODELS, channels, *SHAPE, generator=torch.Generator().manual_seed(9))
    together = drawn(geometry, experts, upstream, normalised=normalised, linear=linear)
    assert together[0].shape == (MODELS, channels, *SHAPE)
    for number in range(MODELS):
        alone = drawn(geometry[number], experts[number], upstream[number], normalised=normalised, linear=linear)
        for ours, expected in zip(together, alone, strict=True):
            assert torch.equal(ours[number], expected)


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
@pytest.mark.parametrize("channels", [2, 5])
def test_fits(channels: int, linear: bool) -> None:
    geometry, experts = batch(channels, linear)
    rng = torch.Generator().manual_seed(9)
    state = torch.zeros(MODELS, 2, 6 + experts.shape[2], KERNELS)
    target, weight = torch.rand(MODELS, 12, channels, 256, generator=rng), torch.rand(MODELS, 12, 256, generator=rng)

    def steps(*tensors: torch.Tensor) -> list[torch.Tensor]:
        mutated = [tensor.clone() for tensor in tensors[:3]]
        losses, _ = engine.fit_steps(
            *mutated, *tensors[3:], torch.full((7, 4), 0.05), *SHAPE, first_step=0, tau=7.0, normalised=True,
            confidence=0.0, linear=linear, whitened=True, list_interval=3, list_margin=2.0, betas=(0.9, 0.99),
            limits=Limits(),
        )  # fmt: skip
        return [*mutated, losses]

    inputs = [geometry, experts, state, target, weight]
    together = steps(*inputs)
    assert together[3].shape == (MODELS, 7)
    for number in range(MODELS):
        for ours, expected in zip(together, steps(*(each[number] for each in inputs)), strict=True):
            assert torch.equal(ours[number], expected)


def test_shapes_that_do_not_fit_are_refused() -> None:
    geometry, experts = batch(2, False)
    with pytest.raises(RuntimeError, match=r"experts must have shape \[3, 40, any\], not \[40, 2\]"):
        engine.render(geometry, experts[0], *SHAPE)
    with pytest.raises(RuntimeError, match="at least one model"):
        engine.render(geometry[:0], experts[:0], *SHAPE)
    with pytest.raises(RuntimeError, match=r"geometry must have shape \[any, 6\]"):
        engine.tile_lists(geometry, *SHAPE)


def all_at_once(plans: list[Plan], shape: tuple[int, int], tiles_at_once: int) -> list[list[int]]:
    """Batches as on a device."""
    return batches(plans, shape, 1000)


@pytest.mark.parametrize("n_kernels", [30, "auto"])
def test_denoising(monkeypatch: pytest.MonkeyPatch, n_kernels: int | str) -> None:
    """Their tile grids begin at different places, and so their rasters differ in size.

    Tiles without weight are added; on CUDA that changes which lane adds up which pair of a kernel. The fits are short:
    a kernel that leaves the image is stopped at the end of the raster.
    """
    monkeypatch.setitem(options.ITERATIONS, "fast", 20)
    tolerance = 0.0 if in_use() == "cpu" else 1e-3
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (33, 30, 3)).astype(np.float32)
    chosen = {"models": 4, "n_kernels": n_kernels, "preset": "fast", "noise": 0.1}
    alone = denoise(noisy, **chosen)  # type: ignore[arg-type]
    assert all_at_once([Plan(5, (0, 0)), Plan(5, (1, 1))], (33, 30), 0) == [[0, 1]]
    monkeypatch.setattr(ensemble, "batches", all_at_once)
    together = denoise(noisy, **chosen)  # type: ignore[arg-type]
    assert [model.metadata["model"] for model in together.models] == [0, 1, 2, 3]
    for ours, expected in zip(together.models, alone.models, strict=True):
        torch.testing.assert_close(ours.geometry, expected.geometry, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(ours.experts, expected.experts, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(together.image, alone.image, atol=tolerance + 1e-6)
    if n_kernels == "auto":  # each goes on from its own kernels
        later = denoise(noisy, **chosen, warm_start=together)  # type: ignore[arg-type]
        assert [model.n_kernels for model in later.models] == [model.n_kernels for model in alone.models]
