"""Rasterized Steered Mixture of Experts (R-SMoE) for images.

An image is modelled by steered Gaussian kernels, each with a colour, which are blended by soft gates. Such a model
smooths noise, keeps edges, and can be rendered at any size.

>>> import numpy as np
>>> import napari_rsmoe
>>> image = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
>>> model = napari_rsmoe.fit(image, n_kernels=20, iterations=50)
>>> clean = napari_rsmoe.denoise(image, preset="fast").image
>>> large = napari_rsmoe.upscale(image, 4)
>>> model.render().shape, clean.shape, large.shape
((24, 32), (24, 32), (96, 128))

Importing this package is fast: torch is loaded when a name that needs it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import compat, engine, io, plots
    from . import notebook as notebook
    from .denoising.any_array import denoise
    from .denoising.film import denoise_film
    from .denoising.result import Denoised
    from .denoising.stack import DenoisedStack, denoise_stack
    from .enlarging.deblur import deblur
    from .enlarging.psf import measure_psf
    from .enlarging.restored import Restored
    from .enlarging.upscale import upscale
    from .errors import CheckpointError, ImageError, ModelFileError, StoppedError
    from .fitting.fit import fit
    from .image.each_plane import map_planes
    from .image.metrics import psnr, ssim
    from .image.planes import Planes
    from .io.files import read_image
    from .io.units import PixelSize
    from .io.writing import create_image, write_image
    from .model.kernels import Kernels
    from .model.model import Model
    from .model.torch_module import Mixture
    from .noise.anscombe import stabilise, unstabilise
    from .noise.estimate import ChannelNoise, NoiseEstimate, estimate_noise
    from .noise.noise_model import PoissonGaussian
    from .progress import Progress

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
    "PixelSize",
    "Planes",
    "PoissonGaussian",
    "Progress",
    "Restored",
    "StoppedError",
    "__version__",
    "compat",
    "create_image",
    "deblur",
    "denoise",
    "denoise_film",
    "denoise_stack",
    "engine",
    "estimate_noise",
    "fit",
    "io",
    "map_planes",
    "measure_psf",
    "plots",
    "psnr",
    "read_image",
    "ssim",
    "stabilise",
    "unstabilise",
    "upscale",
    "write_image",
]

_MODULE_OF = {
    "ChannelNoise": "noise.estimate",
    "CheckpointError": "errors",
    "Denoised": "denoising.result",
    "DenoisedStack": "denoising.stack",
    "ImageError": "errors",
    "Kernels": "model.kernels",
    "Mixture": "model.torch_module",
    "Model": "model.model",
    "ModelFileError": "errors",
    "NoiseEstimate": "noise.estimate",
    "PixelSize": "io.units",
    "Planes": "image.planes",
    "PoissonGaussian": "noise.noise_model",
    "Progress": "progress",
    "Restored": "enlarging.restored",
    "StoppedError": "errors",
    "create_image": "io.writing",
    "deblur": "enlarging.deblur",
    "denoise": "denoising.any_array",
    "denoise_film": "denoising.film",
    "denoise_stack": "denoising.stack",
    "estimate_noise": "noise.estimate",
    "fit": "fitting.fit",
    "map_planes": "image.each_plane",
    "measure_psf": "enlarging.psf",
    "psnr": "image.metrics",
    "read_image": "io.files",
    "ssim": "image.metrics",
    "stabilise": "noise.anscombe",
    "unstabilise": "noise.anscombe",
    "upscale": "enlarging.upscale",
    "write_image": "io.writing",
}


# Not by lazy_loader: it knows neither a computed name such as `__version__` nor which names a type checker should see
# without a second file of stubs, and it would be one more dependency for these few lines.
def __getattr__(name: str) -> object:
    # Imported here to save start-up time, as everything that is asked for.
    from importlib import import_module

    value: object
    if name in _MODULE_OF:
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    elif name in ("compat", "engine", "io", "notebook", "plots"):
        value = import_module(f"{__name__}.{name}")
    elif name == "__version__":
        # Imported here to save start-up time.
        from importlib.metadata import version

        value = version("napari-rsmoe")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
