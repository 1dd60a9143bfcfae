"""How image files are read and written."""

from __future__ import annotations

from ... import ranges
from ...io.formats import FORMATS, JPEG_QUALITY
from ..kinds.choices import Choice, Flag
from ..kinds.numbers import IntParameter
from ..kinds.parameter import Automatic, Parameter
from ..kinds.texts import Axes, Text

MASK = Text(
    name="mask",
    label="Leave out",
    help="An image of the size of a plane, or of all planes: pixels where it is not 0 are left out, such as dead "
    "pixels and gaps.",
    default=None,
    automatic=Automatic(None, "nothing"),
    what="FILE",
)
"""Pixels to be left out: labels in napari, an array in notebooks, a file on the command line."""
AXES = Axes(
    name="axes",
    label="Axes",
    help="One letter for each axis, such as ZYX or TCYX, if the file does not declare its axes or means others. Y and "
    "X span a plane, C and S are its channels, and any other axis is iterated over.",
    default=None,
    automatic=Automatic(None, "those of the file"),
)
SERIES = Text(
    name="series",
    label="Series",
    help="Number or title of the image in a file that holds several, such as positions or scenes; "
    "`napari-rsmoe info` lists them.",
    default=None,
    automatic=Automatic(None, "the first that is no thumbnail"),
    what="NUMBER|TITLE",
)
ALLOW_INCOMPLETE = Flag(
    name="allow_incomplete",
    label="Incomplete files",
    help="Read a TIFF file in which planes are missing as far as it goes. By default it is refused.",
    default=False,
)
ALLOW_OUTSIDE = Flag(
    name="allow_outside",
    label="Files elsewhere",
    help="Follow file names and links inside the input that lead out of its folder. By default they are refused.",
    default=False,
)
INDEPENDENT_CHANNELS = Flag(
    name="independent_channels",
    label="Independent channels",
    help="Treat each channel as an image of its own. By default the channels of a plane share kernels.",
    default=False,
)
FORMAT = Choice(
    name="format",
    label="Format",
    help=f"Format of the files in an output folder: {', '.join(FORMATS)}.",
    default=None,
    automatic=Automatic(None, "that of each input"),
    choices=FORMATS,
    what="SUFFIX",
)
QUALITY = IntParameter(
    name="quality", label="JPEG quality", help="Quality of JPEG files.", default=JPEG_QUALITY, **ranges.QUALITY.ends
)
OVERWRITE = Flag(
    name="overwrite",
    label="Overwrite",
    help="Replace existing files. By default only files are replaced that the same verb made from the same INPUT, and "
    "that were not changed since.",
    default=False,
)
"""For everything that writes files."""
FILES: tuple[Parameter, ...] = (
    AXES,
    SERIES,
    ALLOW_INCOMPLETE,
    ALLOW_OUTSIDE,
    INDEPENDENT_CHANNELS,
    FORMAT,
    QUALITY,
    OVERWRITE,
)
"""How the command line reads and writes images."""
