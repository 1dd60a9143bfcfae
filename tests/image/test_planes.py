import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rsmoe.errors import ImageError
from napari_rsmoe.image.each_plane import map_planes
from napari_rsmoe.image.planes import Planes, check_axes, guess_axes, stack_axes


@st.composite
def images_with_axes(draw):
    """An array of distinct values and its axes: Y and X, perhaps channels and axes to loop over, in any order."""
    letters = "YX" + draw(st.sampled_from(["", "C", "S", "CS"])) + draw(st.sampled_from(["", "T", "TZ", "QZ"]))
    axes = "".join(draw(st.permutations(list(letters))))
    shape = tuple(draw(st.integers(1, 4)) for _ in axes)
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape), axes


@given(images_with_axes(), st.booleans())
def test_identity_gives_the_array_back(image, independent):
    array, axes = image
    result = map_planes(lambda plane: plane, array, axes, independent_channels=independent)
    np.testing.assert_array_equal(result, array)
    assert result.dtype == array.dtype


@given(images_with_axes(), st.booleans())
def test_planes_are_in_the_order_y_x_channels(image, independent):
    array, axes = image
    planes = Planes(array, axes, independent_channels=independent)
    looped = [k for k, letter in enumerate(axes) if letter not in ("YX" if independent else "YXCS")]
    assert len(planes) == np.prod([array.shape[k] for k in looped], dtype=int)
    assert len(list(planes)) == len(planes)
    wanted = [axes.index(letter) for letter in "YX"]
    wanted += [k for k, letter in enumerate(axes) if letter in "CS" and not independent]
    for plane in planes:
        assert plane.image.shape == planes.plane_shape
        assert plane.image.ndim == (2 if len(wanted) == 2 else 3)
        expected = np.einsum(array, list(range(array.ndim)), looped + wanted)
        position = tuple(plane.index[k] for k in looped)
        np.testing.assert_array_equal(plane.image, expected[position].reshape(planes.plane_shape))


@given(images_with_axes())
def test_planes_may_change_their_size_and_dtype(image):
    array, axes = image
    result = map_planes(lambda plane: np.repeat(plane, 3, axis=1).astype(np.float32), array, axes)
    np.testing.assert_array_equal(result, np.repeat(array, 3, axis=axes.index("X")))
    assert result.dtype == np.float32


def test_only_one_plane_is_read_at_a_time():
    class Disk:
        shape, dtype = (5, 3, 8, 9), np.dtype(">u2")

        def __init__(self):
            self.largest = 0

        def __getitem__(self, index):
            part = np.zeros(self.shape, self.dtype)[index]
            self.largest = max(self.largest, part.size)
            return part

    disk = Disk()
    shapes = {plane.image.shape for plane in Planes(disk, "TCYX")}
    assert shapes == {(8, 9, 3)}
    assert disk.largest == 8 * 9 * 3
    assert all(plane.image.dtype == np.uint16 for plane in Planes(disk, "TCYX", independent_channels=True))
    assert disk.largest == 8 * 9 * 3


def test_labels_say_where_a_plane_lies():
    planes = Planes(np.zeros((2, 4, 5, 2)), "tyxz")
    assert [plane.label for plane in planes] == ["T 0, Z 0", "T 0, Z 1", "T 1, Z 0", "T 1, Z 1"]
    assert [plane.number for plane in planes] == [0, 1, 2, 3]
    assert next(iter(Planes(np.zeros((4, 5)), "YX"))).label == ""


def test_a_sink_of_ones_own():
    made = []

    def create(shape, dtype):
        made.append((shape, dtype))
        return np.zeros(shape, dtype)

    result = map_planes(lambda plane: plane + 1, np.zeros((3, 4, 5), np.uint8), "ZYX", create=create)
    assert made == [((3, 4, 5), np.uint8)]
    assert (result == 1).all()


def test_results_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="cannot become"):
        map_planes(lambda plane: plane[..., :2], np.zeros((4, 5, 3)), "YXC")
    with pytest.raises(ValueError, match="cannot become"):
        map_planes(lambda plane: plane[0], np.zeros((4, 5)), "YX")


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((4, 5), "YX"), ((1, 1), "YX"), ((4, 5, 3), "YXC"), ((4, 5, 4), "YXC")],
)
def test_guessed_axes(shape, axes):
    assert guess_axes(shape) == axes


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 2), (2, 4, 5, 3), (5,), ()])
def test_axes_that_cannot_be_guessed(shape):
    with pytest.raises(ImageError, match=r"--axes|at least two axes"):
        guess_axes(shape)


@given(st.integers(3, 7))
def test_the_example_in_the_message_would_do(ndim):
    shape = (5,) * ndim
    with pytest.raises(ImageError) as caught:
        guess_axes(shape)
    example = str(caught.value).split("--axes ")[1].split(")")[0]
    assert check_axes(example, shape) == example


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("YX", (3, 4, 5), "3 letters"),
        ("YXY", (3, 4, 5), "another letter"),
        ("Y1X", (3, 4, 5), "another letter"),
        ("TZX", (3, 4, 5), "Y and X"),
        ("ZYX", (3, 0, 5), "empty"),
    ],
)
def test_wrong_axes(axes, shape, message):
    with pytest.raises(ImageError, match=message):
        check_axes(axes, shape)


@given(st.text(string.ascii_letters + "µ1 ", max_size=5), st.lists(st.integers(0, 3), max_size=5))
def test_axes_are_accepted_just_where_they_fit(axes, shape):
    letters = axes.upper()
    fits = (
        len(axes) == len(shape)
        and 0 not in shape
        and len(set(letters)) == len(letters)
        and {"Y", "X"} <= set(letters) <= set(string.ascii_uppercase)
    )
    if fits:
        assert check_axes(axes, shape) == letters
    else:
        with pytest.raises(ImageError, match=r"\w"):
            check_axes(axes, shape)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 6), "YX"),
        ((5, 6, 3), "YXC"),
        ((7, 5, 6), "ZYX"),
        ((2, 7, 5, 6), "TZYX"),
        ((2, 7, 5, 6, 4), "TZYXC"),
        ((1, 2, 7, 5, 6), "RTZYX"),
    ],
)
def test_what_is_looked_at_may_be_a_stack(shape, axes):
    assert stack_axes(shape) == axes
    planes = Planes(np.zeros(shape), axes)
    assert [planes.label(number) for number in range(len(planes))] == [plane.label for plane in planes]


def test_axes_of_a_stack_that_cannot_be_named():
    with pytest.raises(ImageError, match="at least two axes"):
        stack_axes((5,))
    with pytest.raises(ImageError, match="too many axes"):
        stack_axes((1,) * 30)


def test_planes_are_reached_by_number():
    stack = np.arange(24).reshape(2, 3, 2, 2)
    planes = Planes(stack, "TZYX")
    np.testing.assert_array_equal(planes[4].image, stack[1, 1])
    assert planes[4].label == "T 1, Z 1"
    with pytest.raises(IndexError, match="plane 6 of 6"):
        planes[6]
