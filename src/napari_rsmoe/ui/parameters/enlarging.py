"""Parameters of `upscale` and `deblur`."""

from __future__ import annotations

from dataclasses import replace

from ... import ranges
from ..kinds.choices import Choice
from ..kinds.numbers import FloatParameter, IntParameter, PointSpread
from ..kinds.parameter import Automatic, Parameter
from .common import DEVICE, DTYPE, LEFT_OUT, MEMORY, NOISE, SEED, SHARPEN

SCALE = FloatParameter(
    name="scale",
    label="Factor",
    help="Output pixels for each pixel of the image, along both Y and X; any positive number.",
    default=2.0,
    required=True,
    **ranges.SCALE.ends,
    step=0.5,
    decimals=3,
)
UPSCALE: tuple[Parameter, ...] = (
    SCALE,
    SHARPEN,
    replace(
        NOISE,
        help="Standard deviation of the noise in the units of the image, or gain, offset and read noise of a camera as "
        "GAIN,OFFSET,READ. It is removed, not enlarged; 0 keeps it. By default the noise is estimated from the image.",
    ),
    Choice(
        name="reduction",
        label="Pixels are",
        help="How the pixels came about: mean, the mean over their area as cameras measure it, or bicubic, by "
        "antialiased bicubic interpolation of a larger image as programs for photographs reduce it. By default it is "
        "found from the image.",
        default="auto",
        choices=("auto", "mean", "bicubic"),
    ),
    Choice(
        name="preset",
        label="Quality",
        help="How many models are fitted and averaged (2, 4 or 8), and how many rounds of refinement follow (2, 6 or "
        "16).",
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
        automatic=Automatic(None, "50, fast 35"),
        **ranges.ITERATIONS.ends,
        step=100,
        first=50,
        advanced=True,
    ),
    *LEFT_OUT,
    DTYPE,
    SEED,
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.upscale`."""
DEBLUR: tuple[Parameter, ...] = (
    PointSpread(
        name="psf",
        label="Point spread",
        help="The blur: the standard deviation of a Gaussian in pixels; numerical aperture, wavelength and pixel size "
        "as NA,WAVELENGTH,PIXEL, the last two in the same unit; or an image file of a point.",
        default="",
        required=True,
    ),
    replace(SCALE, default=1.0, required=False),
    NOISE,
    Choice(
        name="preset",
        label="Quality",
        help="How many models are fitted through the blur and averaged: 2, 4 or 8.",
        default="balanced",
        choices=("fast", "balanced", "best"),
    ),
    *LEFT_OUT,
    DTYPE,
    SEED,
    DEVICE,
    MEMORY,
)
"""Of `napari_rsmoe.deblur`."""
