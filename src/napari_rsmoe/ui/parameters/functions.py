"""The parameters by the name of their function."""

from __future__ import annotations

from .denoising import DENOISE, PLANE, STACK
from .enlarging import DEBLUR, UPSCALE
from .fitting import FIT

PARAMETERS = {"denoise": DENOISE, "denoise_stack": (*PLANE, *STACK), "fit": FIT, "upscale": UPSCALE, "deblur": DEBLUR}
"""By the name of the function."""
