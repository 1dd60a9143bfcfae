"""Parameters of `fit`, and of `Model.render`."""

from __future__ import annotations

from ... import ranges
from ...fitting.settings import PRESETS, RENAMED_PRESETS
from ...io.formats import DTYPES
from ..kinds.choices import Choice, Flag
from ..kinds.numbers import FloatParameter, IntParameter, Numbers
from ..kinds.parameter import Automatic, Parameter
from .common import ALLOCATION, DATA_RANGE, DEVICE, DTYPE, LEFT_OUT, MEMORY, SEED, SHARPEN, STARTS, THRESHOLD

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
"""Of `napari_rsmoe.fit`, which returns a model. A model has no data type: it is chosen when the model is drawn, by
`Model.render`, so the function and the notebook widget, whose result is the model, do not have it."""
DRAWN: tuple[Parameter, ...] = (*FIT, DTYPE)
"""Of what fits an image and draws the model at once: ``napari-rsmoe fit``, the Files widget, and Fit in napari."""
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
        help=f"Data type of the output: {', '.join(DTYPES)}, or auto: that of the image that was fitted, or float32 "
        "where rounding to integers costs more than a tenth of the error. Integers are rounded.",
        default=None,
        automatic=Automatic(None, "that of the image that was fitted"),
        choices=("auto", *DTYPES),
        what="TYPE",
    ),
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.Model.render`."""
