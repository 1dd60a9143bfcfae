"""Figures of single kernels."""

from __future__ import annotations

import numpy as np

from napari_rsmoe import fit
from napari_rsmoe.model.quality import kernel_errors


def test_errors_are_the_residual_where_the_kernel_is() -> None:
    image = np.zeros((32, 32))
    image[:, 16:] = 1
    model = fit(image, 2, iterations=50)
    broken = image.copy()
    broken[4:28, 2:12] += 0.5  # on the left only
    errors = kernel_errors(model, broken)
    left = int(np.argmin(model.kernels().center[:, 1]))
    assert errors[left] > 5 * errors[1 - left]
    assert 0.2 < errors[left] < 0.6


def test_channels_may_come_first() -> None:
    image = np.random.default_rng(0).random((24, 20, 3))
    last, first = (fit(np.moveaxis(image, 2, axis), 5, iterations=5, channel_axis=axis) for axis in (2, 0))
    expected = kernel_errors(last, image)
    np.testing.assert_array_equal(kernel_errors(first, np.moveaxis(image, 2, 0)), expected)
