"""The fused steps against the float64 twin."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from backends import backend, in_use, on_device  # noqa: F401  (every test of this file runs over all backends)
from mixtures import EXACT, fit_a_little, random_mixture, relative_error_per_kernel, tiled

from napari_rsmoe import engine
from napari_rsmoe.engine import reference
from napari_rsmoe.engine.limits import Limits

WIDE = Limits(border=100.0, smallest_scale=0.01, largest_scale=5000.0)


RATES = torch.tensor([1e-4, 2e-4, 4e-4, 8e-4])
"""Of position, steering, logit and expert: apart, so that none can stand for another."""
OF_COLUMN = RATES[[0, 0, 1, 1, 1, 2]]


def coefficients_of_step(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(L, 6): the change of s by u, v, u^2, u v, v^2 and 1, in the whitened frame of each kernel before the step."""
    found = []
    for old, new in zip(before.double(), after.double(), strict=True):
        z = torch.cartesian_prod(*[torch.linspace(-1, 1, 5, dtype=torch.float64)] * 2)
        dy = z[:, 1] / old[4]
        points = torch.stack([dy, (z[:, 0] - old[3] * dy) / old[2]], 1) + old[:2]
        change = reference.exponents(new[None], points) - reference.exponents(old[None], points)
        u, v = z.T
        found.append(torch.linalg.lstsq(torch.stack([u, v, u * u, u * v, v * v, 1 + 0 * u], 1), change).solution[:, 0])
    return torch.stack(found)


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
def test_fused_step_is_adam_on_the_twins_gradient(normalised: bool, whitened: bool) -> None:
    """One step from zero state moves every parameter by its rate * sign(gradient), Adam's first step."""
    height, width = 20, 37
    geometry, experts = random_mixture(12, 2, (height, width), 11, scales=(2.0, 20.0))
    target = torch.rand(2, height, width, generator=torch.Generator().manual_seed(4))
    weight = torch.rand(height, width, generator=torch.Generator().manual_seed(5))
    inputs = [geometry.double().requires_grad_(), experts.double().requires_grad_()]
    loss = (weight * (reference.render(*inputs, height, width, normalised=normalised) - target) ** 2).sum()
    grad_geometry, grad_experts = torch.autograd.grad(loss, inputs)

    moved, moved_experts, state = geometry.clone(), experts.clone(), torch.zeros(2, 8, 12)
    losses, _ = engine.fit_steps(
        moved, moved_experts, state, tiled(target), tiled(weight[None])[:, 0].contiguous(),
        RATES[None], height, width, first_step=0, tau=EXACT, normalised=normalised, confidence=0.0,
        whitened=whitened, list_interval=1, list_margin=0.0, betas=(0.9, 0.99),
        limits=WIDE,
    )  # fmt: skip
    assert float(losses[0]) == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(moved_experts - experts, -RATES[3] * grad_experts.sign().float(), rtol=2e-3, atol=1e-8)
    if whitened:
        # The step must be a retraction: to first order s changes by du u + dv v + duu u^2 + ..., each coefficient as
        # large as its rate, against the sign of its moment, and the loss falls.
        error = (coefficients_of_step(geometry, moved) + OF_COLUMN * state[0, :6].T.sign()).abs()
        resolution = 2e-6 * (geometry[:, :2].abs().amax() * geometry[:, 2:5].abs().amax(1))[:, None]
        assert bool((error <= 2e-2 * OF_COLUMN + resolution).all())
        after = reference.render(moved.double(), moved_experts.double(), height, width, normalised=normalised)
        assert (weight * (after - target) ** 2).sum() < loss
    else:
        resolution = 2e-6 * geometry.abs().amax(0)
        error = (moved - geometry + OF_COLUMN * grad_geometry.sign().float()).abs()
        assert bool((error <= 2e-3 * OF_COLUMN + resolution).all())


@pytest.mark.parametrize(("normalised", "rate"), [(True, 0.1), (False, 0.03)], ids=["smoe", "rbf"])
def test_lists_with_a_margin_stay_valid_while_kernels_move(normalised: bool, rate: float) -> None:
    """Lists that are kept for some steps give what lists of every step give; without the margin they do not."""
    options = {"kernels": 40, "channels": 1, "shape": (48, 48), "seed": 8, "scales": (1.0, 6.0)}
    target = tiled(torch.rand(1, 48, 48, generator=torch.Generator().manual_seed(2)))

    def fitted(interval: int, margin: float) -> torch.Tensor:
        geometry, experts = random_mixture(**options)  # type: ignore[arg-type]
        losses, _ = engine.fit_steps(
            geometry, experts, torch.zeros(2, 7, 40), target, None, torch.full((6, 4), rate), 48, 48, first_step=0,
            tau=4.0, normalised=normalised, confidence=0.0, whitened=True, list_interval=interval, list_margin=margin,
            betas=(0.9, 0.99), limits=Limits(),
        )  # fmt: skip
        return torch.cat([geometry.ravel(), experts.ravel(), losses])

    fresh = fitted(1, 0.0)
    torch.testing.assert_close(fitted(6, 8.0), fresh, rtol=1e-5, atol=1e-4)
    assert float((fitted(6, 0.0) - fresh).abs().max()) > 5e-4


def test_blocks_compare_means() -> None:
    """With block 4 the loss is that of 4 x 4 means, and Adam's first moment its gradient."""
    geometry, experts = random_mixture(12, 2, (20, 36), 11, scales=(2.0, 20.0))
    coarse = torch.rand(2, 5, 9, generator=torch.Generator().manual_seed(4))
    inputs = [geometry.double().requires_grad_(), experts.double().requires_grad_()]
    means = torch.nn.functional.avg_pool2d(reference.render(*inputs, 20, 36), 4)
    loss = ((means - coarse) ** 2).sum() * 16  # each mean counts for its 16 pixels
    _, grad_experts = torch.autograd.grad(loss, inputs)
    state = torch.zeros(2, 8, 12)
    target = tiled(coarse.repeat_interleave(4, 1).repeat_interleave(4, 2))
    losses, _ = engine.fit_steps(
        geometry.clone(), experts.clone(), state, target, None, torch.full((1, 4), 1e-4), 20, 36, block=4,
        first_step=0, tau=EXACT, normalised=True, confidence=0.0, whitened=True, list_interval=1, list_margin=0.0,
        betas=(0.9, 0.99), limits=WIDE,
    )  # fmt: skip
    assert losses.item() == pytest.approx(loss.item(), rel=1e-5)
    # The engine leaves out the 2 of the square; Adam's first moment is (1 - beta1) times the gradient.
    assert relative_error_per_kernel(state[0, 6:].T / 0.1 * 2, grad_experts) < 1e-3


@pytest.mark.parametrize("whitened", [False, True])
def test_linear_steps_go_down_the_twins_gradient(whitened: bool) -> None:
    """Adam's first moments of the slopes are the gradient with the plane held in space; a small step goes down."""
    height, width, channels = 20, 37, 2
    geometry, experts = random_mixture(12, channels, (height, width), 11, scales=(2.0, 20.0), linear=True)
    target = torch.rand(channels, height, width, generator=torch.Generator().manual_seed(4))
    inputs = [geometry.double(), experts.double().requires_grad_()]
    loss = ((reference.render(*inputs, height, width, linear=True) - target) ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, inputs[1:])
    _, by_y, by_x = gradient.chunk(3, 1)
    if whitened:  # by u and v, with (u, v) = R (dx, dy)
        r11, r12, r22 = geometry[:, 2:5].double().T[:, :, None]
        by_y, by_x = r11 * by_x + r12 * by_y, r22 * by_y
    moved, moved_experts, state = geometry.clone(), experts.clone(), torch.zeros(2, 6 + 3 * channels, 12)
    losses, _ = engine.fit_steps(
        moved, moved_experts, state, tiled(target), None, torch.full((1, 4), 1e-4), height, width, first_step=0,
        tau=EXACT, normalised=True, confidence=0.0, linear=True, whitened=whitened, list_interval=1, list_margin=0.0,
        betas=(0.9, 0.99), limits=WIDE,
    )  # fmt: skip
    assert losses.item() == pytest.approx(loss.item(), rel=1e-5)
    # The engine leaves out the 2 of the square; Adam's first moment is (1 - beta1) times the gradient.
    assert relative_error_per_kernel(state[0, 8:].T / 0.1 * 2, torch.cat([by_y, by_x], 1)) < 1e-3
    after = reference.render(moved.double(), moved_experts.double(), height, width, linear=True)
    assert ((after - target) ** 2).sum() < loss


def test_whitened_gradient_matches_autograd() -> None:
    """Moments in the whitened frame are the derivatives of the loss by the step's coefficients."""
    height, width = 18, 25
    geometry, experts = random_mixture(6, 1, (height, width), 2, scales=(2.0, 10.0))
    target = torch.rand(1, height, width, generator=torch.Generator().manual_seed(4))
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    points = torch.stack([y.ravel(), x.ravel()], 1)
    g = geometry.double()
    dy, dx = points[:, :1] - g[:, 0], points[:, 1:] - g[:, 1]
    u, v = g[:, 2] * dx + g[:, 3] * dy, g[:, 4] * dy
    coefficients = torch.zeros(6, 6, dtype=torch.float64, requires_grad=True)
    basis = torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v], -1)
    s = reference.exponents(g, points) + (basis * coefficients).sum(-1)
    value = (torch.softmax(s, 1) @ experts.double()).T.reshape(1, height, width)
    (expected,) = torch.autograd.grad(((value - target) ** 2).sum(), coefficients)
    state = torch.zeros(2, 7, 6)
    fit_a_little(geometry.clone(), experts.clone(), state, tiled(target), height, width, steps=1)
    first = state[0, :6] / 0.1 * 2  # Adam's first moment is (1 - beta1) g; the engine leaves out the 2 of the square
    order = [5, 0, 1, 2, 3, 4]  # the state's rows are u, v, uu, uv, vv, logit
    assert relative_error_per_kernel(first[order].T, expected) < 1e-3


def test_fit_steps_resume_exactly() -> None:
    """Twice ten steps are twenty, when lists are rebuilt at the same steps."""
    geometry, experts = random_mixture(30, 1, (48, 48), 8)
    target = torch.rand(9, 1, 256, generator=torch.Generator().manual_seed(2))
    whole = geometry.clone(), experts.clone(), torch.zeros(2, 7, 30)
    parts = geometry.clone(), experts.clone(), torch.zeros(2, 7, 30)
    options = {
        "tau": 7.0, "normalised": True, "confidence": 0.0, "whitened": True, "list_interval": 5, "list_margin": 2.0,
        "betas": (0.9, 0.99), "limits": Limits(),
    }  # fmt: skip
    rates = torch.full((20, 4), 0.05)
    engine.fit_steps(*whole, target, None, rates, 48, 48, first_step=0, **options)
    for first in (0, 10):
        engine.fit_steps(*parts, target, None, rates[:10], 48, 48, first_step=first, **options)
    for a, b in zip(whole, parts, strict=True):
        assert torch.equal(a, b)


def test_pixels_of_weight_zero_do_not_matter() -> None:
    geometry, experts = random_mixture(20, 1, (32, 32), 8)
    rng = torch.Generator().manual_seed(2)
    weight = (torch.rand(4, 256, generator=rng) > 0.5).float()
    results = []
    for seed in (3, 4):
        noise = torch.rand(4, 1, 256, generator=torch.Generator().manual_seed(seed))
        target = torch.where(weight[:, None] > 0, torch.full_like(noise, 0.5), noise)
        g, e = geometry.clone(), experts.clone()
        losses = fit_a_little(g, e, torch.zeros(2, 7, 20), target, 32, 32, weight=weight)
        results.append((g, e, losses))
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_python_goes_on_while_the_engine_works() -> None:
    """The interpreter is free during a long call, so that a window can repaint and Cancel can be pressed."""
    if in_use() == "cuda-on-host":
        pytest.skip("slow there, and freed by torch in the same way")
    geometry, experts = random_mixture(400, 3, (256, 256), 1)
    target = torch.rand(256, 3, 256)
    worker = threading.Thread(
        target=fit_a_little, args=(geometry, experts, torch.zeros(2, 9, 400), target, 256, 256), kwargs={"steps": 6}
    )
    turns = 0
    worker.start()
    while worker.is_alive():
        turns += 1
        time.sleep(0.001)
    assert turns > 10
