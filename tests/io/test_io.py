import json
import shutil
import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from io_helpers import SIZES, same_sizes

from napari_rsmoe.errors import ImageError
from napari_rsmoe.image.planes import Planes
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.formats import is_image_path
from napari_rsmoe.io.image_file import DTYPES, ImageFile
from napari_rsmoe.io.tiff.ome import ome_letters
from napari_rsmoe.io.units import PixelSize, canonical_unit, imagej_symbol, is_known_unit, ome_symbol
from napari_rsmoe.io.writing import check_output, write_image

FILES = ("a.tif", "a.ome.tif", "a.npy", "a.zarr", "a.ome.zarr", "a.png")
several_examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def in_order(image, axes):
    """Pixels of an image with its axes in another order; C and S may stand for each other."""
    own = image.axes if set(image.axes) == set(axes) else image.axes.translate({ord("C"): "S", ord("S"): "C"})
    return image.numpy().transpose([own.index(letter) for letter in axes])


@st.composite
def images(draw):
    """Any image: values, axes in any order that some format can hold, pixel sizes."""
    letters = "YX" + draw(st.sampled_from(["", "", "C", "S"])) + draw(st.sampled_from(["", "T", "Z", "TZ", "Q"]))
    axes = "".join(draw(st.permutations(list(letters))))
    lengths = {"Y": (1, 5), "X": (1, 5), "S": (3, 4)}
    shape = tuple(draw(st.integers(*lengths.get(letter, (2, 4)))) for letter in axes)
    dtype = np.dtype(draw(st.sampled_from(DTYPES))).newbyteorder(draw(st.sampled_from("<>")))
    number = st.floats(width=16, allow_nan=False) if dtype.kind == "f" else st.integers(0, 127)
    values = draw(hnp.arrays(dtype, shape, elements=number, fill=st.just(3)))
    return ImageFile(values, axes, SIZES if draw(st.booleans()) else {})


@several_examples
@given(image=images(), name=st.sampled_from(FILES), lazy=st.booleans())
def test_what_is_written_is_read_back(tmp_path, image, name, lazy):
    path = tmp_path / name
    try:
        check_output(path, image)
    except ImageError:
        with pytest.raises(ImageError):
            write_image(path, image)
        return
    write_image(path, image)
    with read_image(path, lazy=lazy, axes=image.axes if name == "a.npy" else None) as back:
        axes = image.axes.translate(ome_letters(image.axes)) if name == "a.ome.tif" else image.axes
        np.testing.assert_array_equal(in_order(back, axes), image.data)
        assert back.dtype == image.dtype
        assert back.dtype.isnative
        assert back.notes == ()
        same_sizes(back.pixel_size, {} if name in ("a.npy", "a.png") else image.pixel_size)
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".part") == []


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.zarr"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(tmp_path, name, dtype):
    limits = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    pixels = np.array([[limits.min, limits.max, 0, 1]], dtype)
    write_image(tmp_path / name, pixels)
    back = read_image(tmp_path / name).numpy()
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize("dtype", [bool, complex, object, "U3", np.dtype([("a", "u1")])])
def test_other_dtypes_are_refused(tmp_path, dtype):
    with pytest.raises(ImageError, match="accepted are uint8"):
        write_image(tmp_path / "a.tif", np.zeros((3, 4), dtype))
    np.save(tmp_path / "a.npy", np.zeros((3, 4), dtype))
    with pytest.raises(ImageError, match=r"a\.npy"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "dtype", "holds"),
    [
        ("a.ome.tif", "float16", "float32"),
        ("a.png", "float32", "uint8 and uint16"),
        ("a.jpg", "uint16", "uint8"),
    ],
)
def test_a_dtype_that_the_format_cannot_hold(tmp_path, name, dtype, holds):
    with pytest.raises(ImageError, match=holds) as caught:
        write_image(tmp_path / name, np.zeros((3, 4), dtype))
    assert "write a .tif" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "axes", "message"),
    [
        ("a.png", "TYX", "one plane, but the image has the axes T 3"),
        ("a.jpg", "ZYXC", "one plane, but the image has the axes Z 3"),
        ("a.png", "YXQC", "channels|one plane"),
        ("a.ome.zarr", "QTCYX", "T, Z, Y, X and one more"),
        ("a.ome.zarr", "PQTZYX", "T, Z, Y, X and one more"),
        ("a.ome.tif", "PQRUVWYX", "OME-TIFF cannot hold the axes"),
    ],
)
def test_axes_that_the_format_cannot_hold(tmp_path, name, axes, message):
    pixels = np.zeros([3] * len(axes), np.uint8)
    with pytest.raises(ImageError, match=message):
        write_image(tmp_path / name, pixels, axes=axes)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------- bad input


def test_files_that_are_not_there_or_not_images(tmp_path):
    with pytest.raises(ImageError, match="no file"):
        read_image(tmp_path / "missing.tif")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    (tmp_path / "a.xyz").write_text("hello")
    (tmp_path / "noimage").write_text("hello")
    for name in ("a.xyz", "noimage"):
        with pytest.raises(ImageError, match=r"accepted are \.tif"):
            read_image(tmp_path / name)
        with pytest.raises(ImageError, match=r"accepted are \.tif"):
            write_image(tmp_path / name, np.zeros((3, 4)))
    with pytest.raises(ImageError, match="does not exist; create it"):
        write_image(tmp_path / "no" / "a.tif", np.zeros((3, 4)))
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(ImageError, match="is a folder"):
        write_image(tmp_path / "folder.tif", np.zeros((3, 4)))
    with pytest.raises(ImageError, match="empty"):
        write_image(tmp_path / "a.tif", np.zeros((3, 0)))
    with pytest.raises(ImageError):
        read_image(tmp_path / ("a" * 5000 + ".tif"))


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "c.tif", "a.png", "a.jpg", "a.npy"])
@pytest.mark.parametrize("keep", [0, 3, 60, 0.5, 0.97])
def test_damaged_files(tmp_path, name, keep):
    path = tmp_path / name
    pixels = np.random.default_rng(0).integers(0, 255, (50, 60), np.uint8)
    if name == "c.tif":
        tifffile.imwrite(path, pixels, compression="zlib", rowsperstrip=10)
    else:
        write_image(path, pixels)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    for lazy in (False, True):
        with pytest.raises(ImageError, match=r"damaged|incomplete") as caught, read_image(path, lazy=lazy) as image:
            image.numpy()
        assert path.name in str(caught.value)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.npy"])
def test_files_with_a_wrong_suffix(tmp_path, name):
    write_image(tmp_path / "real.tif", np.zeros((8, 9), np.uint8))
    write_image(tmp_path / "real.png", np.zeros((8, 9), np.uint8))
    shutil.copy(tmp_path / ("real.png" if name == "a.tif" else "real.tif"), tmp_path / name)
    image = read_image(tmp_path / name)
    assert image.shape == (8, 9)
    assert f"really a {'PNG' if name == 'a.tif' else 'TIFF'} file" in image.notes[0]
    (tmp_path / name).write_bytes(b"%PDF-1.7")
    with pytest.raises(ImageError, match="a PDF file, which is not read here"):
        read_image(tmp_path / name)


def test_damaged_zarr(tmp_path):
    path = tmp_path / "a.zarr"
    write_image(path, np.random.default_rng(0).random((50, 60)))
    (chunk,) = [file for file in (path / "0" / "c").rglob("*") if file.is_file()]
    chunk.write_bytes(chunk.read_bytes()[:100])
    for lazy in (False, True):
        with pytest.raises(ImageError, match="damaged"):
            read_image(path, lazy=lazy).numpy()
    (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {}}}))
    with pytest.raises(ImageError, match="without an image"):
        read_image(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(ImageError, match="damaged"):
        read_image(path)


# ---------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize("name", ["a.tif", "compressed.tif", "a.npy", "a.zarr"])
def test_a_lazy_image_holds_one_plane_at_a_time(tmp_path, name):
    path = tmp_path / name
    stack = np.zeros((40, 500, 1000), np.uint8)
    if name == "compressed.tif":
        tifffile.imwrite(path, stack, compression="zlib", metadata={"axes": "ZYX"})
    else:
        write_image(path, stack, axes="ZYX")
    read_image(path, axes="ZYX", lazy=True).close()  # so that all modules are there
    tracemalloc.start()
    try:
        with read_image(path, axes="ZYX", lazy=True) as image:
            planes = [plane.image.max() for plane in Planes(image.data, image.axes)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(planes) == 40
    assert peak < stack.nbytes / 4


def test_like_describes_a_result():
    image = ImageFile(np.zeros((3, 8, 9), np.uint16), "ZYX", SIZES, name="n", notes=("remark",))
    large = image.like(size=(20, 22), dtype=np.float32, scale=2.5)
    assert (large.shape, large.dtype, large.name, large.notes) == ((3, 20, 22), np.float32, "n", ())
    assert large.pixel_size["X"] == PixelSize(0.3 / 2.5, "micrometer")
    assert large.pixel_size["Z"] == SIZES["Z"]
    assert "T" not in image.pixel_size  # it has no such axis


def test_an_image_file_has_its_own_axes(tmp_path):
    with pytest.raises(TypeError, match="ImageFile"):
        write_image(tmp_path / "a.tif", ImageFile(np.zeros((4, 5)), "YX"), axes="YX")


def test_images_in_a_folder(tmp_path):
    for name in ("a.TIF", "b.zarr", ".hidden.png", "c.txt"):
        (tmp_path / name).write_text("")
    write_image(tmp_path / "d.zarr", np.zeros((4, 5)))
    assert sorted(p.name for p in tmp_path.iterdir() if is_image_path(p)) == ["a.TIF", "d.zarr"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("µm", "micrometer"),
        ("\u03bcm", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("um", "micrometer"),
        ("Microns", "micrometer"),
        (" NM ", "NM"),
        ("nm", "nanometer"),
        ("Mm", "Mm"),
        ("\u212b", "angstrom"),
        ("sec", "second"),
        ("pixel", None),
        ("", None),
        (None, None),
        ("furlong", "furlong"),
    ],
)
def test_units(given, name):
    assert canonical_unit(given) == name
    if is_known_unit(name):
        assert canonical_unit(ome_symbol(name)) == name
        assert canonical_unit(imagej_symbol(name)) in (name, "A")
        assert imagej_symbol(name).isascii()
    else:
        assert ome_symbol(name) == "reference frame"
        assert canonical_unit(imagej_symbol(name)) == name


def test_nothing_is_written_to_standard_output(tmp_path, capfd):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 9), np.uint8))
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:120])
    with pytest.raises(ImageError):
        read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.zarr", np.zeros((4, 5)))
    assert capfd.readouterr() == ("", "")


def test_threads_may_read_the_same_lazy_image(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    pixels = np.arange(64 * 32 * 32, dtype=np.uint16).reshape(64, 32, 32)
    for name in ("a.tif", "a.npy"):
        write_image(tmp_path / name, pixels, axes="TYX")
        with read_image(tmp_path / name, axes="TYX", lazy=True) as image, ThreadPoolExecutor(8) as pool:
            planes = list(pool.map(lambda k: image.data[k % 64], range(512)))
        assert all((plane == pixels[k % 64]).all() for k, plane in enumerate(planes))
