"""The loop over planes: progress, stop, opacity."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rsmoe.errors import EmptyPlaneError
from napari_rsmoe.image.each_plane import PlaneResult, each_plane
from napari_rsmoe.image.opacity import Opacity
from napari_rsmoe.image.planes import Plane, Planes
from napari_rsmoe.progress import Callback, PlaneProgress, Progress


def halved(plane: Plane, callback: Callback) -> PlaneResult[str]:
    """Every second pixel in twice the height, and its complement as float32."""
    callback(Progress("work", 1, 2, None, lambda: plane.image))
    assert plane.image.ndim == 2 or plane.image.shape[2] != 4
    half = plane.image.repeat(2, 0)
    return PlaneResult([half, 255 - half.astype(np.float32)], plane.label)


@pytest.mark.parametrize("axes", ["TYXS", "STYX", "CTYXS", "TYXC"])
@pytest.mark.parametrize("independent", [False, True])
def test_opacity_stays_out_of_the_work_and_comes_back(axes: str, independent: bool) -> None:
    rng = np.random.default_rng(0)
    lengths = {"T": 2, "Y": 6, "X": 5, "S": 4, "C": 4 if axes == "TYXC" else 2}
    data = rng.integers(0, 256, [lengths[letter] for letter in axes], dtype=np.uint8)
    planes = Planes(data, axes, independent_channels=independent)
    done = each_plane(planes, halved, opacity=Opacity(planes, present=True), opaque=[True, False])
    image, complement = (np.moveaxis(each, axes.index("S" if "S" in axes else "C"), -1) for each in done.images)
    given = np.moveaxis(data, axes.index("S" if "S" in axes else "C"), -1)
    y = (axes.replace("S", "") if "S" in axes else axes).index("Y")
    np.testing.assert_array_equal(image[..., :3], given[..., :3].repeat(2, y))
    np.testing.assert_array_equal(complement[..., :3], 255 - image[..., :3].astype(np.float32))
    assert not complement[..., 3].any()
    rows = image[..., 3].take(range(0, 12, 11), y)  # linear interpolation keeps the outermost rows
    np.testing.assert_array_equal(rows, given[..., 3].take([0, 5], y))
    assert len(done.values) == len(planes) * 3 // 4 if independent else len(planes)


def test_one_channel_beside_opacity_is_a_plane_without_channels() -> None:
    planes = Planes(np.arange(24, dtype=np.uint8).reshape(3, 4, 2), "YXC")
    opacity = Opacity(planes, present=True)
    seen = []
    done = each_plane(planes, lambda plane, _: (seen.append(plane.image.shape), PlaneResult([plane.image], 0))[1])
    assert seen == [(3, 4, 2)]  # not known to be opacity
    done = each_plane(planes, lambda plane, _: PlaneResult([plane.image + 1], plane.image.shape), opacity=opacity)
    assert done.values == [(3, 4)]
    np.testing.assert_array_equal(done.images[0], planes[0].image + np.array([1, 0], np.uint8))


def test_progress_is_over_all_planes_and_a_stop_leaves_the_rest_zero() -> None:
    planes = Planes(np.full((4, 3, 5), 7, np.uint8), "ZYX")
    seen: list[PlaneProgress] = []

    def callback(progress: Progress) -> bool:
        assert isinstance(progress, PlaneProgress)
        seen.append(progress)
        return progress.number == 1

    done = each_plane(planes, halved, callback=callback)
    assert done.stopped
    assert done.values == ["Z 0", "Z 1"]
    assert [each.fraction for each in seen] == [1 / 8, 3 / 8]
    assert [each.stage for each in seen] == ["plane 1 of 4, work", "plane 2 of 4, work"]
    assert seen[1].plane[0] == 1
    np.testing.assert_array_equal(done.images[0].any((1, 2)), [True, True, False, False])
    assert done.images[0].shape == (4, 6, 5)


@pytest.mark.parametrize("factor", [1, 2])
def test_an_empty_plane_of_several_channels_is_kept(factor: int) -> None:
    def work(plane: Plane, callback: Callback) -> PlaneResult[None]:
        if plane.number == 1:
            raise EmptyPlaneError("No pixel is left.")
        return PlaneResult([plane.image.repeat(factor, 0).repeat(factor, 1)], None)

    data = np.full((3, 2, 4, 5), 7.0)
    done = each_plane(Planes(data, "TCYX"), work)
    assert done.images[0].shape == (3, 2, 4 * factor, 5 * factor)
    np.testing.assert_array_equal(done.images[0], 7)
    assert [plane.label for plane in done.empty] == ["T 1"]
