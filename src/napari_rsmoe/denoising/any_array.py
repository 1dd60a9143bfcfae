"""`napari_rsmoe.denoise`: the door for a plane or a stack, as an array of numpy, torch, dask or xarray."""

from __future__ import annotations

import inspect
from typing import Any, overload

import numpy as np

from ..door import refuse_unknown
from ..errors import ImageError
from ..image.format import find_channels
from ..image.other_arrays import library_of, unwrapped
from ..image.planes import CHANNEL_AXES, check_axes, guess_axes
from ..noise.given import noise_or_sigma
from ..renamed import accept_earlier_keywords
from .denoise import denoise as denoise_plane
from .lazy import denoise_lazy
from .result import Denoised
from .stack import DenoisedStack, denoise_stack


@overload
def denoise(image: Any, *, axes: None = None, sigma: float | None = None, **settings: Any) -> Denoised: ...


@overload
def denoise(image: Any, *, axes: str, sigma: float | None = None, **settings: Any) -> Denoised | DenoisedStack: ...


@accept_earlier_keywords
def denoise(
    image: Any, *, axes: str | None = None, sigma: float | None = None, client: Any = None, **settings: Any
) -> Denoised | DenoisedStack:
    """Remove the noise of an image, or of each plane of a stack.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last, or any axes that `axes` or `channel_axis` names; integers or floats of
        any size. A torch tensor, a dask array (which stays lazy) or an xarray DataArray gives a result of its kind.
    axes : str, optional
        A letter for each axis, such as "TYX" or "ZCYX". Y and X span a plane, C and S are its channels. All other axes
        are iterated over, each plane with the help of its neighbours, as `denoise_stack` does it.
    noise : float, (float, float, float), PoissonGaussian, NoiseEstimate or "auto"
        Standard deviation; or gain, offset and read noise of a camera; or the result of `estimate_noise`; in units of
        the image. "auto" estimates it. With 0 the image is returned as it is.
    sigma : float, optional
        Another name of `noise`, as in scikit-image.
    preset : {"fast", "balanced", "best"}
        4, 8 or 24 models. `models` and `n_kernels` say how many models, and of how many kernels each.
    mask, weight : array-like, optional
        (Y, X) pixels to be left out (not 0), or weights of the pixels; of a stack also one for each pixel.
    ignore_nan, saturation, below, above : bool, float or None
        Leave out pixels that are NaN or infinite, have at least `saturation`, less than `below`, or more than `above`.
    nodata : float or "auto"
        Value of missing pixels, which are left out and keep it; "auto" finds one such as -32768 far from all others.
    defects : {"auto", "keep"}
        Whether hot and dead pixels are found and left out.
    fill : bool
        Fill in what is left out. False: such pixels keep their values.
    dtype : {"same", "auto", "float32"}
        Data type of the result. "auto" takes float32 where rounding to integers costs more than a tenth of the error.
    channel_axis : int, None or "auto"
        Axis that holds channels; "auto" takes a last axis of length 3 or 4.
    seed : int
        The same seed gives the same bits, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    client : distributed.Client, optional
        Denoise block by block on the workers of this client of Dask, which are sent the pixels. Images that lie in
        files are denoised from store to store without that (docs/guide/large.md).
    callback : callable, optional
        Called with a `Progress` every few steps; returning True stops.

    Returns
    -------
    Denoised or DenoisedStack
        `image` has the type, range and axes of the input; `std` is its error bar; `noise` what was found.

    Raises
    ------
    ImageError
        If the image cannot be used. The message says what to do.
    ValueError, DeviceError, CheckpointError
        If a parameter is out of range, the device cannot be used, or a checkpoint is of another job.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise, psnr
    >>> ramp = np.add.outer(np.arange(48.0), np.arange(64.0)) / 110
    >>> noisy = ramp + np.random.default_rng(0).normal(0, 0.1, ramp.shape)
    >>> result = denoise(noisy, preset="fast")
    >>> bool(psnr(result.image, ramp, data_range=1) > psnr(noisy, ramp, data_range=1) + 8)
    True
    >>> film = np.stack([noisy, noisy[::-1]])
    >>> denoise(film, axes="TYX", preset="fast", models=1).image.shape
    (2, 48, 64)

    Notes
    -----
    Models of several kernel counts are fitted to the noisy image, each from another initialisation. Their renders are
    fused place by place with weights from Stein's unbiased estimate of their risk [1]_. A filter of similar patches,
    for which the fused image is the pilot, brings back fine texture [2]_. Noise that depends on the value is first
    stabilised by the generalised Anscombe transform, and the result is brought back without bias [3]_.

    Further keywords of a plane:

    * `models`: number of models; more are better and take longer, a single one has no error bar.
    * `n_kernels`: kernels of each model. "auto" fits models of up to 5 counts, and lets each place of each channel take
      the counts with the lowest estimated risk.
    * `start`, `threshold`, `allocation`: initialisation of the kernels, as for `fit`.
    * `warm_start`: the result for a neighbouring plane, with whose kernels this one begins. `neighbours`: planes that
      are averaged with the image where they show the same.
    * `checkpoint`: a folder in which models are kept as they finish. The same job continues there, with the same bits.

    Further keywords of a stack, as of `denoise_stack`: `along`, `warm_start`, `average`, `checkpoint`,
    `independent_channels`, `create`.

    A dask array stays lazy: blocks are denoised with 32 px around them when the result is computed. One noise model
    holds for all, that of a sample of 16 squares of 256 x 256 px, which is all that is read at once. `models` is then
    empty, and `mask` and `weight` may be dask arrays too. A torch tensor gives tensors on its device, without a
    gradient. An xarray DataArray gives DataArrays with its coordinates and attributes; its dimensions name the axes if
    they are letters or words such as "time".

    References
    ----------
    .. [1] S. Ramani, T. Blu, M. Unser. Monte-Carlo SURE: a black-box optimization of regularization parameters for
       general denoising algorithms. IEEE Transactions on Image Processing 17, 2008. :doi:`10.1109/TIP.2008.2001404`
    .. [2] M. Lebrun, A. Buades, J.-M. Morel. A nonlocal Bayesian image denoising algorithm. SIAM Journal on Imaging
       Sciences 6, 2013. :doi:`10.1137/120874989`
    .. [3] M. Makitalo, A. Foi. Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian
       noise. IEEE Transactions on Image Processing 22, 2013. :doi:`10.1109/TIP.2012.2202675`
    """
    if sigma is not None:
        settings["noise"] = noise_or_sigma(settings.get("noise", "auto"), sigma)
    refuse_unknown("denoise", settings, _known())
    given = unwrapped(image)
    letters = _axes_of(given.array, axes, given.axes, settings)
    if client is not None:
        # Imported here to save start-up time: only users of Dask have it.
        from .large.with_client import denoise_with_client

        done: Denoised | DenoisedStack = denoise_with_client(
            client, given.array, letters or _guessed(given.array), settings
        )
    elif library_of(given.array) == "dask":
        done = denoise_lazy(given.array, letters or _guessed(given.array), settings)
    elif letters is None:
        done = denoise_plane(given.array, **settings)
    else:
        channels = [k for k, letter in enumerate(letters) if letter in CHANNEL_AXES]
        if len(letters) == 2 + len(channels) <= 3:
            done = denoise_plane(given.array, **settings | {"channel_axis": channels[0] if channels else None})
        else:
            done = denoise_stack(given.array, letters, **settings)
    result: Denoised | DenoisedStack = given.restored(done)
    return result


def _axes_of(array: Any, given: str | None, found: str | None, settings: dict[str, Any]) -> str | None:
    """A letter for each axis, as the caller or the array itself names them; None if the shape is to decide."""
    channel_axis = settings.get("channel_axis", "auto")
    if isinstance(channel_axis, str):
        axes = given or found
        if axes is not None:
            settings.pop("channel_axis", None)
        return None if axes is None else check_axes(axes, array.shape if hasattr(array, "shape") else np.shape(array))
    if given is not None:
        raise ImageError("axes and channel_axis both say where the channels are; give one of them.")
    if library_of(array) == "dask" and channel_axis is not None:
        place = channel_axis % 3
        return "YX"[:place] + "C" + "YX"[place:]
    return None


def _guessed(array: Any) -> str:
    """The axes of an array that names none, by its shape; what is assumed about channels is said."""
    axes = guess_axes(array.shape)
    find_channels(array, "auto")
    return axes


def _known() -> set[str]:
    """The keywords of a plane and of a stack."""
    return {name for each in (denoise_plane, denoise_stack) for name in inspect.signature(each).parameters}


def _signature() -> inspect.Signature:
    """All keywords: those of this door, and those of a plane."""
    own = list(inspect.signature(denoise).parameters.values())[:-1]
    further = list(inspect.signature(denoise_plane).parameters.values())[1:]
    return inspect.Signature([*own, *further], return_annotation="Denoised | DenoisedStack")


denoise.__signature__ = _signature()  # type: ignore[attr-defined]
