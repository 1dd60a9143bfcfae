"""Files that leave their axes open are read as one thing, and say so; axes that are given decide about opacity."""

import numpy as np
import pytest
import tifffile

from napari_rsmoe import read_image, write_image

STACK = np.arange(4 * 20 * 24, dtype=np.uint16).reshape(4, 20, 24)


@pytest.fixture
def planar(tmp_path):
    """What older versions of tifffile make of a stack of four: planar RGB with an extra sample."""
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK, photometric="rgb", planarconfig="separate", extrasamples=["unassalpha"])
    return path


def test_planar_samples(planar):
    image = read_image(planar)
    assert (image.axes, image.alpha) == ("SYX", True)
    (note,) = image.notes
    assert note.startswith("read as SYX: 4 channels of 20 x 24 pixels, of which the last is opacity")
    assert "--axes ZYX" in note
    image = read_image(planar, axes="ZYX")
    assert (image.axes, image.alpha, image.notes) == ("ZYX", False, ())
    assert not read_image(planar, axes="CYX").alpha


def test_axes_without_a_name(tmp_path):
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((5, 20, 24), np.uint16), photometric="minisblack")
    with tifffile.TiffWriter(tmp_path / "pages.tif") as tif:
        for page in STACK:
            tif.write(page, contiguous=False, metadata=None)
    for name, count in (("five.tif", 5), ("pages.tif", 4)):
        (note,) = read_image(tmp_path / name).notes
        assert note.startswith(f"read as QYX: {count} planes, one after the other")
        assert note.endswith("TYX, ZYX, CYX")
        assert read_image(tmp_path / name, axes="TYX").notes == ()
    write_image(tmp_path / "named.tif", STACK, axes="QYX")
    assert read_image(tmp_path / "named.tif").notes == ()


def test_arrays_without_axes(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 24, 3), np.uint8))
    (note,) = read_image(tmp_path / "a.npy").notes
    assert note.startswith("read as YXC: 20 x 24 pixels of 3 channels")
    assert read_image(tmp_path / "a.npy", axes="YXC").notes == ()


def test_what_a_file_declares_is_not_commented(tmp_path):
    for name, axes in (("a.tif", "TYX"), ("a.ome.tif", "ZYX"), ("a.ome.zarr", "TYX"), ("b.tif", "CYX")):
        write_image(tmp_path / name, STACK, axes=axes)
        assert read_image(tmp_path / name).notes == ()
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((20, 24, 3), np.uint8), photometric="rgb")
    assert read_image(tmp_path / "rgb.tif").notes == ()
