"""Parameters that several functions share."""

from __future__ import annotations

from ... import ranges
from ..kinds.choices import Choice, Flag
from ..kinds.numbers import FloatParameter, IntParameter, NoiseParameter
from ..kinds.parameter import Automatic, Parameter
from ..kinds.texts import Folder, Size

SEED = IntParameter(
    name="seed",
    label="Seed",
    help="The same seed gives the same result, whatever the number of threads.",
    default=0,
    advanced=True,
    **ranges.SEED.ends,
)
DEVICE = Choice(
    name="device",
    label="Device",
    help="Where to compute. auto uses CUDA if it works, else the CPU.",
    default="auto",
    choices=("auto", "cpu", "cuda"),
    advanced=True,
)
MEMORY = Size(
    name="memory",
    label="Memory",
    help="Memory that a job may take at its peak, such as 500M or 4G. An image that would take more is "
    "denoised in blocks; any other job that would take more is refused before it begins, with what it would take.",
    default=None,
    automatic=Automatic(None, "half of what is free"),
    advanced=True,
)
BLOCK = IntParameter(
    name="block",
    label="Blocks",
    help="Side in pixels of the blocks in which an image is worked on. By default an image that fits the memory is "
    "worked on as a whole, and a larger one in the largest blocks that fit.",
    default="auto",
    automatic=Automatic("auto", "as the memory allows"),
    **ranges.BLOCK.ends,
    step=128,
    first=2048,
    advanced=True,
    excludes=("checkpoint",),
)
STARTS = ("segmentation", "content", "random")
SEGMENTATION = ("start", "segmentation")
THRESHOLD = FloatParameter(
    name="threshold",
    label="Segmentation threshold",
    help="Largest step of colour within a segment, where the range of the image is 0 to 255: below it regions merge "
    "into one segment, above it they stay apart. For the start by segmentation.",
    default=None,
    automatic=Automatic(None, "20"),
    **ranges.THRESHOLD.ends,
    decimals=1,
    first=20,
    advanced=True,
    only_with=SEGMENTATION,
)
ALLOCATION = Choice(
    name="allocation",
    label="Kernels per segment",
    help="How kernels are allocated to segments: in proportion to the content (gradients) or the area of each, or, as "
    "in the paper, the same number to each. For the start by segmentation.",
    default=None,
    automatic=Automatic(None, "content"),
    choices=("content", "area", "paper"),
    advanced=True,
    only_with=SEGMENTATION,
    former_flags=("--allotment",),
)
CHECKPOINT = Folder(
    name="checkpoint",
    label="Checkpoint",
    help="Folder that keeps each model when it is finished. The same job with the same folder then continues where "
    "it was interrupted, with the same result.",
    default=None,
    automatic=Automatic(None, "off"),
    advanced=True,
    remembered=False,
)
SHARPEN = FloatParameter(
    name="sharpen",
    label="Sharpen",
    help="Factor by which kernels shrink before they are drawn. Above 1 edges get sharper, below 1 softer.",
    default=1.0,
    **ranges.SHARPEN.ends,
    step=0.05,
    slider=(0.2, 5.0),
)


def _limit(name: str, label: str, which: str, first: float) -> FloatParameter:
    """A value of the image beyond which pixels are left out."""
    return FloatParameter(
        name=name,
        label=label,
        help=f"Leave out pixels that have {which} this value in any channel, in the units of the image.",
        default=None,
        automatic=Automatic(None, "off"),
        **ranges.VALUE.ends,
        decimals=4,
        first=first,
        advanced=True,
    )


LEFT_OUT: tuple[Parameter, ...] = (
    Flag(
        name="ignore_nan",
        label="Leave out NaN",
        help="Leave out pixels that are NaN or infinite. By default such pixels are an error.",
        default=False,
        advanced=True,
    ),
    _limit("saturation", "Saturation", "at least", 255),
    _limit("below", "Leave out below", "less than", 0),
    _limit("above", "Leave out above", "more than", 255),
    FloatParameter(
        name="nodata",
        label="Missing data",
        help="Value of pixels without data, which are left out and keep it. By default the value that the file names, "
        "or one that is customary, such as -32768, -9999 or -3.4e38, if it lies far from all others. On the command "
        "line and in Python it may be nan.",
        default="auto",
        automatic=Automatic("auto", "as the file says"),
        **ranges.NODATA.ends,
        decimals=4,
        first=-9999,
        advanced=True,
    ),
    Choice(
        name="defects",
        label="Hot and dead pixels",
        help="What becomes of single pixels far from everything around them. auto finds them, reports them, and "
        "replaces them by their surroundings; keep treats them like all others.",
        default="auto",
        choices=("auto", "keep"),
        advanced=True,
    ),
)
"""Pixels that every job leaves out."""
NOISE = NoiseParameter(
    name="noise",
    label="Noise level",
    help="Standard deviation of the noise in the units of the image, or gain, offset and read noise of a camera as "
    "GAIN,OFFSET,READ. By default the noise is estimated from the image.",
    default="auto",
    automatic=Automatic("auto", "estimate"),
)
DTYPE = Choice(
    name="dtype",
    label="Data type",
    help="Data type of the result. same keeps that of the image, and says so if rounding to integers costs more than a "
    "tenth of the error; auto then takes float32; float32 never rounds.",
    default="same",
    choices=("same", "auto", "float32"),
    advanced=True,
)
DATA_RANGE = FloatParameter(
    name="data_range",
    label="Data range",
    help="Range of values that a PSNR in dB refers to, in the units of the image. By default that of the signal "
    "without a few extreme pixels; 255 for 8-bit images that fill at least half of it.",
    default=None,
    automatic=Automatic(None, "of the signal"),
    **ranges.DATA_RANGE.ends,
    decimals=4,
    first=255,
    advanced=True,
)
