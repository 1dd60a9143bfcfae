"""Images for the tests of the command line; a pytest plugin."""

import numpy as np
import pytest


@pytest.fixture
def picture():
    """(Y, X) uint8: a bright disc on a slope."""
    y, x = np.mgrid[:32, :40]
    return np.where((y - 15) ** 2 + (x - 18) ** 2 < 90, 220, 40 + x).astype(np.uint8)


@pytest.fixture
def stack(picture):
    """(Z, Y, X) uint16."""
    return np.stack([picture, picture[::-1], 255 - picture]).astype(np.uint16) * 100
