"""What the tests of image files share."""

import pytest

from napari_rsmoe.io.units import PixelSize

SIZES = {
    "Y": PixelSize(0.25, "micrometer"),
    "X": PixelSize(0.3, "micrometer"),
    "Z": PixelSize(1.5, "micrometer"),
    "T": PixelSize(2.5, "second"),
}


def same_sizes(found, expected):
    assert found.keys() == expected.keys()
    for axis, (value, unit) in expected.items():
        assert found[axis].value == pytest.approx(value, rel=1e-6)
        assert found[axis].unit == unit
