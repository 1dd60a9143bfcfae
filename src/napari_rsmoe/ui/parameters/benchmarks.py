"""The options of the benchmarks, by the name of the benchmark."""

from __future__ import annotations

from dataclasses import replace

from ... import ranges
from ..kinds.choices import Choice, Flag
from ..kinds.numbers import FloatParameter, IntParameter
from ..kinds.parameter import Automatic, Parameter
from ..kinds.texts import Text
from .common import SEED

LPIPS = {"none": (), "alex": ("alex",), "vgg": ("vgg",), "both": ("alex", "vgg")}
"""Choices of the perceptual distance, and the nets that each takes."""
KERNELS = IntParameter(
    name="n_kernels",
    label="Kernels",
    help="How many kernels each model has.",
    default=None,
    automatic=Automatic(None, "those of the benchmark"),
    **ranges.BENCH_KERNELS.ends,
    former_flags=("--kernels",),
)
ITERATIONS = IntParameter(
    name="iterations",
    label="Steps",
    help="How many steps the fits of the peers take.",
    default=None,
    automatic=Automatic(None, "those of their papers"),
    **ranges.BENCH_STEPS.ends,
)
OWN_ITERATIONS = IntParameter(
    name="own_iterations",
    label="Own steps",
    help="How many steps our fits take.",
    default=None,
    automatic=Automatic(None, "those of the preset"),
    **ranges.BENCH_STEPS.ends,
)
VARIANCE = FloatParameter(
    name="variance",
    label="Variance",
    help="Variance of noise on [0, 1], clipped.",
    default=None,
    automatic=Automatic(None, "the paper's, for colour images"),
    **ranges.VARIANCE.ends,
    first=0.01,
    decimals=4,
)
SIGMA = FloatParameter(
    name="sigma",
    label="Standard deviation",
    help="Standard deviation of noise that is not clipped, where white is 255.",
    default=None,
    automatic=Automatic(None, "15, 25 and 50, for grey images"),
    **ranges.SIGMA.ends,
    first=25,
)
MODELS = IntParameter(
    name="models",
    label="Models",
    help="Largest number of models for multi-model inference as in the paper, which takes minutes for each image and "
    "noise level; 0 leaves it out.",
    default=0,
    **ranges.BENCH_MODELS.ends,
)
SCALE = IntParameter(
    name="scale",
    label="Factor",
    help="Factor of super-resolution that is measured, 2 to 16.",
    default=None,
    automatic=Automatic(None, "2 and 4"),
    **ranges.BENCH_SCALE.ends,
)
SHARED: tuple[Parameter, ...] = (
    Flag(name="quick", label="Quick", help="Take a small part of one image and few steps, to see that all runs.",
         default=False),
    Text(name="images", label="Images", help="Only images whose FOLDER/NAME has a match.", default="", what="REGEX"),
    Text(name="methods", label="Methods", help="Only methods whose name has a match.", default="", what="REGEX"),
    IntParameter(name="crop", label="Crop", help="Side of the square in the middle that is used, in pixels.",
                 default=None, automatic=Automatic(None, "the whole image"), **ranges.CROP.ends),
    Choice(name="lpips", label="Perceptual distance",
           help="Nets of the perceptual distance (LPIPS); vgg takes seconds for each image.", default=None,
           automatic=Automatic(None, "alex if it is installed"), choices=tuple(LPIPS)),
    replace(SEED, help="Seed of the noise and of the methods.", advanced=False),
)  # fmt: skip
FIELDS = {"n_kernels": "kernels", "variance": "variances", "sigma": "sigmas", "scale": "scales"}
"""Options that may be given several times, and the fields of `bench.options.Options` that hold all their values."""
BENCHMARKS: dict[str, tuple[Parameter, ...]] = {
    "regression": (KERNELS, ITERATIONS, OWN_ITERATIONS, *SHARED),
    "denoising": (VARIANCE, SIGMA, MODELS, *SHARED),
    "films": (VARIANCE, SIGMA, *SHARED),
    "superres": (SCALE, ITERATIONS, *SHARED),
    "scaling": (KERNELS, ITERATIONS, *SHARED),
}
"""By the name of the benchmark."""
