"""The parameters of each function in one place: names, kinds, ranges, defaults and help, for every front end.

The forms in napari and in notebooks, the options of the command line and the calls that are copied as text are all made
from these tables. `name` is the keyword of the function in the public API, so that ``denoise(image,
**values(DENOISE))`` runs with the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ranges
from ..fitting.settings import PRESETS, RENAMED_PRESETS
from ..io.formats import DTYPES, FORMATS, JPEG_QUALITY
from ..renamed import current_keywords
from .kinds import (
    Automatic,
    Axes,
    Choice,
    Flag,
    FloatParameter,
    Folder,
    IntParameter,
    NoiseParameter,
    Numbers,
    Output,
    Parameter,
    Size,
    Text,
)

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

LEFT_OUT: tuple[Parameter, ...] = (
    Flag(
        name="ignore_nan",
        label="Leave out NaN",
        help="Leave out pixels that are NaN or infinite. By default such pixels are an error.",
        default=False,
        advanced=True,
    ),
    FloatParameter(
        name="saturation",
        label="Saturation",
        help="Leave out pixels that have at least this value in any channel, in the units of the image.",
        default=None,
        automatic=Automatic(None, "off"),
        **ranges.VALUE.ends,
        decimals=4,
        first=255,
        advanced=True,
    ),
    FloatParameter(
        name="below",
        label="Leave out below",
        help="Leave out pixels that have less than this value in any channel, in the units of the image.",
        default=None,
        automatic=Automatic(None, "off"),
        **ranges.VALUE.ends,
        decimals=4,
        first=0,
        advanced=True,
    ),
    FloatParameter(
        name="above",
        label="Leave out above",
        help="Leave out pixels that have more than this value in any channel, in the units of the image.",
        default=None,
        automatic=Automatic(None, "off"),
        **ranges.VALUE.ends,
        decimals=4,
        first=255,
        advanced=True,
    ),
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

PLANE: tuple[Parameter, ...] = (
    Choice(
        name="preset",
        label="Quality",
        help="How many models are fitted and for how long: 4, 8 or 16 models, of 40, 55 or 100 steps.",
        default="balanced",
        choices=("fast", "balanced", "best"),
    ),
    NoiseParameter(
        name="noise",
        label="Noise level",
        help="Standard deviation of the noise in the units of the image, or gain, offset and read noise of a camera as "
        "GAIN,OFFSET,READ. By default the noise is estimated from the image.",
        default="auto",
        automatic=Automatic("auto", "estimate"),
    ),
    FloatParameter(
        name="noise_factor",
        label="Noise factor",
        help="Factor of the noise, estimated or given, that is taken away: below 1 more texture and more noise are "
        "left, above 1 fewer.",
        default=1.0,
        **ranges.NOISE_FACTOR.ends,
        step=0.1,
        decimals=3,
        advanced=True,
    ),
    IntParameter(
        name="models",
        label="Models",
        help="How many models are fitted and fused. More give a smoother result and take longer; a single model has "
        "no uncertainty. By default the preset decides.",
        default="auto",
        automatic=Automatic("auto", "set by Quality"),
        **ranges.MODELS.ends,
        first=20,
    ),
    IntParameter(
        name="n_kernels",
        label="Kernels per model",
        help="How many kernels each model has. By default models of several counts are fitted, and each place of the "
        "image takes the counts with the lowest expected error.",
        default="auto",
        automatic=Automatic("auto", "several counts"),
        **ranges.KERNELS.ends,
        step=100,
        first=1000,
        advanced=True,
        former_flags=("--kernels",),
    ),
    Choice(
        name="start",
        label="Start",
        help="How kernels are initialised: dense where the image has content, from a segmentation, or at random.",
        default="content",
        choices=STARTS,
        advanced=True,
    ),
    THRESHOLD,
    ALLOCATION,
    *LEFT_OUT,
    Flag(
        name="fill",
        label="Fill in",
        help="Fill in pixels that are left out from their surroundings. Otherwise they keep their values.",
        default=True,
        advanced=True,
    ),
    DTYPE,
    SEED,
    DEVICE,
    MEMORY,
    BLOCK,
)
"""How `napari_rsmoe.denoise` treats a plane."""

DENOISE = (*PLANE, CHECKPOINT)
"""Of `napari_rsmoe.denoise`."""

STACK: tuple[Parameter, ...] = (
    Choice(
        name="along",
        label="Neighbours along",
        help="Axis along which the planes of a stack are neighbours. By default T, else Z, else the first axis that is "
        "iterated over.",
        default=None,
        automatic=Automatic(None, "T, else Z, else the first"),
        choices=tuple("TZQPRUVWABDEFGHIJKLMNO"),
        what="LETTER",
        advanced=True,
    ),
    Flag(
        name="warm_start",
        label="Warm start",
        help="Begin each plane with the kernels of the plane before, moved along with what they show, and take half "
        "the steps. Kernel k of a model then follows the same structure through all planes.",
        default=True,
        advanced=True,
    ),
    IntParameter(
        name="average",
        label="Neighbouring planes",
        help="How many planes before and after each plane help it: along the motion between them they are averaged "
        "with it, where they show the same. By default the preset decides: fast takes 1, balanced 2, best 3.",
        default="auto",
        automatic=Automatic("auto", "set by Quality"),
        **ranges.AVERAGE.ends,
        first=2,
    ),
    CHECKPOINT,
)
"""What `napari_rsmoe.denoise_stack` takes besides `PLANE`: how the planes of a stack help each other."""

STEPS = ", ".join(f"{name} takes {PRESETS[name].iterations} steps" for name in ("fast", "balanced", "best"))
FIT: tuple[Parameter, ...] = (
    IntParameter(
        name="n_kernels",
        label="Kernels",
        help="How many kernels each plane gets: more show finer detail and take longer. By default as many as are "
        "expected to reach 32 dB.",
        default="auto",
        automatic=Automatic("auto", "for 32 dB"),
        **ranges.KERNELS.ends,
        step=100,
        first=2000,
        excludes=("psnr",),
        former_flags=("--kernels",),
    ),
    FloatParameter(
        name="psnr",
        label="Target PSNR",
        help="Use as few kernels as reach this peak signal-to-noise ratio, in dB. This takes several fits.",
        default=None,
        automatic=Automatic(None, "off"),
        **ranges.PSNR.ends,
        unit="dB",
        first=32,
        excludes=("n_kernels", "time"),
    ),
    FloatParameter(
        name="time",
        label="Time",
        help="Take as many steps as fit into this many seconds, for each plane. The result then depends on the speed "
        "of the machine.",
        default=None,
        automatic=Automatic(None, "off"),
        **ranges.TIME.ends,
        unit="s",
        first=5,
        excludes=("psnr", "iterations"),
    ),
    DATA_RANGE,
    Choice(
        name="preset",
        label="Quality",
        help=f"How long to fit: {STEPS}. upscale suits drawing at a larger size; paper repeats the published "
        "experiments.",
        default="balanced",
        choices=tuple(PRESETS),
        renamed=RENAMED_PRESETS,
    ),
    Choice(
        name="experts",
        label="Colour of a kernel",
        help="One colour for each kernel, or a colour that changes linearly across it, which needs fewer kernels on "
        "smooth shading.",
        default="constant",
        choices=("constant", "linear"),
        advanced=True,
    ),
    Choice(
        name="start",
        label="Start",
        help="How kernels are initialised: from a segmentation, dense where the image has content, or at random.",
        default=None,
        automatic=Automatic(None, "set by Quality", lambda given: PRESETS[given["preset"]].start),
        choices=STARTS,
        advanced=True,
    ),
    THRESHOLD,
    ALLOCATION,
    IntParameter(
        name="iterations",
        label="Steps",
        help="How many steps the optimiser takes.",
        default=None,
        automatic=Automatic(None, "set by Quality"),
        **ranges.ITERATIONS.ends,
        step=100,
        first=1000,
        advanced=True,
        excludes=("time",),
    ),
    Choice(
        name="mode",
        label="Gates",
        help="smoe: soft gates that sum to one at each pixel. rbf: a plain sum of Gaussians, for comparison.",
        default="smoe",
        choices=("smoe", "rbf"),
        advanced=True,
    ),
    Flag(
        name="rasterized",
        label="Rasterized",
        help="Each tile of 16 x 16 pixels evaluates only the kernels that matter to it. Otherwise every pixel "
        "evaluates all of them, which is exact and very slow.",
        default=True,
        advanced=True,
    ),
    *LEFT_OUT,
    SEED,
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.fit`."""

UPSCALE: tuple[Parameter, ...] = (
    FloatParameter(
        name="scale",
        label="Factor",
        help="Output pixels for each pixel of the image, along both Y and X; any positive number.",
        default=2.0,
        required=True,
        **ranges.SCALE.ends,
        step=0.5,
        decimals=3,
    ),
    SHARPEN,
    NoiseParameter(
        name="noise",
        label="Noise level",
        help="Standard deviation of the noise in the units of the image, or gain, offset and read noise of a camera as "
        "GAIN,OFFSET,READ. It is removed, not enlarged; 0 keeps it. By default the noise is estimated from the image.",
        default="auto",
        automatic=Automatic("auto", "estimate"),
    ),
    Choice(
        name="reduction",
        label="Pixels are",
        help="How the pixels came about: mean, the mean over their area as cameras measure it, or bicubic, by "
        "antialiased bicubic interpolation of a larger image as programs for photographs reduce it.",
        default="mean",
        choices=("mean", "bicubic"),
    ),
    Choice(
        name="preset",
        label="Quality",
        help="How many models are fitted and averaged, and how many rounds of refinement follow: 2, 4 or 8.",
        default="balanced",
        choices=("fast", "balanced", "best"),
    ),
    IntParameter(
        name="models",
        label="Models",
        help="How many models are fitted and averaged. More give a smoother result and take longer. By default the "
        "preset decides.",
        default="auto",
        automatic=Automatic("auto", "set by Quality"),
        **ranges.MODELS.ends,
        first=4,
    ),
    IntParameter(
        name="n_kernels",
        label="Kernels per model",
        help="How many kernels each model has. By default one for every 4 pixels, which keeps fine detail.",
        default=None,
        automatic=Automatic(None, "one for every 4 pixels"),
        **ranges.KERNELS.ends,
        step=1000,
        first=5000,
        advanced=True,
        former_flags=("--kernels",),
    ),
    IntParameter(
        name="iterations",
        label="Steps",
        help="How many steps the optimiser takes for each model.",
        default=None,
        automatic=Automatic(None, "50"),
        **ranges.ITERATIONS.ends,
        step=100,
        first=50,
        advanced=True,
    ),
    *LEFT_OUT,
    SEED,
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.upscale`."""

DEBLUR: tuple[Parameter, ...] = (
    Text(
        name="psf",
        label="Point spread",
        help="The blur: the standard deviation of a Gaussian in pixels; numerical aperture, wavelength and pixel size "
        "as NA,WAVELENGTH,PIXEL, the last two in the same unit; or an image file of a point.",
        default="",
        required=True,
        what="SIGMA|NA,WAVELENGTH,PIXEL|FILE",
    ),
    FloatParameter(
        name="scale",
        label="Factor",
        help="Output pixels for each pixel of the image, along both Y and X; any positive number.",
        default=1.0,
        **ranges.SCALE.ends,
        step=0.5,
        decimals=3,
    ),
    NoiseParameter(
        name="noise",
        label="Noise level",
        help="Standard deviation of the noise in the units of the image, or gain, offset and read noise of a camera as "
        "GAIN,OFFSET,READ. By default the noise is estimated from the image.",
        default="auto",
        automatic=Automatic("auto", "estimate"),
    ),
    Choice(
        name="preset",
        label="Quality",
        help="How many models are fitted through the blur and averaged: 2, 4 or 8.",
        default="balanced",
        choices=("fast", "balanced", "best"),
    ),
    *LEFT_OUT,
    SEED,
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.deblur`."""

RENDER: tuple[Parameter, ...] = (
    FloatParameter(
        name="scale",
        label="Factor",
        help="Output pixels for each pixel of the model, along both Y and X; any positive number.",
        default=None,
        automatic=Automatic(None, "1"),
        **ranges.SCALE.ends,
        step=0.5,
        decimals=3,
        first=2,
        excludes=("shape",),
    ),
    Numbers(
        name="shape",
        label="Size",
        help="Size of the output in pixels, instead of a factor.",
        default=None,
        automatic=Automatic(None, "from the factor"),
        parts=("HEIGHT", "WIDTH"),
        whole=True,
        excludes=("scale",),
    ),
    Numbers(
        name="region",
        label="Region",
        help="Part to draw, in pixels of the model; pixel i covers i to i + 1.",
        default=None,
        automatic=Automatic(None, "all"),
        parts=("Y0", "X0", "Y1", "X1"),
    ),
    SHARPEN,
    Choice(
        name="dtype",
        label="Data type",
        help=f"Data type of the output: {', '.join(DTYPES)}. Integers are rounded.",
        default=None,
        automatic=Automatic(None, "that of the image that was fitted"),
        choices=DTYPES,
        what="TYPE",
    ),
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.Model.render`."""

STD = Output(
    name="std",
    label="Uncertainty",
    help="The uncertainty of each pixel: one standard deviation of the error, in the units of the image, as float32.",
    dtype="float32",
)
RESIDUAL = Output(name="residual", label="Residual", help="The image minus the result, as float32.", dtype="float32")
OUTPUTS: dict[str, tuple[Output, ...]] = {
    "denoise": (
        Output(
            name="std",
            label="Uncertainty",
            help="The uncertainty of each pixel: one standard deviation of the error, in the units of the image, as "
            "float32.",
            shown=True,
            dtype="float32",
        ),
        RESIDUAL,
    ),
    "fit": (
        Output(
            name="model",
            label="Kernels",
            help="The kernels of the model, as a .rsmoe file or, in napari, as ellipses.",
            shown=True,
            suffix=".rsmoe",
        ),
        RESIDUAL,
    ),
    "deblur": (STD,),
    "upscale": (
        STD,
        Output(name="bicubic", label="Bicubic", help="The image enlarged by cubic interpolation, for comparison."),
    ),
}
"""Further results of a job, by its name: files on the command line, layers in napari."""

MASK = Text(
    name="mask",
    label="Leave out",
    help="An image of the size of a plane, or of all planes: pixels where it is not 0 are left out, such as dead "
    "pixels and gaps.",
    default=None,
    automatic=Automatic(None, "nothing"),
    what="FILE",
)
"""Pixels to be left out by `denoise`: labels in napari, an array in notebooks, a file on the command line."""
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
THREADS = IntParameter(
    name="threads",
    label="Threads",
    help="How many processor threads to use. The result does not depend on it.",
    default=None,
    automatic=Automatic(None, "all cores"),
    **ranges.THREADS.ends,
    first=4,
)
"""For every command that computes."""
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
CLUSTER = Text(
    name="cluster",
    label="Cluster",
    help="Denoise block by block on the workers of Dask: local (processes of this machine), slurm, pbs or lsf (jobs of "
    "a batch system), or the address of a scheduler, such as tcp://host:8786.",
    default=None,
    automatic=Automatic(None, "this process"),
    what="ADDRESS|local|slurm",
)
WORKERS = IntParameter(
    name="workers",
    label="Workers",
    help="How many processes or jobs of the cluster work. The result does not depend on it.",
    default=1,
    **ranges.WORKERS.ends,
)
STATUS = Flag(
    name="status",
    label="Status",
    help="Say how much of the job on OUTPUT is done and how long it will take, and do nothing else.",
    default=False,
)
OME_ZARR = Choice(
    name="ome_zarr",
    label="OME-Zarr",
    help="Version of OME-Zarr that is written block by block: 0.5 with shards, or 0.4 for older programs.",
    default="0.5",
    choices=("0.5", "0.4"),
    what="VERSION",
)
LARGE: tuple[Parameter, ...] = (CLUSTER, WORKERS, STATUS, OME_ZARR)
"""How the command line denoises images of any size."""
LOG_LEVEL = Choice(
    name="log_level",
    label="Messages",
    help="What is printed on stderr: debug (with the messages of libraries), info (what was found and decided), "
    "warning (what you should know), or error (failures only).",
    default="warning",
    choices=("debug", "info", "warning", "error"),
    what="LEVEL",
)
REPORT: tuple[Parameter, ...] = (
    Flag(name="json", label="JSON", help="Print one JSON object on stdout, all else on stderr.", default=False),
    Flag(
        name="quiet",
        label="Quiet",
        help="Print errors only, and no progress bar; the same as --log-level error.",
        default=False,
        short="q",
    ),
    Flag(
        name="verbose",
        label="Verbose",
        help="Say what was found and decided; the same as --log-level info.",
        default=False,
        short="v",
    ),
    LOG_LEVEL,
)
"""What the command line prints."""

PARAMETERS = {"denoise": DENOISE, "denoise_stack": (*PLANE, *STACK), "fit": FIT, "upscale": UPSCALE, "deblur": DEBLUR}
"""By the name of the function."""


def values(parameters: Sequence[Parameter], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All values, checked one by one and together: the given ones, and the defaults of the others.

    Raises
    ------
    ValueError
        For a name that is not among the parameters, a value that is not accepted, or values that exclude each other.
    """
    given = current_keywords(given or {})
    unknown = sorted(set(given) - {parameter.name for parameter in parameters})
    if unknown:
        raise ValueError(f"Unknown parameters: {', '.join(unknown)}.")
    checked = {p.name: p.check(given.get(p.name, p.default)) for p in parameters}
    check_together(parameters, checked, lambda parameter: parameter.label)
    return checked


def check_together(
    parameters: Sequence[Parameter], given: Mapping[str, Any], spell: Callable[[Parameter], str]
) -> None:
    """Refuse values that cannot be given together.

    Parameters
    ----------
    parameters : sequence of Parameter
        The table that the values belong to.
    given : mapping
        All values, as `check` returned them.
    spell : callable
        What the user calls a parameter.

    Raises
    ------
    ValueError
        If two of the values exclude each other, or one of them needs another that is not there.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    taken = [p for p in parameters if p.automatic is not None and not p.is_automatic(given[p.name])]
    for parameter in taken:
        for other in taken:
            if other.name in parameter.excludes:
                raise ValueError(f"{spell(parameter)} and {spell(other)} exclude each other: leave out one of them.")
        if parameter.only_with is not None and parameter.only_with[0] in by_name:
            needed, wanted = by_name[parameter.only_with[0]], parameter.only_with[1]
            found = resolved(needed, given)
            if found != wanted:
                raise ValueError(f"{spell(parameter)} is for {spell(needed)} {wanted}, not {found}.")


def resolved(parameter: Parameter, given: Mapping[str, Any]) -> Any:
    """The value of a parameter that the program will take, as far as it is known before the work."""
    value, automatic = given[parameter.name], parameter.automatic
    left_open = automatic is not None and parameter.is_automatic(value)
    return automatic.resolve(given) if automatic is not None and left_open and automatic.resolve is not None else value


def changed(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that differ from the defaults or have none, in the order of the parameters."""
    return {p.name: given[p.name] for p in parameters if p.name in given and (p.required or given[p.name] != p.default)}


def without(parameters: Sequence[Parameter], *names: str) -> tuple[Parameter, ...]:
    """The parameters but for some."""
    return tuple(parameter for parameter in parameters if parameter.name not in names)
