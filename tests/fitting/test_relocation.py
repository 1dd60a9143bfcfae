"""Which kernels move, and where to, on every engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backends import backend  # noqa: F401  (every test of this file runs over all backends)
from mixtures import random_mixture

from napari_rsmoe.engine import reference
from napari_rsmoe.fitting import relocation
from napari_rsmoe.fitting.settings import FitSettings
from napari_rsmoe.fitting.state import FitState
from napari_rsmoe.fitting.target import FitTarget

HEIGHT, WIDTH = 37, 50


def exactly_needed(geometry: torch.Tensor, experts: torch.Tensor) -> torch.Tensor:
    """The sum over pixels of gate times squared difference of expert and image, in float64."""
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    gates = reference.gates(geometry.double(), torch.stack([y.ravel(), x.ravel()], 1))
    difference = (gates @ experts.double())[:, None] - experts.double()
    return (gates * difference.square().sum(2)).sum(0)


def exactly_idle(geometry: torch.Tensor, experts: torch.Tensor, image: torch.Tensor, count: int) -> set[int]:
    """Of those that are needed least, all left out together, the ones that answer for the least harm, in float64."""
    geometry, experts, target = geometry.double(), experts.double(), image.double()
    order = exactly_needed(geometry, experts).argsort()
    candidates, others = order.split([relocation.CANDIDATES * count, len(order) - relocation.CANDIDATES * count])
    error, error_without = (
        (reference.render(geometry[some], experts[some], HEIGHT, WIDTH) - target).square().sum(0).ravel()
        for some in (order, others)
    )
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    share = reference.gates(geometry[candidates], torch.stack([y.ravel(), x.ravel()], 1))
    return set(candidates[((error_without - error) @ share).argsort()[:count]].tolist())


def relocated(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    image: torch.Tensor,
    count: int | relocation.Moves,
    arrivals: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    tau: float = 7.0,
    linear: bool = False,
) -> torch.Tensor:
    """Relocate in place; returns the moments, which were all ones before."""
    state = FitState.begin(geometry, experts)
    state.moments += 1
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    target = FitTarget.of(pixels, None if weight is None else weight.numpy(), 1, torch.device("cpu"))
    assert bool(relocation.relocate(state, target, count, arrivals, FitSettings(tau=tau, linear=linear)))
    return state.moments


def test_kernels_that_move_within_squares() -> None:
    """Each square keeps its number of kernels; one that holds the image is as good as none."""
    geometry, experts = random_mixture(60, 1, (HEIGHT, WIDTH), 1, scales=(2.0, 8.0))
    image = torch.from_numpy(np.random.default_rng(0).random((1, HEIGHT, WIDTH), np.float32))
    arrivals = torch.empty(HEIGHT * WIDTH).exponential_(generator=torch.Generator().manual_seed(0))

    def after(moves: int | relocation.Moves) -> torch.Tensor:
        own = geometry.clone()
        relocated(own, experts.clone(), image, moves, arrivals)
        return own

    shape = (HEIGHT, WIDTH)
    one = relocation.Moves.within(geometry, shape, max(shape), 0.2)
    torch.testing.assert_close(after(one), after(12), rtol=0, atol=0)
    several = relocation.Moves.within(geometry, shape, min(shape) // 2, 0.3)
    moved = after(several)
    assert int((moved != geometry).any(1).sum()) == int(several.counts.sum()) > 3
    left = relocation.Moves.within(moved, shape, min(shape) // 2, 0.3).kernels
    torch.testing.assert_close(left.bincount(minlength=4), several.kernels.bincount(minlength=4))


def test_the_need_of_a_kernel() -> None:
    geometry, experts = random_mixture(30, 3, (HEIGHT, WIDTH), 1, scales=(2.0, 8.0))
    value = reference.render(geometry.double(), experts.double(), HEIGHT, WIDTH).float()
    expected = exactly_needed(geometry, experts)
    actual = relocation.needed(geometry, experts, value, 20.0)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
def test_idle_kernels_go_to_the_error(linear: bool) -> None:
    """A square that no kernel draws, in an image that is drawn well: the idle kernels are found there."""
    geometry, experts = random_mixture(30, 2, (HEIGHT, WIDTH), 2, scales=(2.0, 8.0), linear=linear)
    experts[:, 2:] *= 0.1
    image = reference.render(geometry.double(), experts.double(), HEIGHT, WIDTH, linear=linear).float()
    image[:, 20:30, 10:20] += 2
    values, count = experts[:, :2].clone(), 5
    idle = None if linear else exactly_idle(geometry, values, image, count)
    before = geometry.clone()
    arrivals = torch.from_numpy(np.random.default_rng(0).standard_exponential(HEIGHT * WIDTH, np.float32))
    state = relocated(geometry, experts, image, count, arrivals, tau=20.0, linear=linear)
    moved = (geometry != before).any(1).nonzero()[:, 0]
    assert len(moved) == count
    if idle is not None:
        assert set(moved.tolist()) == idle
    y, x = geometry[moved, 0].long(), geometry[moved, 1].long()
    assert bool(((y >= 18) & (y < 32) & (x >= 8) & (x < 22)).all())  # the error is blurred by a pixel
    assert torch.equal(experts[moved, :2], image[:, y, x].T)
    assert bool((experts[moved, 2:] == 0).all())
    assert bool((state[:, :, moved] == 0).all())
    stays = torch.ones(30, dtype=torch.bool).index_fill(0, moved, False)
    assert bool((state[:, :, stays] == 1).all())


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
def test_only_what_can_be_spared_moves(linear: bool) -> None:
    """A kernel that draws a dark patch alone has its very colour, so it looks idle; but its absence would show."""
    image = torch.ones(1, 32, 64)
    image[:, :, :24] = 0
    image[:, 20:24, 48:52] = 0  # nobody draws this yet
    x = torch.tensor([12.0, 35.0, 42.0, 42.0, 48.0, 54.0])
    geometry = torch.zeros(6, 6)
    geometry[:, 0], geometry[:, 1] = 16, x
    geometry[:, 2] = geometry[:, 4] = 1.0
    experts = torch.tensor([[0.0], [1.0], [0.98], [1.0], [0.98], [1.0]])
    if linear:
        experts = torch.cat([experts, torch.zeros(6, 2)], 1)
    value = reference.render(geometry, experts, 32, 64, linear=linear)
    assert 0 in relocation.needed(geometry, experts[:, :1], value, 7.0).argsort()[:2]  # its neighbour's equals it

    before = geometry.clone()
    arrivals = torch.empty(32 * 64).exponential_(generator=torch.Generator().manual_seed(0))
    state = relocated(geometry, experts, image, 1, arrivals, linear=linear)
    (moved,) = (geometry != before).any(1).nonzero()[:, 0].tolist()
    assert moved > 0
    y, column = geometry[moved, :2]
    assert 19 <= y <= 24
    assert 47 <= column <= 52
    assert experts[moved, 0] == image[0, int(y), int(column)]
    assert not state[:, :, moved].any()
    assert state.sum() == state[:, :, 0].numel() * 5


def test_all_but_one_may_move() -> None:
    geometry = torch.tensor([[4.0, 4.0, 0.3, 0.0, 0.3, 0.0], [4.0, 12.0, 0.3, 0.0, 0.3, 0.0]])
    experts, image = torch.zeros(2, 3), torch.rand(3, 8, 16, generator=torch.Generator().manual_seed(0))
    weight = torch.zeros(8, 16)
    weight[2, 3] = 1
    arrivals = torch.ones(8 * 16)
    relocated(geometry, experts, image, 1, arrivals, weight=weight)
    assert [2.0, 3.0] in geometry[:, :2].tolist()
