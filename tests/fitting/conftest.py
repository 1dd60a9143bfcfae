"""What the tests of fits share."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A crop of a photograph that comes with scikit-image, (96, 120, 3) uint8."""
    return data.chelsea()[60:156, 120:240]
