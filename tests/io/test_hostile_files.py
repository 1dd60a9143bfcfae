"""Files that promise more than they hold, change while they are read, or lead elsewhere."""

import bz2
import gzip
import json
import lzma
import os
import struct
import zlib

import imagecodecs
import numcodecs
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_rsmoe.errors import ImageError, NotEnoughMemoryError
from napari_rsmoe.io import sizes, zarr_store
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.writing import write_image
from napari_rsmoe.memory import limited

PIXELS = np.arange(35, dtype=np.uint8).reshape(5, 7)


def blank_png(path, side):
    """A PNG file of side x side black pixels, made without making the pixels."""
    row = b"\0" * (side + 1)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def ome_with(path, **changes):
    """An OME-TIFF of one plane whose description has other attributes of Pixels."""
    tifffile.imwrite(path, PIXELS, ome=True, metadata={"axes": "YX"})
    with tifffile.TiffFile(path) as tif:
        xml = tif.ome_metadata
    for name, value in changes.items():
        before = f'{name}="{xml.split(name + "=")[1].split(chr(34))[1]}"'
        xml = xml.replace(before, f'{name}="{value}"')
    tifffile.tiffcomment(path, xml.encode())


@pytest.mark.parametrize(
    "changes", [{"SizeZ": 2_000_000_000}, {"PlaneCount": 2_000_000_000}, {"SizeT": 10**30}, {"SizeC": "many"}], ids=str
)
def test_an_ome_tiff_cannot_declare_more_planes_than_it_has_bytes(tmp_path, changes):
    path = tmp_path / "a.ome.tif"
    ome_with(path, **changes)
    with pytest.raises(ImageError, match=r"a\.ome\.tif.*(planes|impossible)"):
        read_image(path, lazy=True)


def test_a_tiff_cannot_declare_more_pixels_than_it_has_bytes(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["ImageLength"].overwrite(2_000_000)
        tif.pages[0].tags["RowsPerStrip"].overwrite(2_000_000)
    for lazy in (True, False):
        with pytest.raises(ImageError, match="damaged or incomplete"):
            read_image(path, lazy=lazy)


def test_sizes_of_an_honest_large_file_are_read_without_decoding(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    blank_png(path, 3000)
    monkeypatch.setattr(imagecodecs, "png_decode", None)
    with limited("1M"):
        image = read_image(path, lazy=True)
        assert (image.shape, image.dtype, image.axes) == ((3000, 3000), np.uint8, "YX")
        with pytest.raises(NotEnoughMemoryError, match="--memory"):
            read_image(path)


def test_a_png_cannot_declare_more_than_deflate_can_hold(tmp_path):
    path = tmp_path / "a.png"
    blank_png(path, 50)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 50_000, 50_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png.*damaged or incomplete"):
        read_image(path, lazy=True)


def test_a_jpeg_cannot_declare_more_than_its_codes_can_hold(tmp_path):
    path = tmp_path / "a.jpg"
    write_image(path, PIXELS)
    content = path.read_bytes()
    at = content.index(b"\xff\xc0") + 5
    path.write_bytes(content[:at] + struct.pack(">HH", 60_000, 60_000) + content[at + 4 :])
    with pytest.raises(ImageError, match=r"a\.jpg.*damaged or incomplete"):
        read_image(path, lazy=True)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_images_beyond_the_limit_of_pillow_are_accepted(tmp_path, name, monkeypatch):
    write_image(tmp_path / name, PIXELS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(tmp_path / name).shape == (5, 7)


@pytest.mark.parametrize(
    ("kind", "options"), [("L", {}), ("L", {"transparency": 3}), ("1", {}), ("P", {}), ("P", {"transparency": 3}),
                          ("P", {"bits": 2}), ("LA", {}), ("RGB", {}), ("RGB", {"transparency": (1, 2, 3)}),
                          ("RGBA", {})],
    ids=str,
)  # fmt: skip
def test_the_header_of_a_png_tells_the_decoded_shape(tmp_path, kind, options):
    picture = Image.fromarray(PIXELS % 4 if "bits" in options else PIXELS).convert(kind)
    picture.save(tmp_path / "a.png", **options)
    image = read_image(tmp_path / "a.png", lazy=True)
    assert image.data[...].shape == image.shape


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_header_of_a_jpeg_tells_the_upright_shape(tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif)
    image = read_image(tmp_path / "a.jpg", lazy=True)
    assert image.data[...].shape == image.shape == ((7, 5) if turn > 4 else (5, 7))


@pytest.mark.parametrize("name", ["a.npy", "a.tif"])
def test_a_file_that_shrinks_while_it_is_read_is_an_error_not_a_crash(tmp_path, name):
    path = tmp_path / name
    write_image(path, np.ones((4, 600, 700)), axes="TYX")
    with read_image(path, axes="TYX", lazy=True) as image:
        assert image.data[0].all()
        with path.open("rb+") as file:
            file.truncate(6_000_000)
        assert image.data[0, 5:9, ::2].all()
        with pytest.raises(ImageError, match=rf"{name}.*shorter"):
            image.data[3]


@pytest.mark.parametrize("kind", ["a.tif", "zlib.tif", "tiles.tif", "a.ome.zarr", "a.mrc", "a.fits", "a.asc"])
def test_a_file_that_shrinks_while_it_is_read_gives_an_error_or_what_it_held(tmp_path, kind):
    path = tmp_path / kind
    array = np.random.default_rng(0).integers(0, 200, (2, 90, 100)).astype(np.int16)
    if kind == "a.mrc":
        with pytest.importorskip("mrcfile").new(path) as file:
            file.set_data(array)
    elif kind == "a.fits":
        pytest.importorskip("astropy.io.fits").PrimaryHDU(array).writeto(path)
    elif kind == "a.asc":
        lines = "\n".join(" ".join(map(str, row)) for row in array[0])
        path.write_text(f"ncols 100\nnrows 90\nxllcorner 0\nyllcorner 0\ncellsize 1\n{lines}\n")
    elif kind in ("zlib.tif", "tiles.tif"):
        options = {"compression": "zlib"} if kind == "zlib.tif" else {"tile": (32, 32)}
        tifffile.imwrite(path, array, photometric="minisblack", **options)
    else:
        write_image(path, array, axes="ZYX")
    files = [path] if path.is_file() else [file for file in (path / "0").rglob("*") if file.suffix != ".json"]
    with read_image(path, lazy=True) as image:
        whole = image.data[...]
        for left in (0.9, 0.5, 0):
            for file in files:
                if file.is_file():
                    os.truncate(file, int(left * file.stat().st_size))
            try:
                np.testing.assert_array_equal(image.data[...], whole)  # It was read as a whole before.
                assert kind == "a.asc"
            except ImageError as error:
                assert kind in str(error)  # noqa: PT017


@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_of_a_raw_file_are_those_of_the_array(tmp_path, order, monkeypatch):
    monkeypatch.setattr("napari_rsmoe.io.raw._PIECE", 100)
    array = np.asarray(np.random.default_rng(0).integers(0, 255, (4, 3, 5, 6)).astype(">u2"), order=order)
    np.save(tmp_path / "a.npy", array)
    everything = slice(None)
    with read_image(tmp_path / "a.npy", axes="TCYX", lazy=True) as image:
        for index in (
            ..., 2, (1, 2), (-1, ..., 3), (everything, 1), (everything, everything, 2, slice(1, 4)),
            (slice(None, None, 2), slice(3, 0, -1)), (0, 1, 2, 3), (..., slice(5, 2, -2)), ([0, 2],), np.int64(3),
            (slice(2, 2), 0),
        ):  # fmt: skip
            np.testing.assert_array_equal(image.data[index], array[index])
        for index in (4, (0, 0, 0, 0, 0), (0, -4)):
            with pytest.raises(IndexError):
                image.data[index]


def test_numpy_headers_that_do_not_end_or_lie_are_an_error(tmp_path):
    path = tmp_path / "a.npy"
    for text in ("{'descr': '|u1', 'fortran_order': False, 'shape': (5, 7", "{'descr': '|u1'", "(((", "\0\0"):
        content = text.encode().ljust(117) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(content)) + content + bytes(35))
        with pytest.raises(ImageError, match=r"a\.npy"):
            read_image(path)
    for shape in ((5, 2**40), (-5, 7)):
        np.save(path, PIXELS)
        path.write_bytes(path.read_bytes().replace(b"(5, 7)", str(shape).encode()).replace(b" " * 12 + b"\n", b"\n"))
        with pytest.raises(ImageError, match=r"a\.npy"):
            read_image(path)


def test_only_files_beside_an_ome_tiff_are_drawn_in(tmp_path):
    (tmp_path / "set").mkdir()
    secret, path = tmp_path / "secret.ome.tif", tmp_path / "set" / "a.ome.tif"
    tifffile.imwrite(secret, PIXELS, ome=True, metadata={"axes": "YX"})
    with tifffile.TiffFile(secret) as tif:
        xml = tif.ome_metadata
    named = xml.replace('PlaneCount="1"/>', 'PlaneCount="1"><UUID FileName="NAME">urn:uuid:1</UUID></TiffData>')
    assert named != xml
    for name in ("../secret.ome.tif", str(secret), "link.ome.tif"):
        tifffile.imwrite(path, np.zeros_like(PIXELS), description=named.replace("NAME", name).encode(), metadata=None)
        (tmp_path / "set" / "link.ome.tif").unlink(missing_ok=True)
        (tmp_path / "set" / "link.ome.tif").symlink_to(secret)
        with pytest.raises(ImageError, match="outside its folder"):
            read_image(path)
        np.testing.assert_array_equal(read_image(path, allow_outside=True).numpy(), PIXELS)
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "a.ome.tif"  # A link to the image itself leads to its neighbours.
    moved.symlink_to(path)
    tifffile.imwrite(path, PIXELS, description=named.replace("NAME", "a.ome.tif").encode(), metadata=None)
    np.testing.assert_array_equal(read_image(moved).numpy(), PIXELS)


@pytest.mark.parametrize("what", ["zarr.json", "c/0/0"])
def test_links_out_of_a_zarr_store_are_not_followed(tmp_path, what):
    path, outside = tmp_path / "a.zarr", tmp_path / "outside"
    write_image(path, PIXELS)
    inner = path / "0" / what
    inner.rename(outside)
    inner.symlink_to(outside)
    with pytest.raises(ImageError, match="outside its folder"):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, allow_outside=True).numpy(), PIXELS)
    whole = tmp_path / "link.zarr"  # A link to the store as a whole is the user's own.
    inner.unlink()
    outside.rename(inner)
    whole.symlink_to(path)
    np.testing.assert_array_equal(read_image(whole).numpy(), PIXELS)


def test_a_zarr_store_with_huge_chunks_is_described_but_not_read(tmp_path):
    path = tmp_path / "a.zarr"
    write_image(path, PIXELS)
    file = path / "0" / "zarr.json"
    metadata = json.loads(file.read_text())
    metadata["chunk_grid"]["configuration"]["chunk_shape"] = [2**20, 2**20]
    file.write_text(json.dumps(metadata))
    image = read_image(path, lazy=True)
    assert image.shape == (5, 7)
    with pytest.raises(NotEnoughMemoryError):
        image.data[...]


def test_sizes_are_exact_beyond_64_bits():
    assert sizes.array_bytes((2**40, 2**40), np.float64) == 2**83
    with pytest.raises(ImageError):
        sizes.check_stored((2**40, 2**40), np.float64, 2**62)


def frame_of(size):
    """A Zstandard frame that declares a size of its content and holds a few zeros."""
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size) + b"\x01\x00\x00"


BOMB = bytes(2**22)
BOMBS = {
    "zstd, as declared": (frame_of(10**12), {"id": "zstd", "level": 0}),
    # Blocks of one repeated byte, each of 128 kB.
    "zstd, of unknown size": (
        b"\x28\xb5\x2f\xfd\x00\x88" + (struct.pack("<I", 2**17 << 3 | 2)[:3] + b"\0") * 40 + b"\x01\x00\x00",
        {"id": "zstd", "level": 0},
    ),
    "gzip": (gzip.compress(BOMB) + gzip.compress(BOMB), {"id": "gzip", "level": 1}),
    "zlib": (zlib.compress(BOMB), {"id": "zlib", "level": 1}),
    "bz2": (bz2.compress(BOMB), {"id": "bz2", "level": 1}),
    "xz": (lzma.compress(BOMB), {"id": "lzma"}),
    "lz4": (struct.pack("<I", 2**31 - 1) + bytes(9), {"id": "lz4"}),
    "blosc": (
        b"\x02\x01\x01\x01" + struct.pack("<III", 2**31 - 1, 2**20, 25) + bytes(9),
        {"id": "blosc", "cname": "lz4", "clevel": 1, "shuffle": 1},
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_chunk_that_decodes_to_far_more_than_it_should_is_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(zarr_store, "_HARMLESS", 2**20)
    content, codec = BOMBS[kind]
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(5, 7), chunks=(5, 7), dtype="u1", zarr_format=2, compressors=None)
    array[:] = PIXELS
    facts = json.loads((path / ".zarray").read_text()) | {"compressor": codec}
    (path / ".zarray").write_text(json.dumps(facts))
    (path / "0.0").write_bytes(content)
    for lazy in (False, True):
        with pytest.raises(ImageError, match="decodes to more than 1 MiB, far more than a chunk of this array"):
            read_image(path, lazy=lazy).data[...]


def test_chunks_of_every_codec_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_store, "_HARMLESS", 1)
    for number, codec in enumerate((numcodecs.Zstd(), numcodecs.GZip(), numcodecs.Zlib(), numcodecs.BZ2(),
                                    numcodecs.LZMA(), numcodecs.LZ4(), numcodecs.Blosc())):  # fmt: skip
        path = tmp_path / f"{number}.zarr"
        zarr.create_array(path, shape=(5, 7), chunks=(3, 4), dtype="u1", zarr_format=2, compressors=codec)[:] = PIXELS
        np.testing.assert_array_equal(read_image(path).numpy(), PIXELS)
