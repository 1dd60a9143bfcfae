"""Rasterized Steered Mixture of Experts (R-SMoE) for images.

An image becomes a sum of steered Gaussian kernels, each with a colour, blended by a soft gate. Such a model
can be drawn at any size, smooths noise and keeps edges.

>>> import napari_rsmoe
>>> model = napari_rsmoe.fit(image, n_kernels=2000)  # doctest: +SKIP
>>> clean = napari_rsmoe.denoise(image).image  # doctest: +SKIP
>>> large = napari_rsmoe.upscale(image, 4)  # doctest: +SKIP

Importing this package is cheap: torch is loaded when the first of these names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import engine, plots
    from .denoising import Denoised, denoise
    from .errors import CheckpointError, ImageError, ModelFileError
    from .fitting import fit
    from .kernels import Kernels
    from .metrics import psnr, ssim
    from .mixture import Mixture
    from .model import Model
    from .noise_estimate import ChannelNoise, NoiseEstimate, estimate_noise
    from .progress import Progress
    from .stabilising import PoissonGaussian, stabilise, unstabilise
    from .stacks import DenoisedStack, denoise_stack
    from .upscaling import upscale

    __version__: str

__all__ = [
    "ChannelNoise",
    "CheckpointError",
    "Denoised",
    "DenoisedStack",
    "ImageError",
    "Kernels",
    "Mixture",
    "Model",
    "ModelFileError",
    "NoiseEstimate",
    "PoissonGaussian",
    "Progress",
    "__version__",
    "denoise",
    "denoise_stack",
    "engine",
    "estimate_noise",
    "fit",
    "plots",
    "psnr",
    "ssim",
    "stabilise",
    "unstabilise",
    "upscale",
]

_MODULE_OF = {
    "ChannelNoise": "noise_estimate",
    "CheckpointError": "errors",
    "Denoised": "denoising",
    "DenoisedStack": "stacks",
    "ImageError": "errors",
    "Kernels": "kernels",
    "Mixture": "mixture",
    "Model": "model",
    "ModelFileError": "errors",
    "NoiseEstimate": "noise_estimate",
    "PoissonGaussian": "stabilising",
    "Progress": "progress",
    "denoise": "denoising",
    "estimate_noise": "noise_estimate",
    "denoise_stack": "stacks",
    "fit": "fitting",
    "psnr": "metrics",
    "ssim": "metrics",
    "stabilise": "stabilising",
    "unstabilise": "stabilising",
    "upscale": "upscaling",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    value: object
    if name in _MODULE_OF:
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    elif name in ("engine", "plots"):
        value = import_module(f"{__name__}.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("napari-rsmoe")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
