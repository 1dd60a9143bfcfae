"""Parameters of `denoise` and `denoise_stack`."""

from __future__ import annotations

from ... import ranges
from ..kinds.choices import Choice, Flag
from ..kinds.numbers import FloatParameter, IntParameter
from ..kinds.parameter import Automatic, Parameter
from .common import ALLOCATION, BLOCK, CHECKPOINT, DEVICE, DTYPE, LEFT_OUT, MEMORY, NOISE, SEED, STARTS, THRESHOLD

PLANE: tuple[Parameter, ...] = (
    Choice(
        name="preset",
        label="Quality",
        help="How many models are fitted and for how long: 4, 8 or 24 models, of 40, 55 or 70 steps.",
        default="balanced",
        choices=("fast", "balanced", "best"),
    ),
    NOISE,
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
