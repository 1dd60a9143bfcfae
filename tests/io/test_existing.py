"""From Python: a file that somebody else wrote is not replaced unless that is asked for."""

import json
import subprocess
import sys

import numpy as np
import pytest

import napari_rsmoe
from napari_rsmoe import read_image, write_image
from napari_rsmoe.io import existing

IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)


@pytest.mark.parametrize("name", ["a.npy", "a.zarr"])
def test_write_image(tmp_path, monkeypatch, name):
    monkeypatch.setattr(sys, "argv", ["this_program.py"])
    path = tmp_path / name
    code = "import numpy, sys, napari_rsmoe as r; r.write_image(sys.argv[1], numpy.zeros((6, 8), numpy.uint8))"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_image(path, IMAGE)
    assert not read_image(path).numpy().any()
    write_image(path, IMAGE, overwrite=True)
    write_image(path, 2 * IMAGE)  # this program wrote it
    np.testing.assert_array_equal(read_image(path).numpy(), 2 * IMAGE)


def test_models(tmp_path):
    model = napari_rsmoe.fit(IMAGE, 4, iterations=2)
    path = tmp_path / "a.rsmoe"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(path)
    assert path.read_bytes() == b"precious"
    model.save(path, overwrite=True)
    model.save(path)


def test_records_are_few_and_may_fail(tmp_path, monkeypatch):
    monkeypatch.setenv(existing.STATE, str(tmp_path / "state"))
    monkeypatch.setattr(existing, "MOST_RECORDS", 4)
    for number in range(6):
        write_image(tmp_path / f"{number}.npy", IMAGE)
    records = list((tmp_path / "state" / "written").iterdir())
    assert len(records) <= 4
    assert all(json.loads(record.read_text())[0]["maker"].startswith("python") for record in records)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(existing.STATE, str(tmp_path / "file"))
    write_image(tmp_path / "new.npy", IMAGE)
    with pytest.raises(FileExistsError):
        write_image(tmp_path / "new.npy", IMAGE)
