"""The package in the words of scikit-image, scikit-learn, xarray and dask.

Importing it adds the accessor ``rsmoe`` to xarray, if xarray is installed. The extra ``arrays`` installs xarray, dask
and pandas: ``pip install "napari-rsmoe[arrays]"``. `RsmoeDenoiser` works in pipelines of scikit-learn and does not need
it.

>>> import numpy as np
>>> from napari_rsmoe.compat import denoise_rsmoe
>>> noisy = np.random.default_rng(0).normal(100, 10, (24, 32))
>>> denoise_rsmoe(noisy, sigma=10, preset="fast", models=1).shape
(24, 32)
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

import numpy as np

from .denoising.any_array import denoise
from .enlarging.upscale import upscale
from .image.format import ChannelAxis
from .noise.estimate import estimate_noise

__all__ = ["RsmoeDenoiser", "denoise_dask", "denoise_rsmoe", "estimate_sigma", "upscale_rsmoe"]

# ---------------------------------------------------------------------------------------------- scikit-image


def denoise_rsmoe(image: Any, sigma: float | None = None, channel_axis: ChannelAxis = None, **settings: Any) -> Any:
    """Denoise an image, as the functions of `skimage.restoration` do.

    Parameters
    ----------
    image : array-like
        (Y, X), or with channels along `channel_axis`.
    sigma : float, optional
        Standard deviation of the noise, in units of the image; by default it is estimated.
    channel_axis : int or None
        Axis that holds channels. By default there is none, as in scikit-image.
    **settings
        Further keywords of `napari_rsmoe.denoise`.

    Returns
    -------
    array
        The image in the type and range of the input: unlike in scikit-image, integers stay integers.
    """
    if "axes" not in settings:
        settings["channel_axis"] = channel_axis
    return denoise(image, noise="auto" if sigma is None else sigma, **settings).image


def upscale_rsmoe(image: Any, scale: float, channel_axis: ChannelAxis = None, **settings: Any) -> Any:
    """Enlarge an image, as `skimage.transform.rescale` does; keywords as for `napari_rsmoe.upscale`."""
    return upscale(image, scale, channel_axis=channel_axis, **settings)


def estimate_sigma(image: Any, average_sigmas: bool = False, channel_axis: ChannelAxis = None) -> float | list[float]:
    """Estimate the standard deviation of the noise, as `skimage.restoration.estimate_sigma` does.

    Returns one number, or for an image with channels a list of one for each, or their mean (`average_sigmas`).
    """
    found = [channel.sigma for channel in estimate_noise(image, channel_axis=channel_axis).channels]
    return float(np.mean(found)) if average_sigmas or channel_axis is None else found


# ---------------------------------------------------------------------------------------------- scikit-learn


class RsmoeDenoiser:
    """A transformer of images for pipelines of scikit-learn; X is (images, Y, X), or has colour last.

    `fit` estimates the noise of the first image, unless `sigma` is given, and `transform` denoises each image with it.
    """

    def __init__(self, sigma: float | None = None, preset: str = "balanced", seed: int = 0) -> None:
        self.sigma, self.preset, self.seed = sigma, preset, seed

    def __repr__(self) -> str:
        return f"RsmoeDenoiser({', '.join(f'{name}={value!r}' for name, value in self.get_params().items())})"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Estimate the noise."""
        self.noise_ = estimate_noise(np.asarray(X)[0]) if self.sigma is None else self.sigma
        return self

    def transform(self, X: Any) -> Any:
        """Return the images without noise, in their type."""
        return np.stack(
            [denoise(x, noise=self.noise_, preset=self.preset, seed=self.seed).image for x in np.asarray(X)]
        )

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Estimate the noise, and return the images without it."""
        return self.fit(X, y).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, by name."""
        return {"sigma": self.sigma, "preset": self.preset, "seed": self.seed}

    def set_params(self, **params: Any) -> Self:
        """Change parameters."""
        RsmoeDenoiser.__init__(self, **{**self.get_params(), **params})
        return self


# ---------------------------------------------------------------------------------------------- dask and xarray


def denoise_dask(array: Any, axes: str | None = None, **settings: Any) -> Any:
    """Denoise a dask array lazily; returns a dask array. See the notes of `napari_rsmoe.denoise`.

    Parameters
    ----------
    array : dask array
        The image or stack.
    axes : str, optional
        A letter for each axis; not needed for (Y, X) and for (Y, X, C) with 3 or 4 channels.
    **settings
        Further keywords of `napari_rsmoe.denoise`.
    """
    return denoise(array, axes=axes, **settings).image


class RsmoeAccessor:
    """The accessor of xarray: ``image.rsmoe.denoise()``, ``image.rsmoe.upscale(2)``, ``image.rsmoe.noise()``."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def denoise(self, **settings: Any) -> Any:
        """The image without noise, as a DataArray; keywords of `napari_rsmoe.denoise`."""
        return denoise(self._array, **settings).image

    def upscale(self, scale: float, **settings: Any) -> Any:
        """The image at another size, as a DataArray; keywords of `napari_rsmoe.upscale`."""
        return upscale(self._array, scale, **settings)

    def noise(self, **settings: Any) -> Any:
        """What `napari_rsmoe.estimate_noise` finds; its keywords."""
        return estimate_noise(self._array, **settings)


with suppress(ImportError):
    import xarray

    register: Any = xarray.register_dataarray_accessor
    register("rsmoe")(RsmoeAccessor)
