import numpy as np
import pytest
import tifffile
import zarr
from io_helpers import SIZES, same_sizes
from PIL import Image

from napari_rsmoe.errors import ImageError
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.units import PixelSize
from napari_rsmoe.io.writing import write_image

# ---------------------------------------------------------------------------------------------- TIFF


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_any_byte_order(tmp_path, order, compression, lazy):
    pixels = np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, byteorder=order, compression=compression, metadata={"axes": "ZYX"})
    with read_image(path, lazy=lazy) as image:
        assert image.axes == "ZYX"
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image.data[1], pixels[1])
        np.testing.assert_array_equal(image.numpy(), pixels)


def test_tiff_flavours(tmp_path):
    stack = np.zeros((2, 3, 8, 9), np.uint16)
    for name, image in {
        "imagej.tif": ImageFile(stack, "ZCYX", SIZES, channel_names=("red", "green", "blue")),
        "ome.ome.tif": ImageFile(stack, "ZCYX", SIZES, name="cells", channel_names=("red", "green", "blue")),
        "plain.tif": ImageFile(stack.astype(np.float64), "ZCYX", SIZES, channel_names=("red", "green", "blue")),
    }.items():
        write_image(tmp_path / name, image)
        back = read_image(tmp_path / name)
        assert back.channel_names == image.channel_names
        assert back.axes == "ZCYX"
        with tifffile.TiffFile(tmp_path / name) as tif:
            assert tif.is_imagej == (name == "imagej.tif")
            assert tif.is_ome == (name == "ome.ome.tif")
    assert read_image(tmp_path / "ome.ome.tif").name == "cells"
    with tifffile.TiffFile(tmp_path / "imagej.tif") as tif:
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.imagej_metadata["spacing"] == 1.5
        assert tif.imagej_metadata["slices"] == 2


def test_names_of_channels_that_become_colours_are_dropped(tmp_path):
    image = ImageFile(np.zeros((8, 9, 3), np.uint8), "YXC", channel_names=("a", "b", "c"))
    for name in ("a.tif", "a.ome.tif"):
        write_image(tmp_path / name, image)
        back = read_image(tmp_path / name)
        assert (back.axes, back.channel_names) == ("YXS", ())
    write_image(tmp_path / "a.ome.zarr", image)
    assert read_image(tmp_path / "a.ome.zarr").channel_names == ("a", "b", "c")
    assert ImageFile(np.zeros((3, 8, 9)), "CYX", channel_names=("only one",)).channel_names == ()


def test_resolution_tags_are_print_resolutions_unless_they_are_too_fine(tmp_path):
    path = tmp_path / "a.tif"
    for unit, fine in (("INCH", 254_000), ("CENTIMETER", 100_000)):
        tifffile.imwrite(path, np.zeros((8, 9), np.uint8), resolution=(300, 150), resolutionunit=unit)
        image = read_image(path)
        assert image.pixel_size == {}
        assert image.details.resolution == (300, 150, unit.lower())
        for name in ("b.tif", "b.ome.tif", "b.png", "b.jpg"):
            write_image(tmp_path / name, image, overwrite=True)
            x, y, kept = read_image(tmp_path / name).details.resolution
            factor = 2.54 if (kept, unit) == ("inch", "CENTIMETER") else 1
            assert (x / factor, y / factor) == pytest.approx((300, 150), rel=2e-3)
        tifffile.imwrite(path, np.zeros((8, 9), np.uint8), resolution=(fine, fine / 2), resolutionunit=unit)
        micron = "micrometer"
        same_sizes(read_image(path).pixel_size, {"X": PixelSize(0.1, micron), "Y": PixelSize(0.2, micron)})
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), resolution=(200, 100), resolutionunit="NONE")
    assert read_image(path).pixel_size == {}


def test_imagej_units_and_ome_defaults(tmp_path):
    path = tmp_path / "a.tif"
    metadata = {"unit": "\\u00B5m", "spacing": 2.0, "finterval": 0.5, "axes": "TZYX"}
    tifffile.imwrite(path, np.zeros((2, 3, 8, 9), np.uint8), imagej=True, resolution=(4, 5), metadata=metadata)
    micron = "micrometer"
    same_sizes(
        read_image(path).pixel_size,
        {
            "T": PixelSize(0.5, "second"),
            "Z": PixelSize(2, micron),
            "Y": PixelSize(0.2, micron),
            "X": PixelSize(0.25, micron),
        },
    )
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 40, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), ome=True, metadata={"axes": "YX", **sizes})
    same_sizes(read_image(path).pixel_size, {"X": PixelSize(0.5, micron), "Y": PixelSize(40, "nanometer")})


def test_colour_and_opacity_in_tiff(tmp_path):
    for axes, shape, alpha in (("YXS", (8, 9, 4), True), ("YXS", (8, 9, 4), False), ("YXS", (8, 9, 2), True)):
        pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
        write_image(tmp_path / "a.tif", ImageFile(pixels, axes, alpha=alpha, icc_profile=b"profile"))
        back = read_image(tmp_path / "a.tif")
        assert (back.axes, back.alpha, back.icc_profile) == (axes, alpha, b"profile")
        np.testing.assert_array_equal(back.data, pixels)


def test_stacks_are_stored_as_pages_and_short_last_channels_as_colour(tmp_path):
    write_image(tmp_path / "a.tif", np.zeros((8, 9, 3), np.float32), axes="YXC")
    assert read_image(tmp_path / "a.tif").axes == "YXS"
    write_image(tmp_path / "a.tif", np.zeros((8, 9, 6), np.float32), axes="YXC")
    assert read_image(tmp_path / "a.tif").axes == "CYX"


def test_notes_on_tiff_files_that_hold_more(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), metadata=None)
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8), append=True, metadata=None)
    image = read_image(path)
    assert image.shape == (8, 9)
    assert "2 images" in image.notes[0]
    table = np.random.default_rng(0).integers(0, 255, (3, 256), np.uint16)
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), photometric="palette", colormap=table)
    assert "colour table" in read_image(path).notes[0]
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), photometric="miniswhite")
    assert "0 stands for white" in read_image(path).notes[0]


def test_unknown_axes_of_a_tiff_get_a_letter_each(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 3, 8, 9), np.uint8), photometric="minisblack")
    image = read_image(tmp_path / "a.tif")
    assert image.axes.endswith("YX")
    assert len(set(image.axes)) == 4
    assert read_image(tmp_path / "a.tif", axes="tzyx").axes == "TZYX"
    with pytest.raises(ImageError, match=r"a\.tif.*4 letters"):
        read_image(tmp_path / "a.tif", axes="ZYX")


def test_a_plane_that_an_ome_tiff_lacks_is_an_error(tmp_path):
    path = tmp_path / "a.ome.tif"
    write_image(path, ImageFile(np.ones((3, 8, 9), np.uint8), "TYX"))
    with tifffile.TiffFile(path, mode="r+") as tif:
        comment = tif.pages[0].tags["ImageDescription"]
        comment.overwrite(comment.value.replace('SizeT="3"', 'SizeT="5"'))
    with pytest.raises(ImageError, match="incomplete"):
        read_image(path)


# ---------------------------------------------------------------------------------------------- PNG, JPEG


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("shape", "alpha"), [((5, 6), 0), ((5, 6, 2), 1), ((5, 6, 3), 0), ((5, 6, 4), 1)])
def test_png_kinds(tmp_path, dtype, shape, alpha):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    image = ImageFile(pixels, "YXS"[: len(shape)], alpha=bool(alpha), icc_profile=b"colours")
    write_image(tmp_path / "a.png", image)
    back = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(back.data, pixels)
    assert (back.axes, back.alpha, back.icc_profile, back.dtype) == (image.axes, image.alpha, b"colours", dtype)
    with Image.open(tmp_path / "a.png") as other:  # another reader sees the same
        other.load()
        assert other.size == (6, 5)


@pytest.mark.parametrize(
    ("mode", "options", "shape"),
    [
        ("1", {}, (8, 9)),
        ("LA", {}, (8, 9, 2)),
        ("RGBA", {}, (8, 9, 4)),
    ],
)
def test_png_of_other_kinds(tmp_path, mode, options, shape):
    grey = Image.fromarray((np.arange(72).reshape(8, 9) * 3).astype(np.uint8))
    grey.convert(mode).save(tmp_path / "a.png", **options)
    image = read_image(tmp_path / "a.png")
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert image.alpha == (shape[2:] in ((2,), (4,)))
    if mode == "1":
        assert set(np.unique(image.data)) == {0, 255}


def test_channels_of_any_order_become_colour_in_png(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 5, 6), np.uint8)
    write_image(tmp_path / "a.png", pixels, axes="CYX")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, pixels.transpose(1, 2, 0))
    write_image(tmp_path / "a.png", pixels[:1, None], axes="CTYX")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, pixels[0])
    with pytest.raises(ImageError, match="channels, but the image has 2"):
        write_image(tmp_path / "a.png", pixels[:2], axes="CYX")


def test_jpeg(tmp_path):
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, 12:] = 200, 30, 90
    path = tmp_path / "a.jpg"
    write_image(path, ImageFile(pixels, "YXS", icc_profile=b"colours"))
    back = read_image(path)
    assert (back.axes, back.dtype, back.icc_profile) == ("YXS", np.uint8, b"colours")
    assert np.abs(back.data.astype(int) - pixels).max() <= 4
    write_image(path, pixels[..., 0])
    assert read_image(path).axes == "YX"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    sizes = []
    for quality in (20, 95, 100):
        write_image(path, noise, quality=quality)
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes)
    with pytest.raises(ValueError, match="1 to 100"):
        write_image(path, noise, quality=0)
    with pytest.raises(ImageError, match="opacity"):
        write_image(path, ImageFile(np.zeros((8, 9, 4), np.uint8), "YXS", alpha=True))


def test_jpeg_is_turned_upright_and_cmyk_converted(tmp_path):
    picture = Image.fromarray(np.repeat(np.arange(0, 240, 10, np.uint8)[None], 16, axis=0))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (24, 16)
    assert image.data[0, 8] < image.data[-1, 8]
    picture.convert("CMYK").save(tmp_path / "a.jpg")
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (16, 24, 3)
    assert "CMYK" in image.notes[0]


# ---------------------------------------------------------------------------------------------- NPY, Zarr


def test_npy_axes(tmp_path):
    for shape, axes in (((4, 5), "YX"), ((4, 5, 3), "YXC")):
        np.save(tmp_path / "a.npy", np.zeros(shape))
        assert read_image(tmp_path / "a.npy").axes == axes
    np.save(tmp_path / "a.npy", np.asfortranarray(np.arange(60.0).reshape(3, 4, 5)))
    with pytest.raises(ImageError, match=r"a\.npy.*--axes ZYX"):
        read_image(tmp_path / "a.npy")
    with read_image(tmp_path / "a.npy", axes="ZYX", lazy=True) as image:
        np.testing.assert_array_equal(image.data[2], np.arange(40.0, 60).reshape(4, 5))


def test_ome_zarr_metadata(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    pixels = np.random.default_rng(0).random((2, 3, 4, 8, 9)).astype(np.float32)
    write_image(path, ImageFile(pixels, "ZTCYX", SIZES, channel_names=("a", "b", "c", "d")))
    group = zarr.open_group(path, mode="r")
    metadata = group.attrs["ome"]
    (image,) = metadata["multiscales"]
    assert metadata["version"] == "0.5"
    assert [axis["name"] for axis in image["axes"]] == list("tczyx")
    assert [axis["type"] for axis in image["axes"]] == ["time", "channel", "space", "space", "space"]
    assert [axis.get("unit") for axis in image["axes"]] == ["second", None, *["micrometer"] * 3]
    (level,) = image["datasets"]
    assert level["coordinateTransformations"] == [{"type": "scale", "scale": [2.5, 1.0, 1.5, 0.25, 0.3]}]
    array = group[level["path"]]
    assert array.metadata.dimension_names == tuple("tczyx")
    np.testing.assert_array_equal(array[:], pixels.transpose(1, 2, 0, 3, 4))
    windows = [channel["window"] for channel in metadata["omero"]["channels"]]
    for k, window in enumerate(windows):
        assert (window["start"], window["end"]) == (pixels[:, :, k].min(), pixels[:, :, k].max())
    back = read_image(path)
    assert (back.axes, back.channel_names, back.name) == ("TCZYX", ("a", "b", "c", "d"), "")
    same_sizes(back.pixel_size, SIZES)


def test_an_older_ome_zarr_with_levels_of_any_name(tmp_path):
    path = tmp_path / "a.zarr"
    pixels = np.arange(2 * 8 * 9, dtype=">u2").reshape(2, 8, 9)
    group = zarr.create_group(path, zarr_format=2)
    for level, step in (("s0", 1), ("s1", 2)):
        part = pixels[:, ::step, ::step]
        group.create_array(level, shape=part.shape, dtype=part.dtype, chunks=part.shape)[...] = part
    axes = [{"name": "channel", "type": "channel"}, *({"name": n, "type": "space", "unit": "um"} for n in "yx")]
    scales = [[{"type": "scale", "scale": [1, 0.5 * step, 0.5 * step]}] for step in (1, 2)]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": axes,
            "datasets": [
                {"path": path, "coordinateTransformations": scale}
                for path, scale in zip(("s0", "s1"), scales, strict=True)
            ],
            "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 2]}],
        }
    ]
    image = read_image(path)
    assert (image.axes, image.kind) == ("CYX", "ome-zarr")
    np.testing.assert_array_equal(image.numpy(), pixels)
    same_sizes(image.pixel_size, {"Y": PixelSize(1, "micrometer"), "X": PixelSize(1, "micrometer")})


def test_plain_zarr_stays_plain(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((4, 5, 3), np.uint8))
    image = read_image(tmp_path / "a.zarr")
    assert (image.kind, image.axes) == ("zarr", "YXC")
    write_image(tmp_path / "b.zarr", image)
    assert isinstance(zarr.open(tmp_path / "b.zarr", mode="r"), zarr.Array)
    write_image(tmp_path / "b.ome.zarr", image)
    assert read_image(tmp_path / "b.ome.zarr").kind == "ome-zarr"
    zarr.create_array(tmp_path / "c.zarr", data=np.zeros((4, 5, 6), np.uint8))
    with pytest.raises(ImageError, match="--axes"):
        read_image(tmp_path / "c.zarr")


def test_a_collection_of_zarr_images_is_listed(tmp_path):
    zarr.create_group(tmp_path / "plate.zarr")
    write_image(tmp_path / "plate.zarr" / "field.zarr", np.zeros((4, 5), np.uint8))
    assert read_image(tmp_path / "plate.zarr").shape == (4, 5)
    write_image(tmp_path / "plate.zarr" / "other.zarr", np.zeros((4, 6), np.uint8))
    assert read_image(tmp_path / "plate.zarr", series=1).shape == (4, 6)
    with pytest.raises(ImageError, match=r"give the path of one of these: .*field\.zarr"):
        read_image(tmp_path / "plate.zarr")
    assert read_image(tmp_path / "plate.zarr" / "field.zarr" / "0").axes == "YX"  # a level by itself


def test_large_planes_are_cut_into_chunks(tmp_path):
    image = ImageFile(np.broadcast_to(np.uint8(7), (2, 1500, 1100)), "ZYX")
    write_image(tmp_path / "a.zarr", image)
    assert zarr.open_array(tmp_path / "a.zarr" / "0", mode="r").chunks == (1, 1024, 1024)
    assert (read_image(tmp_path / "a.zarr").numpy() == 7).all()


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif"])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_colour_tables_are_read_as_what_they_show(tmp_path, suffix, transparent, grey):
    indices = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    table = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    table = np.repeat(np.arange(256)[::-1, None], 3, 1).astype(np.uint8) if grey else table
    picture = Image.fromarray(indices, "P")
    picture.putpalette(table.ravel().tolist())
    transparent = transparent and suffix != "bmp"
    path = tmp_path / f"a.{suffix}"
    picture.save(path, **({"transparency": 5} if transparent else {}))
    image = read_image(path)
    shape = (12, 16, *([2] if grey and transparent else [] if grey else [3 + transparent]))
    assert (image.shape, image.alpha) == (shape, transparent)
    pixels = image.numpy()
    colours = pixels[..., :-1] if transparent else pixels
    seen = indices != 5 if transparent else np.ones(indices.shape, bool)
    expected = table[indices][..., 0] if grey else table[indices]
    np.testing.assert_array_equal(colours.reshape(expected.shape)[seen], expected[seen])
    if transparent:
        np.testing.assert_array_equal(pixels[..., -1] == 0, ~seen)


def test_a_grid_of_large_whole_numbers_and_one_with_nan(tmp_path):
    header = "ncols 2\nnrows 1\ncellsize 1\n"
    (tmp_path / "a.asc").write_text(header + "4000000000 7")
    (tmp_path / "b.asc").write_text(header + "nan 7")
    assert read_image(tmp_path / "a.asc").numpy().tolist() == [[4000000000, 7]]
    assert np.isnan(read_image(tmp_path / "b.asc").numpy()[0, 0])
