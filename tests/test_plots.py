"""Pictures and outlines of kernels in matplotlib."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_rsmoe import Kernels, plots

pyplot = pytest.importorskip("matplotlib.pyplot", reason="install the notebook extra to draw with matplotlib")


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


def drawn(axis: object) -> np.ndarray:
    """What is seen of an axis, (Y, X, 3) in [0, 1]."""
    figure = axis.figure  # type: ignore[attr-defined]
    figure.canvas.draw()
    box = axis.get_window_extent()  # type: ignore[attr-defined]
    seen = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3] / 255
    return seen[round(box.y0) : round(box.y1), round(box.x0) : round(box.x1)][::-1]


def test_pictures_show_values_in_order() -> None:
    grey = np.array([[0, 0], [0, 255]], np.uint8)
    red = np.zeros((2, 2, 3), np.float32)
    red[0, :, 0] = 2.0  # clipped, not refused
    axes = plots.pictures({"grey": grey, "red": red, "again": grey}, columns=2)
    assert [axis.get_title() for axis in axes] == ["grey", "red", "again"]
    picture = drawn(axes[0])
    height, width = picture.shape[:2]
    assert picture[height // 4, width // 4] == pytest.approx(0)
    assert picture[3 * height // 4, 3 * width // 4] == pytest.approx(1)
    picture = drawn(axes[1])
    assert picture[height // 4, width // 2] == pytest.approx([1, 0, 0])


@pytest.mark.parametrize("enlarged", [1, 3])
def test_outlines_lie_where_the_kernels_are(enlarged: int) -> None:
    axis = plots.pictures({"": np.zeros((20 * enlarged, 40 * enlarged))})[0]
    turned = Kernels([[10.0, 20.0]], [[8.0, 2.0]], [np.pi / 6], [1.0], [[0.0]])  # type: ignore[arg-type]
    plots.outlines(axis, turned, scale=enlarged)
    assert axis.get_xlim() == (-0.5, 40 * enlarged - 0.5)
    bright = np.argwhere(drawn(axis).mean(-1) > 0.5)
    scale = drawn(axis).shape[1] / 40
    points = bright / scale - 0.5
    assert points.mean(0) == pytest.approx([10, 20], abs=0.3)
    from_center = points - [10, 20]
    along = from_center @ [np.sin(np.pi / 6), np.cos(np.pi / 6)]  # the angle runs from +x to +y, down
    across = from_center @ [np.cos(np.pi / 6), -np.sin(np.pi / 6)]
    assert np.hypot(along / 8, across / 2) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ({}, {}, "at least one"),
        ({"stack": np.zeros((5, 4, 3, 2))}, {}, r"'stack' has shape \(5, 4, 3, 2\)"),
        ({"a": np.zeros((4, 4))}, {"columns": 0}, "columns=0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images: dict[str, np.ndarray], options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.pictures(images, **options)  # type: ignore[arg-type]
