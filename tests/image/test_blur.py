"""Gaussian averages, against those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_rsmoe.image.blur import gaussian


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(37, 150), (150, 37, 3), (1, 70), (70, 1, 2), (5, 3)])
def test_averages_have_the_bits_of_scipy_for_any_number_of_threads(shape: tuple[int, ...], dtype: type) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    before = torch.get_num_threads()
    try:
        for width, reach, threads in ((0.8, 4.0, 1), (3.0, 3.0, 3), (40.0, 4.0, 2)):
            torch.set_num_threads(threads)
            expected = gaussian_filter(values, (width, width) + (0,) * (values.ndim - 2), truncate=reach)
            found = gaussian(values, width, reach)
            assert found.dtype == dtype
            # Compilers for other processors may fuse SciPy's multiplications and additions.
            np.testing.assert_allclose(found, expected, rtol=0, atol=4 * np.finfo(dtype).eps)
            assert np.array_equal(found, gaussian(values, width, reach))
    finally:
        torch.set_num_threads(before)
