"""Random mixtures, and how results are compared with the float64 twin."""

from __future__ import annotations

import math

import torch

from napari_rsmoe import engine
from napari_rsmoe.engine import reference
from napari_rsmoe.engine.limits import Limits
from napari_rsmoe.fitting.tensors import to_tiles

EXACT = math.inf  # the global mixture: every kernel at every pixel


def random_mixture(
    kernels: int,
    channels: int,
    shape: tuple[int, int],
    seed: int,
    *,
    scales: tuple[float, float] = (0.5, 30.0),
    linear: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Steered kernels of mixed scales, a third of them outside the image."""
    rng = torch.Generator().manual_seed(seed)
    uniform = lambda *size: torch.rand(*size, generator=rng)  # noqa: E731
    extent = torch.tensor([*shape], dtype=torch.float32)
    centers = uniform(kernels, 2) * extent * 1.5 - extent * 0.25
    scale = scales[0] * (scales[1] / scales[0]) ** uniform(kernels, 2)
    r11, r22 = 1 / scale.T
    r12 = (uniform(kernels) - 0.5) * 2 * (r11 + r22)
    logit = 4 * uniform(kernels) - 2
    geometry = torch.stack([centers[:, 0], centers[:, 1], r11, r12, r22, logit], 1)
    experts = uniform(kernels, channels)
    if linear:
        experts = torch.cat([experts, (uniform(kernels, 2 * channels) - 0.5) / scale.amax(1, keepdim=True)], 1)
    return geometry.contiguous(), experts.contiguous()


def relative_error_per_kernel(actual: torch.Tensor, expected: torch.Tensor, floor: float = 1e-4) -> float:
    """Largest |actual - expected| of a kernel over the norm of its gradient.

    A kernel's norm is floored at `floor` times the largest norm: below that its gradient is rounding.
    """
    difference = (actual.double() - expected).norm(dim=1)
    norm = expected.norm(dim=1)
    return float((difference / norm.clamp_min(floor * float(norm.max()) + 1e-12)).max())


def compare_with_reference(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    shape: tuple[int, int],
    *,
    tau: float,
    normalised: bool,
    linear: bool = False,
    floor: float = 1e-4,
) -> None:
    """Values within 1e-4 of the range, every kernel's gradient within 1e-3 of its norm."""
    actual_in = [geometry.clone().requires_grad_(), experts.clone().requires_grad_()]
    actual = engine.render(*actual_in, *shape, tau=tau, normalised=normalised, linear=linear)
    upstream = torch.rand(actual.shape, generator=torch.Generator().manual_seed(1)) - 0.5
    actual_grads = torch.autograd.grad(actual, actual_in, upstream)

    expected_in = [geometry.double().requires_grad_(), experts.double().requires_grad_()]
    expected = reference.render(*expected_in, *shape, normalised=normalised, linear=linear)
    expected_grads = torch.autograd.grad(expected, expected_in, upstream.double())

    scale = max(1.0, float(expected.detach().abs().max()))
    assert float((actual - expected).detach().abs().max()) < 1e-4 * scale
    for a, e in zip(actual_grads, expected_grads, strict=True):
        assert relative_error_per_kernel(a, e, floor) < 1e-3


def fit_a_little(
    geometry: torch.Tensor, experts: torch.Tensor, state: torch.Tensor, target: torch.Tensor, height: int, width: int,
    *, steps: int = 25, whitened: bool = True, rate: float = 0.05, weight: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    rates = torch.full((steps, 4), rate)
    losses, _ = engine.fit_steps(
        geometry, experts, state, target, weight, rates, height, width, first_step=0, tau=EXACT, normalised=True,
        confidence=0.0, whitened=whitened, list_interval=4, list_margin=2.0, betas=(0.9, 0.99),
        limits=Limits(),
    )  # fmt: skip
    return losses


def tiled(image: torch.Tensor) -> torch.Tensor:
    return to_tiles(image.permute(1, 2, 0).numpy())
