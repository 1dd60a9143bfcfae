"""Kernels as shapes, and what is done to them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Shapes

from napari_rsmoe import Kernels, Model
from napari_rsmoe.image.format import ImageFormat
from napari_rsmoe.model.kernels import outlines
from napari_rsmoe.plugin.editing import EditableKernels
from napari_rsmoe.plugin.layers import kernels as drawing
from napari_rsmoe.plugin.layers.choosing import heaviest
from napari_rsmoe.plugin.layers.following import apply_changes, find_changes, recoloured, redraw
from napari_rsmoe.plugin.layers.kernels import kernel_of_outline, kernels_output
from napari_rsmoe.plugin.place import Place

PLACE = Place(np.ones(2), np.zeros(2), np.eye(2), np.zeros(1), np.eye(3), ("pixel", "pixel"), ("y", "x"))
RECORD = {"action": "fit", "run": "1", "source": {"id": "", "axes": "YX"}}


def some_model(count: int = 12, channels: int = 1, linear: bool = False) -> Model:
    rng = np.random.default_rng(count)
    axes = np.sort(rng.uniform(1, 6, (count, 2)), axis=1)[:, ::-1]
    return Model.from_kernels(
        Kernels(
            rng.uniform(4, 28, (count, 2)), axes, rng.uniform(-1.5, 1.5, count), rng.uniform(0.5, 2, count),
            rng.uniform(0, 1, (count, channels)), rng.normal(0, 0.01, (count, channels, 2)) if linear else None,
        ),
        (32, 32),
        value_range=(0.0, 1.0),
    )  # fmt: skip


def some_layer(model: Model, most: int = 2000) -> tuple[EditableKernels, Shapes]:
    table = EditableKernels([model], [()])
    layer = kernels_output(table, PLACE, "kernels", RECORD, most).layer()
    return table, layer


def take_over(table: EditableKernels, layer: Shapes) -> list[int]:
    changes = find_changes(table, layer.data, layer.features, layer.shape_type)
    return apply_changes(table, changes, layer.data, layer.shape_type, layer.face_color)


@pytest.mark.parametrize("polygon", [False, True])
def test_outlines_are_the_kernels_steering(polygon: bool) -> None:
    kernels = some_model().kernels()
    corners = outlines(kernels.center, kernels.axes, kernels.angle, polygon=polygon)
    for k, covariance in enumerate(kernels.covariance()):
        center, shape = kernel_of_outline(corners[k], polygon=polygon)
        np.testing.assert_allclose(center, kernels.center[k], atol=1e-9)
        np.testing.assert_allclose(shape, covariance, rtol=1e-9)
    if polygon:  # the corners lie at one standard deviation
        offset = corners - kernels.center[:, None]
        inverse = np.linalg.inv(kernels.covariance())
        np.testing.assert_allclose(np.einsum("nki,nij,nkj->nk", offset, inverse, offset), 1, rtol=1e-9)


def test_a_skewed_box_gives_the_ellipse_that_napari_draws() -> None:
    from napari.layers.shapes._shapes_utils import triangulate_ellipse

    box = np.array([[0.0, 0.0], [6.0, 2.0], [7.0, 9.0], [1.0, 7.0]])
    center, covariance = kernel_of_outline(box, polygon=False)
    drawn = triangulate_ellipse(box)[0][1:]
    distance = np.einsum("ni,ij,nj->n", drawn - center, np.linalg.inv(covariance), drawn - center)
    np.testing.assert_allclose(distance, 1, atol=1e-3)


def test_features_tell_all_about_a_kernel() -> None:
    model = some_model(channels=3)
    table, layer = some_layer(model)
    kernels = model.kernels()
    assert list(layer.shape_type) == ["ellipse"] * len(kernels)
    assert set(layer.features) == {
        "plane", "kernel", "weight", "long axis", "short axis", "angle", "expert 0", "expert 1", "expert 2", "error"
    }  # fmt: skip
    np.testing.assert_allclose(layer.features["weight"], kernels.weight)
    np.testing.assert_allclose(layer.features["angle"], np.degrees(kernels.angle))
    np.testing.assert_allclose(layer.features["expert 1"], kernels.expert[:, 1])
    np.testing.assert_allclose(layer.face_color[:, :3], kernels.expert, atol=1e-6)
    assert table.count(0) == len(kernels)


RANGES = {"uint8": (100.0, 200.0), "uint16": (1000.0, 5000.0), "float32": (-0.5, 2.0)}


def model_of_range(mode: str, linear: bool, dtype: str, channels: int = 1) -> Model:
    """A model like one that was fitted to an image whose values do not begin at 0."""
    model = some_model(channels=channels, linear=linear)
    layout = ImageFormat(np.dtype(dtype).str, 2 if channels > 1 else None, *RANGES[dtype])
    return Model(model.geometry, model.experts, model.shape, layout, mode=mode, linear=linear)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", RANGES)
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("mode", ["smoe", "rbf"])
def test_the_table_is_that_of_the_model_for_gates_and_sums(mode: str, linear: bool, dtype: str) -> None:
    model = model_of_range(mode, linear, dtype)
    table, layer = some_layer(model)
    expected, shown = model.kernels(), table.kernels(0)
    np.testing.assert_allclose(shown.expert, expected.expert)
    np.testing.assert_allclose(layer.features["expert"], expected.expert[:, 0])
    if linear:
        np.testing.assert_allclose(shown.slope, expected.slope)
    low, high = RANGES[dtype]
    value = 0.25 * (high - low) + (low if mode == "smoe" else 0)
    table.recolour(0, np.array([3]), [value])
    np.testing.assert_allclose(table.model(0).kernels().expert[3], value, rtol=1e-6)
    np.testing.assert_allclose(table.colours(0)[3], 0.25, atol=1e-6)  # of the way from black to white
    expert = table.expert_of_colour(0, (0.75, 0.75, 0.75))
    np.testing.assert_allclose(expert, value + 0.5 * (high - low), rtol=1e-6)


@pytest.mark.parametrize("value_range", [None, (0.0, 250.0)])
def test_colours_of_sums_reach_from_nothing_to_the_brightest(value_range: tuple[float, float] | None) -> None:
    """Experts of 50 to 250 that add up are not all white, and a face of half the brightness is half of 250."""
    kernels = Kernels([[4, 4], [9, 9]], [[3, 2], [3, 2]], [0, 0], [1, 1], [[50.0], [250.0]])
    table = EditableKernels([Model.from_kernels(kernels, (16, 16), mode="rbf", value_range=value_range)], [()])
    np.testing.assert_allclose(table.colours(0)[:, 0], (0.2, 1.0))
    table.recolour(0, np.array([0]), table.expert_of_colour(0, (0.5, 0.5, 0.5)))
    np.testing.assert_allclose(table.model(0).kernels().expert[:, 0], (125, 250))


def test_a_recoloured_face_of_a_sum_becomes_its_expert() -> None:
    table, layer = some_layer(model_of_range("rbf", True, "uint8", channels=3))
    layer.selected_data = {2}
    layer.current_face_color = "#ff8000"
    (plane, ((rows, colour),)) = next(iter(recoloured(table, layer.features, layer.face_color).items()))
    table.recolour(plane, rows, table.expert_of_colour(plane, colour))
    np.testing.assert_allclose(table.model(0).kernels().expert[2], (100, 100 * 128 / 255, 0), atol=1e-3)
    np.testing.assert_array_equal(table.model(0).experts[:, 3:], table._models[0].experts[:, 3:])  # slopes stay


@pytest.mark.parametrize("linear", [False, True])
def test_untouched_kernels_stay_exact(linear: bool) -> None:
    model = some_model(linear=linear)
    table, layer = some_layer(model)
    assert not find_changes(table, layer.data, layer.features, layer.shape_type)
    again = table.model(0)
    assert again.linear == linear
    np.testing.assert_array_equal(again.geometry, model.geometry)
    np.testing.assert_array_equal(again.experts, model.experts)
    np.testing.assert_allclose(table.kernels(0).axes, model.kernels().axes)


@pytest.mark.parametrize("most", [2000, 5])
def test_move_turn_and_stretch(most: int) -> None:
    model = some_model()
    table, layer = some_layer(model, most)
    data = [np.array(shape) for shape in layer.data]
    row = int(layer.features["kernel"][2])
    before = model.kernels()
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])  # a quarter
    data[2] = (data[2] - data[2].mean(0)) @ turn * 1.5 + data[2].mean(0) + (3.0, -2.0)
    layer.data = data
    assert take_over(table, layer) == [0]
    after = table.model(0).kernels()
    np.testing.assert_allclose(after.center[row], before.center[row] + (3, -2), atol=1e-4)
    np.testing.assert_allclose(after.axes[row], 1.5 * before.axes[row], rtol=1e-4)
    np.testing.assert_allclose(np.cos(2 * after.angle[row]), -np.cos(2 * before.angle[row]), atol=1e-4)
    others = np.arange(len(before)) != row
    np.testing.assert_array_equal(table.model(0).geometry[others], model.geometry[others])
    assert table.undo()
    np.testing.assert_array_equal(table.model(0).geometry, model.geometry)
    assert table.redo()
    assert not table.redo()


def test_delete_and_undo() -> None:
    model = some_model()
    table, layer = some_layer(model)
    layer.selected_data = {1, 4}
    layer.remove_selected()
    take_over(table, layer)
    assert table.model(0).n_kernels == 10
    gone = np.delete(model.geometry.numpy(), [1, 4], axis=0)
    np.testing.assert_array_equal(table.model(0).geometry, gone)
    assert table.undo()
    redraw(layer, table, [table.rows(0)])
    assert len(layer.data) == 12
    assert not find_changes(table, layer.data, layer.features, layer.shape_type)


def test_the_last_kernel_cannot_be_deleted() -> None:
    table, layer = some_layer(some_model(1))
    layer.selected_data = {0}
    layer.remove_selected()
    with pytest.raises(ValueError, match="at least one kernel"):
        take_over(table, layer)


def test_a_drawn_shape_becomes_a_kernel() -> None:
    table, layer = some_layer(some_model())
    layer.add([[[4, 4], [4, 12], [10, 12], [10, 4]]], shape_type="ellipse", face_color="#808080")
    assert take_over(table, layer) == [0]
    kernels = table.model(0).kernels()
    assert len(kernels) == 13
    np.testing.assert_allclose(kernels.center[-1], (7, 8), atol=1e-5)
    np.testing.assert_allclose(kernels.axes[-1], (4, 3), rtol=1e-5)
    np.testing.assert_allclose(kernels.expert[-1], 128 / 255, atol=1e-6)
    layer.add([[[0, 0], [5, 5]]], shape_type="line")
    redraw_needed = find_changes(table, layer.data, layer.features, layer.shape_type)
    with pytest.raises(ValueError, match="line"):
        apply_changes(table, redraw_needed, layer.data, layer.shape_type, layer.face_color)


def test_recolour_through_the_face_colour() -> None:
    table, layer = some_layer(some_model(channels=3))
    assert not recoloured(table, layer.features, layer.face_color)
    layer.selected_data = {2}
    layer.current_face_color = "#ff8000"
    (plane, ((rows, colour),)) = next(iter(recoloured(table, layer.features, layer.face_color).items()))
    assert rows.tolist() == [2]
    table.recolour(plane, rows, table.expert_of_colour(plane, colour))
    np.testing.assert_allclose(table.model(0).kernels().expert[2], (1, 128 / 255, 0), atol=1e-5)


def test_drawing_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_ELLIPSES", 4)
    monkeypatch.setattr(drawing, "MOST_POLYGONS", 8)
    table = EditableKernels([some_model()], [()])
    kinds = {}
    for most in (4, 8, 12):
        output = kernels_output(table, PLACE, "k", RECORD, most)
        layer = output.layer()
        kinds[most] = set(layer.shape_type) if output.kind == "shapes" else output.kind
        assert output.options["name"] == ("k" if most == 12 else f"k ({most} of 12)")
    assert kinds == {4: {"ellipse"}, 8: {"polygon"}, 12: "surface"}


def test_the_heaviest_are_drawn() -> None:
    model = some_model()
    kernels = model.kernels()
    (rows,) = heaviest(EditableKernels([model], [()]), 3)
    mass = kernels.weight * kernels.axes.prod(1)
    assert set(rows) == set(np.argsort(mass)[-3:])


def test_planes_without_drawn_kernels() -> None:
    table = EditableKernels([some_model(6), some_model(7)], [(0,), (3,)])
    place = Place(np.ones(3), np.zeros(3), np.eye(3), np.zeros(3), np.eye(4), ("pixel",) * 3, ("t", "y", "x"))
    chosen = [np.zeros(0, int), np.array([2, 4])]
    layer = kernels_output(table, place, "k", RECORD, 2000, chosen).layer()
    assert list(layer.features["kernel"]) == [2, 4]
    assert not find_changes(table, layer.data, layer.features, layer.shape_type)


def test_planes_of_a_stack_keep_to_themselves() -> None:
    models = [some_model(6), some_model(7)]
    table = EditableKernels(models, [(0,), (3,)])
    place = Place(np.ones(3), np.zeros(3), np.eye(3), np.zeros(3), np.eye(4), ("pixel",) * 3, ("t", "y", "x"))
    layer = kernels_output(table, place, "k", RECORD, 2000).layer()
    assert len(layer.data) == 13
    assert {shape[0, 0] for shape in layer.data} == {0.0, 3.0}
    data = [np.array(shape) for shape in layer.data]
    data[8][:, 1:] += 1.0
    layer.data = data
    assert take_over(table, layer) == [1]
    np.testing.assert_array_equal(table.model(0).geometry, models[0].geometry)
    assert (table.model(1).geometry != models[1].geometry).any(1).sum() == 1
