"""The operators against their float64 twin: values, every gradient, torch's own checks."""

from __future__ import annotations

import math
import threading
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_rsmoe import engine, reference
from napari_rsmoe.engine.library import ops

SIZES = [(1, 1), (1, 40), (16, 16), (17, 33), (37, 100), (64, 48)]
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


def test_the_error_measure_sees_one_wrong_kernel() -> None:
    expected = torch.ones(5, 6, dtype=torch.float64)
    actual = expected.clone()
    actual[3] *= 1.01
    assert relative_error_per_kernel(actual, expected) == pytest.approx(0.01)


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


@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
@pytest.mark.parametrize("tau", [EXACT, 20.0], ids=["global", "rasterized"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16, 18])
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_values_and_gradients(shape: tuple[int, int], channels: int, tau: float, normalised: bool) -> None:
    kernels = 1 + 7 * channels if shape != (1, 1) else channels
    geometry, experts = random_mixture(kernels, channels, shape, seed=channels)
    compare_with_reference(geometry, experts, shape, tau=tau, normalised=normalised)


@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
@pytest.mark.parametrize("tau", [EXACT, 20.0], ids=["global", "rasterized"])
@pytest.mark.parametrize("channels", [1, 3, 4, 6, 9])
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_linear_experts(shape: tuple[int, int], channels: int, tau: float, normalised: bool) -> None:
    kernels = 1 + 7 * channels if shape != (1, 1) else channels
    geometry, experts = random_mixture(kernels, channels, shape, seed=channels, linear=True)
    compare_with_reference(geometry, experts, shape, tau=tau, normalised=normalised, linear=True)


@pytest.mark.parametrize("scales", [(0.1, 0.5), (100.0, 3000.0), (0.1, 3000.0)], ids=["tiny", "huge", "mixed"])
@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
def test_extreme_scales(scales: tuple[float, float], normalised: bool) -> None:
    """Far from tiny kernels every gate underflows; the image must still be exact, and without holes."""
    geometry, experts = random_mixture(40, 3, (60, 50), seed=3, scales=scales)
    # Gates near 1 leave expert - value as the difference of near-equal float32 numbers: a higher floor.
    compare_with_reference(geometry, experts, (60, 50), tau=20.0, normalised=normalised, floor=1e-3)


def test_one_kernel_fills_the_image() -> None:
    """However far away it is: a gate is a ratio."""
    geometry = torch.tensor([[-900.0, 4000.0, 2.0, 0.3, 2.0, 0.0]])
    image = engine.render(geometry, torch.tensor([[0.25]]), 20, 30)
    assert torch.equal(image, torch.full((1, 20, 30), 0.25))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 200),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([3.0, 7.0, 12.0]),
)
def test_culling_error_stays_below_its_bound(seed: int, kernels: int, height: int, width: int, tau: float) -> None:
    """Each dropped gate is below exp(-tau), so n of them move a value by less than n exp(-tau) of the range."""
    geometry, experts = random_mixture(kernels, 2, (height, width), seed)
    culled = engine.render(geometry, experts, height, width, tau=tau)
    full = reference.render(geometry.double(), experts.double(), height, width)
    bound = kernels * math.exp(-tau) * float(experts.amax() - experts.amin()) + 1e-4
    assert float((culled - full).abs().max()) < bound


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 200), st.floats(0.05, 100.0))
def test_values_stay_within_the_experts(seed: int, kernels: int, scale: float) -> None:
    geometry, experts = random_mixture(kernels, 3, (33, 47), seed, scales=(scale, 2 * scale))
    image = engine.render(geometry, experts, 33, 47)
    for c in range(3):
        assert experts[:, c].min() - 1e-5 <= image[c].min()
        assert image[c].max() <= experts[:, c].max() + 1e-5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_every_tile_has_the_kernel_that_matters_most(
    seed: int, kernels: int, height: int, width: int, ellipse: bool
) -> None:
    geometry, _ = random_mixture(kernels, 1, (height, width), seed)
    start, ids = engine.tile_lists(geometry, height, width, tau=0.1, confidence=3.0 if ellipse else 0.0)
    assert len(start) == 1 + -(-height // 16) * -(-width // 16)
    assert bool((start.diff() > 0).all())
    columns = -(-width // 16)
    if ellipse:
        return
    y, x = torch.randint(height, (1,)).item(), torch.randint(width, (1,)).item()
    best = reference.exponents(geometry.double(), torch.tensor([[y, x]], dtype=torch.float64)).argmax()
    tile = y // 16 * columns + x // 16
    assert best in ids[start[tile] : start[tile + 1]]


def test_ellipse_selection_is_the_papers() -> None:
    """The square around the ellipse |z| <= 3, with sides of its long axis, picks the tiles; none stays empty."""
    sigma = 5.0
    geometry = torch.tensor([[40.0, 40.0, 1 / sigma, 0.0, 1.0, 0.0], [8.0, 8.0, 1.0, 0.0, 1.0, 0.0]])
    start, ids = engine.tile_lists(geometry, 96, 96, confidence=3.0)
    tiles = [ids[start[t] : start[t + 1]].tolist() for t in range(36)]
    assert tiles[0] == [1]  # pixels 5 to 11
    for y in range(1, 4):
        for x in range(1, 4):
            assert tiles[6 * y + x] == [0]  # pixels 25 to 55
    assert all(tiles)


def test_global_lists_hold_everything() -> None:
    geometry, _ = random_mixture(50, 1, (40, 70), 0)
    start, ids = engine.tile_lists(geometry, 40, 70, tau=EXACT)
    assert torch.equal(ids.view(-1, 50), torch.arange(50, dtype=torch.int32).expand(15, 50))
    assert start[-1] == 15 * 50


def test_thread_count_changes_no_bit() -> None:
    geometry, experts = random_mixture(300, 3, (90, 130), 5)
    target = torch.rand(9 * 6, 3, 256, generator=torch.Generator().manual_seed(2))

    def run(threads: int) -> list[torch.Tensor]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            g, e, state = geometry.clone(), experts.clone(), torch.zeros(2, 9, 300)
            losses = fit_a_little(g, e, state, target, 90, 130)
            inputs = [g.clone().requires_grad_(), e.clone().requires_grad_()]
            image = engine.render(*inputs, 90, 130)
            return [g, e, losses, image.detach(), *torch.autograd.grad(image.square().sum(), inputs)]
        finally:
            torch.set_num_threads(before)

    for one, three in zip(run(1), run(3), strict=True):
        assert torch.equal(one, three)


def fit_a_little(
    geometry: torch.Tensor, experts: torch.Tensor, state: torch.Tensor, target: torch.Tensor, height: int, width: int,
    *, steps: int = 25, whitened: bool = True, rate: float = 0.05, weight: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    rates = torch.full((steps, 4), rate)
    losses, _ = engine.fit_steps(
        geometry, experts, state, target, weight, rates, height, width, first_step=0, tau=EXACT, normalised=True,
        confidence=0.0, whitened=whitened, list_interval=4, list_margin=2.0, betas=(0.9, 0.99),
        limits=(20.0, 8.0, 0.25, 200.0, 8.0),
    )  # fmt: skip
    return losses


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
def test_fused_step_is_adam_on_the_twins_gradient(normalised: bool, whitened: bool) -> None:
    """One step from zero state moves every parameter by rate * sign(gradient), Adam's first step."""
    height, width, rate = 20, 37, 1e-4
    geometry, experts = random_mixture(12, 2, (height, width), 11, scales=(2.0, 20.0))
    target = torch.rand(2, height, width, generator=torch.Generator().manual_seed(4))
    weight = torch.rand(height, width, generator=torch.Generator().manual_seed(5))
    inputs = [geometry.double().requires_grad_(), experts.double().requires_grad_()]
    loss = (weight * (reference.render(*inputs, height, width, normalised=normalised) - target) ** 2).sum()
    grad_geometry, grad_experts = torch.autograd.grad(loss, inputs)

    moved, moved_experts = geometry.clone(), experts.clone()
    losses, _ = engine.fit_steps(
        moved, moved_experts, torch.zeros(2, 8, 12), tiled(target), tiled(weight[None])[:, 0].contiguous(),
        torch.full((1, 4), rate), height, width, first_step=0, tau=EXACT, normalised=normalised, confidence=0.0,
        whitened=whitened, list_interval=1, list_margin=0.0, betas=(0.9, 0.99),
        limits=(100.0, 8.0, 0.01, 5000.0, 8.0),
    )  # fmt: skip
    assert float(losses[0]) == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(moved_experts - experts, -rate * grad_experts.sign().float(), rtol=2e-3, atol=1e-8)
    if whitened:
        # The step must be a retraction: to first order s changes by du u + dv v + duu u^2 + ..., each coefficient
        # rate in size, against the sign of its moment; so the loss falls by rate * sum of |moments|.
        after = reference.render(moved.double(), moved_experts.double(), height, width, normalised=normalised)
        assert (weight * (after - target) ** 2).sum() < loss
    else:
        resolution = 2e-6 * geometry.abs().amax(0)
        error = (moved - geometry + rate * grad_geometry.sign().float()).abs()
        assert bool((error <= 2e-3 * rate + resolution).all())


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
        betas=(0.9, 0.99), limits=(100.0, 8.0, 0.01, 5000.0, 8.0),
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
        betas=(0.9, 0.99), limits=(100.0, 8.0, 0.01, 5000.0, 8.0),
    )  # fmt: skip
    assert losses.item() == pytest.approx(loss.item(), rel=1e-5)
    # The engine leaves out the 2 of the square; Adam's first moment is (1 - beta1) times the gradient.
    assert relative_error_per_kernel(state[0, 8:].T / 0.1 * 2, torch.cat([by_y, by_x], 1)) < 1e-3
    after = reference.render(moved.double(), moved_experts.double(), height, width, linear=True)
    assert ((after - target) ** 2).sum() < loss


def tiled(image: torch.Tensor) -> torch.Tensor:
    from napari_rsmoe.fitting import to_tiles

    return to_tiles(image.permute(1, 2, 0).numpy())


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
        "betas": (0.9, 0.99), "limits": (20.0, 8.0, 0.25, 200.0, 8.0),
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


OPERATORS = {
    "render": lambda g, e: (g, e, 20, 33, 9.0, True, 0.0, False),
    "render_backward": lambda g, e: (torch.rand(2, 20, 33), g, e, 9.0, True, 0.0, False),
    "tile_lists": lambda g, e: (g, 20, 33, 9.0, True, 0.0),
    "fit_steps": lambda g, e: (
        g, e, torch.zeros(2, 8, 5), torch.rand(6, 2, 256), None, 1, torch.full((3, 4), 0.01), 20, 33,
        0, 7.0, True, 0.0, False, True, 1, 0.0, 0.9, 0.99, [20.0, 8.0, 0.25, 200.0, 8.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_opcheck(name: str) -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    if name == "render":
        geometry.requires_grad_()
        experts.requires_grad_()
    arguments = OPERATORS[name](geometry, experts)
    tests = ["test_schema", "test_autograd_registration", "test_faketensor"]
    if name == "render":
        tests.append("test_aot_dispatch_dynamic")
    torch.library.opcheck(getattr(ops, name).default, arguments, test_utils=tests)


def test_opcheck_segment() -> None:
    torch.library.opcheck(ops.segment.default, (torch.rand(9, 11, 3), 0.2))


def test_gradcheck() -> None:
    """The float32 operator inside float64 finite differences: coarse steps, loose tolerance."""
    geometry, experts = random_mixture(3, 1, (8, 9), 1, scales=(2.0, 5.0))

    def loss(g: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        return engine.render(g.float(), e.float(), 8, 9, tau=EXACT).double().square().sum()

    inputs = geometry.double().requires_grad_(), experts.double().requires_grad_()
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-3, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g, e: (g[:, :5].contiguous(), e), "geometry must have shape"),
        (lambda g, e: (g, e[:3].contiguous()), "experts must have shape"),
        (lambda g, e: (g.double(), e), "geometry must be float32"),
        (lambda g, e: (g.T.contiguous().T, e), "geometry must be contiguous"),
        (lambda g, e: (g[:0], e[:0]), "at least one kernel"),
        (lambda g, e: (g, e[:, :0].contiguous()), "at least one channel"),
    ],
)
def test_bad_tensors_are_refused(change: object, message: str) -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    with pytest.raises(RuntimeError, match=message):
        engine.render(*change(geometry, experts), 20, 33)  # type: ignore[operator]


def test_bad_sizes_are_refused() -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    with pytest.raises(RuntimeError, match="height and width"):
        engine.render(geometry, experts, 0, 33)
    with pytest.raises(RuntimeError, match="tau"):
        engine.render(geometry, experts, 20, 33, tau=-1.0)
