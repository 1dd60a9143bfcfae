"""Which models an ensemble has: kernel counts by the noise, tile grids, batches."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe.denoising.plans import DENSEST, REFERENCE_NOISE, SPARSEST, Plan, batches, kernel_counts, plan_ensemble
from napari_rsmoe.fitting.tensors import TILE

SHAPE = (200, 300, 3)
STRENGTH = REFERENCE_NOISE * np.sqrt(3)


@pytest.mark.parametrize(("models", "counts"), [(1, 1), (3, 1), (4, 2), (9, 4), (10, 5), (30, 5)])
def test_every_count_has_two_models_at_least_and_the_middle_comes_first(models: int, counts: int) -> None:
    found = kernel_counts(SHAPE, models, STRENGTH)
    assert len(set(found)) == counts
    assert sorted(found)[counts // 2] == found[0]
    assert 60_000 / SPARSEST - 1 <= min(found) <= max(found) <= 60_000 / DENSEST + 1
    plans = plan_ensemble(SHAPE, models, None, STRENGTH)
    assert [plan.n_kernels for plan in plans] == [found[h % counts] for h in range(models)]


def test_more_noise_takes_fewer_kernels_within_bounds() -> None:
    counts = [kernel_counts(SHAPE, 1, factor * STRENGTH)[0] for factor in (0.01, 0.25, 1, 4, 100)]
    assert counts[0] == counts[1] > counts[2] > counts[3] == counts[4]
    assert counts[1] == pytest.approx(2 * counts[2], rel=0.01)  # the square root of the noise


def test_tile_grids_are_spread_over_the_tile() -> None:
    shifts = np.array([plan.shift for plan in plan_ensemble(SHAPE, 16, 50, STRENGTH)])
    assert shifts.min() >= 0
    assert shifts.max() < TILE
    assert len({tuple(shift) for shift in shifts}) == 16
    halves = [(shifts[:, axis] < TILE // 2).mean() for axis in (0, 1)]
    assert halves == pytest.approx([0.5, 0.5], abs=0.1)


def test_models_of_one_count_are_fitted_at_once_as_far_as_the_device_is_filled() -> None:
    plans = [Plan(n, (0, 0)) for n in (5, 7, 5, 7, 5)]
    assert batches(plans, (30, 30), 0) == [[0], [1], [2], [3], [4]]
    assert batches(plans, (30, 30), 1000) == [[0, 2, 4], [1, 3]]
    assert batches(plans, (30, 30), 2 * 9) == [[0, 2], [1, 3], [4]]  # 3 x 3 tiles with the border
