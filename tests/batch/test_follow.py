"""Films that are denoised while they are written: from folders of frames and from stacks that grow."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from napari_rsmoe import ImageError, denoise_film, read_image, write_image
from napari_rsmoe.batch.follow import FollowFile
from napari_rsmoe.batch.following import Following
from napari_rsmoe.batch.pairs import Pair, Target
from napari_rsmoe.io import growing
from napari_rsmoe.ui.parameters.functions import PARAMETERS
from napari_rsmoe.ui.parameters.values import values

GIVEN = {"preset": "fast", "models": 1, "n_kernels": 20, "noise": 10.0}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(growing, "POLL", 0.01)
    monkeypatch.setattr(growing, "SETTLED", 0.2)


@pytest.fixture(scope="module")
def film():
    return np.random.default_rng(0).normal(100, 10, (3, 24, 28)).astype(np.uint16)


@pytest.fixture(scope="module")
def expected(film):
    return [each.image for each in denoise_film(film, **GIVEN)]


def followed(source, target, further=(), **following):
    said = []
    heard = SimpleNamespace(callback=lambda: lambda progress: None, note=said.append, detail=print)
    work = FollowFile(
        values(PARAMETERS["denoise_stack"], GIVEN), further=further, following=Following(follow=True, **following)
    )
    extras = {each.name: each.path for each in further}
    facts = work(Pair(source, target, extras, "denoise"), heard)
    assert "when 1 further ones are complete" in said[0]
    return facts


def test_a_folder_of_frames_is_followed_in_the_order_of_its_numbers(film, expected, tmp_path):
    """Each result is written as soon as the frames that help are there; a frame that is half written is waited for."""
    camera, out = tmp_path / "camera", tmp_path / "out"
    camera.mkdir()
    early = []

    def shoot():
        write_image(camera / "f9.tif", film[0])
        write_image(camera / "f10.tif", film[1])
        half = (camera / "f10.tif").read_bytes()
        (camera / "f11.tif").write_bytes(half[:200])
        while not (out / "f9.tif").exists():
            time.sleep(0.01)
        early.extend(path.name for path in out.iterdir() if path.suffix == ".tif" and not path.name.startswith("."))
        write_image(camera / "f11.tif", film[2], overwrite=True)

    thread = threading.Thread(target=shoot)
    thread.start()
    facts = followed(camera, out, [Target("--std", str(tmp_path / "std"), None, "float32")], frames=3)
    thread.join()
    assert (facts["frames"], facts["latency"], early) == (3, 1, ["f9.tif"])
    for number, wanted in zip((9, 10, 11), expected, strict=True):
        np.testing.assert_array_equal(read_image(out / f"f{number}.tif").numpy(), wanted)
        assert read_image(tmp_path / "std" / f"f{number}.tif").dtype == np.float32


@pytest.mark.parametrize("length", [0, 5])
def test_a_zarr_array_that_grows_or_fills_is_followed(film, expected, tmp_path, length):
    """Also where the folder of the store is there before it is a store."""
    (tmp_path / "in.zarr").mkdir()

    def shoot():
        time.sleep(0.1)
        array = zarr.create_array(
            tmp_path / "in.zarr", shape=(length, 24, 28), chunks=(1, 24, 28), dtype="uint16",
            dimension_names=["t", "y", "x"],
        )  # fmt: skip
        for number, frame in enumerate(film):
            array.resize((max(length, number + 1), 24, 28))
            array[number] = frame

    thread = threading.Thread(target=shoot)
    thread.start()
    followed(tmp_path / "in.zarr", tmp_path / "out.ome.zarr", frames=3)
    thread.join()
    result = read_image(tmp_path / "out.ome.zarr")
    assert result.axes == "TYX"
    np.testing.assert_array_equal(result.numpy(), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zarr", "out.ome.zarr"]


def test_the_end_of_a_film(tmp_path):
    """Without frames it ends by the time without any; a file that stays half is named."""
    with pytest.raises(ImageError, match="no frame has come"):
        followed(tmp_path / "none.zarr", tmp_path / "a.tif", idle=0.1)
    (tmp_path / "camera").mkdir()
    (tmp_path / "camera" / "a.tif").write_bytes(b"II*\0half")
    with pytest.raises(ImageError, match=r"a\.tif"):
        followed(tmp_path / "camera", tmp_path / "b.tif", idle=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["camera"]
