import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_rsmoe.errors import ImageError
from napari_rsmoe.io import atomic
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.writing import create_image, write_image

FILES = ("a.tif", "a.ome.tif", "a.npy", "a.zarr", "a.ome.zarr", "a.png")


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", [*FILES, "a.jpg"])
@pytest.mark.parametrize("present", [False, True])
def test_a_failure_leaves_things_as_they_were(tmp_path, name, present, error):
    path = tmp_path / name
    before = np.full((4, 5), 7, np.uint8)
    if present:
        write_image(path, before)
    names = sorted(p.name for p in tmp_path.iterdir())
    description = ImageFile(before, "YX").like(size=(40, 50))

    def fail():
        with create_image(path, description) as sink:
            sink[:, :] = np.ones((40, 50), np.uint8)
            raise error

    with pytest.raises(type(error)):
        fail()
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    if present and name != "a.jpg":
        np.testing.assert_array_equal(read_image(path).numpy(), before)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_replaced(tmp_path, name):
    for value in (1, 2):
        write_image(tmp_path / name, np.full((4, 5), value, np.uint8))
        assert (read_image(tmp_path / name).numpy() == value).all()
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_links_are_followed(tmp_path):
    write_image(tmp_path / "real.png", np.zeros((4, 5), np.uint8))
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write_image(tmp_path / "link.png", np.ones((4, 5), np.uint8))
    assert (tmp_path / "link.png").is_symlink()
    assert (read_image(tmp_path / "real.png").numpy() == 1).all()


def test_a_folder_that_is_no_zarr_store_is_left_alone(tmp_path):
    path = tmp_path / "precious.zarr"
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")
    with pytest.raises(ImageError, match="left alone"):
        write_image(path, np.zeros((4, 5)))
    assert (path / "thesis.txt").exists()


def test_a_rename_that_fails_brings_the_old_store_back(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    write_image(path, np.ones((4, 5)))
    moved = []

    def fail_at_the_last_step(self, target):
        if self.parent == target.parent == tmp_path:  # not the files that zarr moves inside
            moved.append(self.name)
            if len(moved) == 2:
                raise OSError(5, "the disk is gone")
        return replace(self, target)

    replace = type(path).replace
    monkeypatch.setattr(type(path), "replace", fail_at_the_last_step)
    monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)
    with pytest.raises(ImageError, match="the disk is gone"):
        write_image(path, np.zeros((4, 5)))
    assert len(moved) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    assert (read_image(path).numpy() == 1).all()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_a_full_disk_is_an_error_not_a_crash(tmp_path, name, monkeypatch):
    def full(descriptor, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ImageError, match="No space left"):
        write_image(tmp_path / name, np.zeros((4, 5)))
    assert list(tmp_path.iterdir()) == []


def test_on_windows_a_file_beside_it_is_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows removes that file when its owner ends, however it ends; here it is removed by hand."""
    monkeypatch.setattr(atomic, "fcntl", None)
    parts = [tmp_path / f".image.tif.{number:08x}.rsmoe.part" for number in range(2)]
    for part in parts:
        part.touch()
    held = atomic._locked(parts[0])
    assert held is not None
    assert atomic._locked(parts[0]) is None
    atomic.remove_leftovers(tmp_path)
    assert [part.exists() for part in parts] == [True, False]
    os.close(held)
    parts[0].with_name(parts[0].name + ".lock").unlink()
    atomic.remove_leftovers(tmp_path)
    assert not parts[0].exists()


def test_windows_gets_time_to_let_go_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, attempts, rename = tmp_path / "image.tif", [], Path.replace

    def busy(self: Path, to: Path) -> Path:
        attempts.append(to)
        if len(attempts) < 3 or to.name == "always.tif":
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        return rename(self, to)

    monkeypatch.setattr(atomic, "_PATIENCE", (0.0,) * 4)
    monkeypatch.setattr(atomic, "_ON_WINDOWS", True)
    monkeypatch.setattr(Path, "replace", busy)
    with atomic.replacing_file(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    with (
        pytest.raises(ImageError, match=r"always\.tif cannot be written: .*Close it in other programs"),
        atomic.replacing_file(tmp_path / "always.tif") as temporary,
    ):
        temporary.write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]


def test_what_a_signal_leaves_before_the_block_begins_goes_with_the_program(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from napari_rsmoe.io import atomic

def signalled(path):
    raise SystemExit(143)

atomic._locked = signalled  # The temporary file exists by then, and no block that removes it has begun.
with atomic.replacing_file(Path(sys.argv[1])):
    pass
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "a.tif"], check=False)
    assert done.returncode == 143
    assert not list(tmp_path.iterdir())
