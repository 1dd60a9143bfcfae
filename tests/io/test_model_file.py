"""Model files: what they keep, and what damaged ones are answered with."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from napari_rsmoe import Kernels, Model, ModelFileError, write_image
from napari_rsmoe.image.format import ImageFormat
from napari_rsmoe.io.rsmoe import load_description


def some_model(**options: object) -> Model:
    rng = np.random.default_rng(0)
    axes = np.sort(rng.uniform(1.0, 12.0, (40, 2)))[:, ::-1]
    turns, weights = rng.uniform(-1.5, 1.5, 40), rng.uniform(0.2, 5.0, 40)
    kernels = Kernels(rng.uniform(0, 50, (40, 2)), axes, turns, weights, rng.uniform(10.0, 200.0, (40, 3)))
    return Model.from_kernels(kernels, (37, 52), **options)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 50), st.integers(1, 5), st.sampled_from(["smoe", "rbf"]),
    st.sampled_from(["|u1", "<u2", ">i4", "<f4", "<f8"]),
    st.booleans(), st.dictionaries(st.text(max_size=8), st.one_of(st.integers(-9, 9), st.text(max_size=8)), max_size=3),
)  # fmt: skip
def test_a_file_holds_the_model_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    n: int,
    channels: int,
    mode: str,
    dtype: str,
    linear: bool,
    extra: dict,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    geometry = torch.rand(n, 6, generator=rng) + 0.1
    layout = ImageFormat(dtype, None if channels == 1 else seed % 3, seed / 7, seed / 7 + 1 / 3)
    experts = torch.rand(n, (3 if linear else 1) * channels, generator=rng)
    model = Model(geometry, experts, (5, 7), layout, mode=mode, linear=linear, metadata=extra)
    path = tmp_path_factory.mktemp("models") / "a.rsmoe"
    model.save(path)
    loaded = Model.load(path)
    assert torch.equal(loaded.geometry, model.geometry)
    assert torch.equal(loaded.experts, model.experts)
    assert (loaded.shape, loaded.layout, loaded.metadata) == ((5, 7), layout, extra)
    assert (loaded.mode, loaded.linear) == (mode, linear)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    model = some_model()
    model.save(path)
    before = path.read_bytes()
    model.metadata["bad"] = object()
    with pytest.raises(TypeError):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


HEADER = {"shape": [3, 3], "mode": "smoe", "linear": False, "confidence": 0.0, "metadata": {},
          "image": {"dtype": "|u1", "channel_axis": None, "low": 0, "high": 1, "limits": None}}  # fmt: skip


def save_with(path: Path, **changes: object) -> None:
    """Write a model file of which some entries of the header are changed."""
    image = HEADER["image"] | {key: changes.pop(key) for key in list(changes) if key in HEADER["image"]}  # type: ignore
    text = json.dumps(HEADER | {"image": image} | changes)
    tensors = {"geometry": torch.full((2, 6), 0.5), "experts": torch.zeros(2, 1)}
    save_file(tensors, path, {"format": "napari-rsmoe model", "version": "1", "model": text})


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "foo"}, {"dtype": "|O"}, {"dtype": "i4,i4"}, {"dtype": 4}, {"channel_axis": 7}, {"channel_axis": "a"},
        {"channel_axis": True}, {"low": math.nan}, {"low": "dark"}, {"low": 2}, {"high": math.inf}, {"limits": [3]},
        {"high": 10**400}, {"low": None}, {"confidence": math.nan}, {"confidence": -1}, {"confidence": "1"},
        {"confidence": None}, {"shape": [64.5, 64]}, {"shape": [0, 3]}, {"shape": 3}, {"shape": [3, 3, 3]},
        {"shape": [2**40, 3]}, {"shape": None}, {"image": 3}, {"mode": ["smoe"]}, {"confidence": True},
        {"linear": "yes"}, {"linear": 1}, {"metadata": None}, {"metadata": [1]}, {"mode": "other"}, {"image": None},
        {"image": {"extra": 1}}, {"image": {"limits": [2, 1]}},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_headers_get_a_clear_error(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "a.rsmoe"
    save_with(path)
    assert Model.load(path).shape == (3, 3)
    save_with(path, **changes)
    with pytest.raises(ModelFileError, match=r"a\.rsmoe"):
        Model.load(path)


PLACE = {"scale": [1, 2.5], "translate": [0, -3], "rotate": [[1, 0], [0, 1]], "shear": [0.1],
         "affine": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "units": ["mm", "mm"], "axis_labels": ["y", "x"]}  # fmt: skip


@pytest.mark.parametrize(
    "metadata",
    [
        {"pixel_size": 5}, {"pixel_size": {"Y": 5}}, {"pixel_size": {"Y": [-1, None]}}, {"pixel_size": {"X": [0, "m"]}},
        {"pixel_size": {"X": [math.nan, "m"]}}, {"pixel_size": {"X": [1, 2]}}, {"pixel_size": {"X": [1, "m", "m"]}},
        {"pixel_size": {"X": [True, "m"]}}, {"settings": 1}, {"settings": ["a"]}, {"made_by": 3}, {"preset": {}},
        {"seed": 0.5}, {"steps": "many"}, {"edited": 1}, {"tile_shift": [1]}, {"napari": []}, {"napari": {"source": 1}},
        {"napari_place": 1}, {"napari_place": {}},
        *({"napari_place": PLACE | change} for change in (
            {"scale": [1, 0]}, {"scale": [1]}, {"scale": ["1", "2"]}, {"translate": [math.inf, 0]}, {"rotate": [1, 2]},
            {"rotate": [[1, 1], [1, 1]]}, {"affine": [[1, 0], [0, 1]]}, {"units": "mm"}, {"units": [1, 2]},
            {"axis_labels": None}, {"shear": 0},
        )),
    ],
    ids=str,
)  # fmt: skip
def test_metadata_of_another_kind_are_neither_read_nor_written(tmp_path: Path, metadata: dict[str, object]) -> None:
    path = tmp_path / "a.rsmoe"
    (name,) = metadata
    save_with(path, metadata=metadata)
    for read in (Model.load, load_description):
        with pytest.raises(ModelFileError, match=rf"a\.rsmoe is damaged: .*{name}.* is .*which is not"):
            read(path)
    model = some_model(metadata=metadata)
    with pytest.raises(ValueError, match=name):
        model.save(tmp_path / "b.rsmoe")
    assert [each.name for each in tmp_path.iterdir()] == ["a.rsmoe"]


def test_sound_metadata_and_those_of_the_user_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    metadata = {
        "napari_place": PLACE,
        "pixel_size": {"Y": [0.5, None], "X": [0.5, "micrometer"]},
        "mine": [{"a": None}],
    }
    some_model(metadata=metadata).save(path)
    assert Model.load(path).metadata == metadata


def test_a_file_that_shrinks_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    some_model().save(path)
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 5)
    for read in (Model.load, load_description):
        with pytest.raises(ModelFileError, match=r"a\.rsmoe"):
            read(path)


def test_headers_are_valid_json_and_keep_infinity(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    metadata = {"tau": math.inf, "list": [1.5, -math.inf, {"deep": math.inf}], "text": "inf"}
    model = some_model(mode="rbf", metadata=metadata)
    model.save(path)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    with safe_open(path, framework="pt") as file:
        json.loads(file.metadata()["model"], parse_constant=refuse)
    loaded = Model.load(path)
    assert loaded.metadata == metadata
    assert loaded.layout == model.layout
    np.testing.assert_array_equal(loaded.render(), model.render())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere does not exist"):
        some_model().save(tmp_path / "nowhere" / "a.rsmoe")
    (tmp_path / "folder.rsmoe").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        some_model().save(tmp_path / "folder.rsmoe")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.rsmoe"]


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "text":
        path.write_bytes(b"this is not a model\n" * 20)
    elif how == "foreign":
        save_file({"weight": torch.zeros(3)}, path)
    elif how == "no kernels":
        save_file(
            {"geometry": torch.zeros(3, 6)}, path, {"format": "napari-rsmoe model", "version": "1", "model": "{}"}
        )
    elif how == "bad header":
        save_file({"a": torch.zeros(1)}, path, {"format": "napari-rsmoe model", "version": "1", "model": "{"})
    elif how == "no version":
        save_file({"a": torch.zeros(1)}, path, {"format": "napari-rsmoe model"})
    elif how == "not finite":
        save_file({"geometry": torch.full((2, 6), math.nan), "experts": torch.zeros(2, 1)}, path,
                  {"format": "napari-rsmoe model", "version": "1", "model": json.dumps(HEADER)})  # fmt: skip


@pytest.mark.parametrize(
    "how", ["empty", "cut", "text", "foreign", "no kernels", "bad header", "no version", "not finite"]
)
def test_damaged_files_get_a_clear_error(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.rsmoe"
    some_model().save(path)
    damage(path, how)
    with pytest.raises(ModelFileError, match=r"a\.rsmoe"):
        Model.load(path)


def test_newer_files_ask_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "a.rsmoe"
    save_file({"a": torch.zeros(1)}, path, {"format": "napari-rsmoe model", "version": "99", "model": "{}"})
    with pytest.raises(ModelFileError, match="upgrade"):
        Model.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Model.load(tmp_path / "nowhere.rsmoe")


def test_an_image_that_is_given_as_a_model_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_image(path, np.zeros((4, 4), np.uint8))
    with pytest.raises(ModelFileError, match=r"is a PNG file, not a model \(\.rsmoe\)"):
        Model.load(path)
