"""MRC and CCP4 maps of electron microscopy, by mrcfile."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ..image_file import ImageFile
from ..numbers import positive
from ..raw import RawArray
from ..reading import Reading
from ..units import PixelSize
from .frames import image_of, library, opened

_IMOD_AT, _IMOD_STAMP = 152, 1146047817  # Where IMOD marks its files, and the mark; bit 0 after it: bytes have a sign.
_HEADER = 1024  # Bytes; an extended header may follow.


def read(path: Path, how: Reading) -> ImageFile:
    """Read an MRC file: an image, a stack of images, or a volume."""
    mrcfile = library("mrcfile", "MRC")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(path, "MRC", lambda: mrcfile.open(path, header_only=True, permissive=True)) as file:
            header = file.header.copy()
            file.close()
            dtype = mrcfile.utils.data_dtype_from_header(header)
            if dtype == np.int8 and _unsigned_bytes(path, header):
                dtype = np.dtype(np.uint8)
            shape = mrcfile.utils.data_shape_from_header(header)
            if min(shape, default=0) <= 0:
                raise ImageError(f"{path} cannot be read as MRC: its header declares the shape {shape}.")
    axes = _axes(header, len(shape))
    if len(shape) == 3 and shape[0] == 1:
        shape, axes = shape[1:], axes[1:]
    pixels = RawArray(path, shape, dtype, _HEADER + int(header.nsymbt))
    return image_of(path, how, pixels, axes, pixels.close, kind="mrc", pixel_size=_sizes(header))


def _unsigned_bytes(path: Path, header: Any) -> bool:
    """Whether bytes have no sign, as the program IMOD marks the files that it wrote before 2013 and on request."""
    with path.open("rb") as file:
        start = file.read(_IMOD_AT + 8)
    stamp, flags = np.frombuffer(start[_IMOD_AT:], header.mode.dtype.newbyteorder("=").newbyteorder(
        header.mode.dtype.byteorder), 2)  # fmt: skip
    return int(stamp) == _IMOD_STAMP and not int(flags) & 1


def _axes(header: Any, ndim: int) -> str:
    """Images of a stack are iterated over as Q, the sections of a volume are Z."""
    if ndim == 2:
        return "YX"
    return {3: "ZYX" if int(header.ispg) != 0 else "QYX", 4: "QZYX"}[ndim]


def _sizes(header: Any) -> dict[str, PixelSize]:
    """The cell divided by its number of samples, in angstroms."""
    found = {}
    for axis, samples in (("X", header.mx), ("Y", header.my), ("Z", header.mz)):
        length, count = positive(header.cella[axis.lower()]), positive(samples)
        if length is not None and count is not None:
            found[axis] = PixelSize(length / count, "angstrom")
    return found
