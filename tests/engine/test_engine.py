"""The operators against their float64 twin: values, every gradient, torch's own checks."""

from __future__ import annotations

import math

import pytest
import torch
from backends import backend, in_use, on_device  # noqa: F401  (every test of this file runs over all backends)
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import EXACT, compare_with_reference, fit_a_little, random_mixture, relative_error_per_kernel

from napari_rsmoe import engine
from napari_rsmoe.engine import reference
from napari_rsmoe.engine.limits import Limits

SIZES = [(1, 1), (1, 40), (16, 16), (17, 33), (37, 100), (64, 48)]


def test_the_error_measure_sees_one_wrong_kernel() -> None:
    expected = torch.ones(5, 6, dtype=torch.float64)
    actual = expected.clone()
    actual[3] *= 1.01
    assert relative_error_per_kernel(actual, expected) == pytest.approx(0.01)


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


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
@pytest.mark.parametrize("channels", [3, 6])
def test_more_kernels_than_fit_into_cache_at_once(channels: int, linear: bool) -> None:
    """A tile of so many works through them in portions, whose gates are made anew for the gradient."""
    geometry, experts = random_mixture(300, channels, (17, 20), seed=channels, linear=linear)
    compare_with_reference(geometry, experts, (17, 20), tau=EXACT, normalised=True, linear=linear)


def test_every_number_of_channels() -> None:
    for channels in range(1, 17):
        geometry, experts = random_mixture(20, channels, (17, 33), seed=channels)
        compare_with_reference(geometry, experts, (17, 33), tau=20.0, normalised=True)


@pytest.mark.parametrize("kernels", [1, 2])
def test_empty_tiles(kernels: int) -> None:
    """Far from the kernels of an RBF tiles have none, and are black."""
    geometry = torch.tensor([[8.0, 9.0, 0.5, 0.1, 0.4, 0.0], [40.0, 60.0, 0.3, 0.0, 0.6, 1.0]])[:kernels]
    experts = torch.tensor([[0.5, 1.0, -1.0], [1.0, 2.0, 0.0]])[:kernels]
    start, _ = engine.tile_lists(geometry, 53, 71, tau=20.0, normalised=False)
    assert int((start.diff() == 0).sum()) >= 8
    assert bool((engine.render(geometry, experts, 53, 71, tau=20.0, normalised=False)[:, :16, 48:] == 0).all())
    compare_with_reference(geometry, experts, (53, 71), tau=20.0, normalised=False)


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


@pytest.mark.parametrize("normalised", [True, False], ids=["smoe", "rbf"])
def test_lists_are_those_of_brute_force(normalised: bool) -> None:
    """A tile lists the kernels whose largest s in it comes within tau of the largest of all smallest s (of 0: RBF)."""
    tau, side = 5.0, 48
    geometry, _ = random_mixture(60, 1, (side, side), 3, scales=(3.0, 20.0))
    start, ids = engine.tile_lists(geometry, side, side, tau=tau, normalised=normalised)
    steps = torch.arange(121, dtype=torch.float64) / 8  # from the first pixel centre of a tile to the last
    left_out = 0
    for tile, corner in enumerate(torch.cartesian_prod(*[torch.arange(3, dtype=torch.float64) * 16] * 2)):
        s = reference.exponents(geometry.double(), torch.cartesian_prod(steps, steps) + corner)
        excess = s.amax(0) - (float(s.amin(0).max()) if normalised else 0.0) + tau
        listed = torch.zeros(60, dtype=torch.bool)
        listed[ids[start[tile] : start[tile + 1]].long()] = True
        clear = excess.abs() > 1e-3  # farther from the threshold than the grid and float32 err
        assert torch.equal(listed[clear], excess[clear] > 0)
        left_out += int((~listed).sum())
    assert left_out > 100


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
    if in_use() != "cpu":
        pytest.skip("threads of the CPU")
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


OPERATORS = {
    "render": lambda g, e: (g, e, 20, 33, 9.0, True, 0.0, False),
    "render_backward": lambda g, e: (torch.rand(2, 20, 33), g, e, 9.0, True, 0.0, False),
    "tile_lists": lambda g, e: (g, 20, 33, 9.0, True, 0.0),
    "fit_steps": lambda g, e: (
        g, e, torch.zeros(2, 8, 5), torch.rand(6, 2, 256), None, 1, torch.full((3, 4), 0.01), 20, 33,
        0, 7.0, True, 0.0, False, True, 1, 0.0, 0.9, 0.99, Limits().values(),
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
    ops = torch.ops.rsmoe_cuda_on_host if in_use() == "cuda-on-host" else torch.ops.rsmoe
    torch.library.opcheck(getattr(ops, name).default, on_device(name, arguments), test_utils=tests)


def test_opcheck_segment() -> None:
    torch.library.opcheck(torch.ops.rsmoe.segment.default, (torch.rand(9, 11, 3), 0.2))


def test_opcheck_smooth() -> None:
    torch.library.opcheck(torch.ops.rsmoe.smooth.default, (torch.rand(9, 11, 3), torch.rand(3, dtype=torch.float64)))


def test_opcheck_filter_patches() -> None:
    arguments = (*torch.rand(3, 1, 9, 11), torch.eye(64)[None], 4, 3, 5, 9, 0.1, 0.02, 0.015)
    torch.library.opcheck(torch.ops.rsmoe.filter_patches.default, arguments)


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
