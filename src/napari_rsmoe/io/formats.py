"""Suffixes of the supported formats, and how to recognise image files and Zarr stores."""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageError, WrongUseError

SUFFIXES = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".npy": "npy",
    ".zarr": "zarr",
}
"""Suffixes of the formats that are read and written, and their kinds."""
READ_ONLY = {
    ".bmp": "bmp",
    ".gif": "gif",
    ".webp": "webp",
    ".asc": "asc",
    ".lsm": "tiff",
    ".stk": "tiff",
    ".svs": "tiff",
    ".ndpi": "tiff",
    ".czi": "czi",
    ".nd2": "nd2",
    ".lif": "lif",
    ".mrc": "mrc",
    ".map": "mrc",
    ".rec": "mrc",
    ".st": "mrc",
    ".fits": "fits",
    ".fit": "fits",
    ".fts": "fits",
    ".dcm": "dicom",
}
"""Suffixes of the formats that are only read."""
READABLE = SUFFIXES | READ_ONLY
AS_A_WHOLE = ("png", "jpeg", "npy", "bmp", "gif", "webp", "asc", "dicom")
"""Kinds of files that are written as a whole, with their size at the beginning, to which nothing is appended."""
COMPANION = ".companion.ome"
"""End of the names of files that describe an OME-TIFF set."""
IN_EXTRA = ("czi", "nd2", "lif", "mrc", "fits", "dicom")
"""Kinds whose libraries come with the extra ``formats``."""
KINDS = ("tiff", "png", "jpeg", "npy", "ome-zarr", "zarr", "bmp", "gif", "webp", "asc", *IN_EXTRA)
FORMATS = ("tif", "ome.tif", "png", "jpg", "npy", "zarr", "ome.zarr")
"""Suffixes without the dot, one for each format that can be written."""
DTYPES = (
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64"),
)
"""Data types of pixels."""
JPEG_QUALITY = 95
"""From 1 (smallest file) to 100 (best quality); at 95, artefacts are hardly visible."""
ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")


def is_store(path: Path) -> bool:
    """Whether `path` is a Zarr store, or a group or array inside one."""
    return path.is_dir() and any((path / marker).is_file() for marker in ZARR_MARKERS)


def is_image_path(path: Path) -> bool:
    """Whether `path` is an image to read: not hidden, with a supported suffix, and a file or Zarr store."""
    if path.name.startswith(".") or path.suffix.lower() not in READABLE:
        return False
    if path.suffix.lower() == ".zarr":
        return is_store(path)
    kind = READABLE[path.suffix.lower()]
    # Other programs use the suffixes of MRC, FITS and grids too.
    return path.is_file() and (kind not in ("mrc", "fits", "asc") or kind_of_content(path) == kind)


def kind_to_write(path: Path) -> str:
    """The kind of a file to be written, by its suffix.

    Raises
    ------
    ImageError
        If no format that is written has the suffix.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        reason = "a format that is only read" if path.suffix.lower() in READ_ONLY else "so its format is unknown"
        raise ImageError(f"{path} has {given}, {reason}; accepted are {', '.join(SUFFIXES)}.")
    return kind


# First bytes of files, and their kinds; kinds in capitals are those of no format that is read here.
_SIGNATURES = (
    (0, b"\x89PNG", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"II+\0", "tiff"),
    (0, b"MM\0+", "tiff"),
    (0, b"\x93NUMPY", "npy"),
    (8, b"WEBP", "webp"),
    (0, b"BM", "bmp"),
    (0, b"ZISRAWFILE", "czi"),
    (0, b"\xda\xce\xbe\x0a", "nd2"),
    (208, b"MAP ", "mrc"),
    (0, b"SIMPLE  =", "fits"),
    (128, b"DICM", "dicom"),
    (0, b"ncols", "asc"),
    (0, b"NCOLS", "asc"),
    (0, b"nrows", "asc"),
    (0, b"GIF8", "gif"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"<", "XML or HTML"),
)
_LONGEST_SIGNATURE = 256  # Bytes from the start of a file that hold all signatures.


def kind_of_content(path: Path) -> str:
    """The kind of a file by its first bytes, in capitals if it is no kind that is read; empty if they are unknown."""
    with path.open("rb") as file:
        start = file.read(_LONGEST_SIGNATURE)
    return next((kind for at, mark, kind in _SIGNATURES if start[at : at + len(mark)] == mark), "")


def kind_to_read(path: Path) -> tuple[str, str]:
    """The kind of a file by its content, or by its suffix if the content has no mark; a note if they differ.

    Raises
    ------
    WrongUseError
        If neither tells.
    ImageError
        If the content is of a format that is not read.
    """
    named = READABLE.get(path.suffix.lower(), "")
    if path.is_dir():
        return "zarr", ""
    real = "tiff" if path.name.lower().endswith(COMPANION) else kind_of_content(path)
    if real in ("", named):
        if not named:
            given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
            raise WrongUseError(f"{path} has {given}, so its format is unknown; accepted are {', '.join(READABLE)}.")
        return named, ""
    if not real.islower():
        raise ImageError(f"{path} is {'an' if real[0] in 'HX' else 'a'} {real} file, which is not read here.")
    return real, f"it is really a {real.upper()} file and is read as such" if named else f"it is a {real.upper()} file"


def check_may_grow(path: Path) -> None:
    """Check that frames may be added to `path`: a folder, a Zarr store, a stack, or what is not there yet.

    Raises
    ------
    WrongUseError
        If it is a file that is written as a whole, or of an unknown format.
    """
    kind = kind_to_read(path)[0] if path.exists() else READABLE.get(path.suffix.lower())
    if kind in AS_A_WHOLE:
        raise WrongUseError(
            f"{path} cannot be followed, because {kind.upper()} files are written as a whole and do not grow. A folder "
            "to which a file is written for each frame can be followed, and so can a TIFF file or a Zarr array that "
            "grows. A file that is complete is denoised without --follow."
        )
