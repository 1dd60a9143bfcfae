"""Which kernels move, and where to, on every engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends import backend  # noqa: F401  (every test of this file runs over all backends)
from mixtures import random_mixture
from napari_rsmoe import reference, relocation

HEIGHT, WIDTH = 37, 50


def exactly_needed(geometry: torch.Tensor, experts: torch.Tensor) -> torch.Tensor:
    """The sum over pixels of gate times squared difference of expert and image, in float64."""
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    gates = reference.gates(geometry.double(), torch.stack([y.ravel(), x.ravel()], 1))
    difference = (gates @ experts.double())[:, None] - experts.double()
    return (gates * difference.square().sum(2)).sum(0)


def test_the_need_of_a_kernel() -> None:
    geometry, experts = random_mixture(30, 3, (HEIGHT, WIDTH), 1, scales=(2.0, 8.0))
    value = reference.render(geometry.double(), experts.double(), HEIGHT, WIDTH).float()
    expected = exactly_needed(geometry, experts)
    actual = relocation.needed(geometry, experts, value, 20.0)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
def test_idle_kernels_go_to_the_error(linear: bool) -> None:
    """A square that no kernel draws, in an image that is drawn well: the least needed kernels are found there."""
    geometry, experts = random_mixture(30, 2, (HEIGHT, WIDTH), 2, scales=(2.0, 8.0), linear=linear)
    experts[:, 2:] *= 0.1
    image = reference.render(geometry.double(), experts.double(), HEIGHT, WIDTH, linear=linear).float()
    image[:, 20:30, 10:20] += 2
    values, count = experts[:, :2].clone(), 5
    idle = exactly_needed(geometry, values).argsort()[:count] if not linear else None
    before, state = geometry.clone(), torch.ones(2, 6 + experts.shape[1], 30)
    arrivals = torch.from_numpy(np.random.default_rng(0).standard_exponential(HEIGHT * WIDTH, np.float32))
    had_room = relocation.relocate(geometry, experts, state, image, None, count, 20.0, arrivals, linear=linear)
    assert bool(had_room)
    moved = (geometry != before).any(1).nonzero()[:, 0]
    assert len(moved) == count
    if idle is not None:
        assert set(moved.tolist()) == set(idle.tolist())
    y, x = geometry[moved, 0].long(), geometry[moved, 1].long()
    assert bool(((y >= 18) & (y < 32) & (x >= 8) & (x < 22)).all())  # the error is blurred by a pixel
    assert torch.equal(experts[moved, :2], image[:, y, x].T)
    assert bool((experts[moved, 2:] == 0).all())
    assert bool((state[:, :, moved] == 0).all())
    stays = torch.ones(30, dtype=torch.bool).index_fill(0, moved, False)
    assert bool((state[:, :, stays] == 1).all())
