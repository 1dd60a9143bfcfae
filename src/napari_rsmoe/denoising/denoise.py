"""Denoise an image with many models that err differently."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch

from .. import engine
from ..door import door
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..memory import Memory
from ..noise.given import Noise, is_no_noise
from ..notes import note
from ..progress import Callback
from ..renamed import accept_earlier_keywords
from .alignment import with_neighbours
from .checkpoint import Checkpoint
from .combine import combine
from .costs import expected_seconds
from .ensemble import Ensemble, fit_ensemble
from .memory import check_denoising
from .observation import Observation
from .opening import opened
from .options import Options
from .plane_in_blocks import BlockChoice, Making, denoise_plane_in_blocks
from .plans import REFERENCE_NOISE, plan_ensemble
from .result import Denoised, Estimate
from .task import Task
from .warm_start import WarmStart

LOG = logging.getLogger(__name__)


@accept_earlier_keywords
@door
def denoise(
    image: Any,
    *,
    models: int | str = "auto",
    noise: Noise = "auto",
    noise_factor: float = 1.0,
    n_kernels: int | str = "auto",
    start: str = "content",
    threshold: float | None = None,
    allocation: str | None = None,
    preset: str = "balanced",
    weight: Any = None,
    mask: Any = None,
    ignore_nan: bool = False,
    saturation: float | None = None,
    below: float | None = None,
    above: float | None = None,
    nodata: float | str = "auto",
    defects: str = "auto",
    fill: bool = True,
    dtype: str = "same",
    warm_start: Denoised | None = None,
    neighbours: Sequence[Any] = (),
    checkpoint: str | PathLike[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    memory: Memory = None,
    block: int | str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Denoised:
    """Remove noise with an ensemble of steered mixtures of experts.

    Models of several kernel counts are fitted to the noisy image, each from another initialisation. Their renders are
    fused place by place with weights from Stein's unbiased estimate of their risk [1]_. A filter of similar patches,
    for which the fused image is the pilot, brings back fine texture [2]_. Noise that depends on the value is first
    stabilised by the generalised Anscombe transform, and the result is brought back without bias [3]_.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    models : int or "auto"
        Number of models, at least 1. More models are better and take longer; with fewer than 4 all models have one
        kernel count. "auto" leaves the number to the preset.
    noise : float, PoissonGaussian, (float, float, float), list of PoissonGaussian, NoiseEstimate or "auto"
        Standard deviation of even noise; or gain, offset and read noise of a camera or photon counter, for all
        channels; or a list with the noise of each channel; in units of the image. Or the result of `estimate_noise` for
        this image or for another one like it. "auto" estimates the noise; an image in which none is found is returned
        as it is.
    noise_factor : float
        Factor of the noise, estimated or given, that is to be taken away. Below 1 more texture and more noise are
        left, above 1 fewer.
    n_kernels : int or "auto"
        Kernels of each model. "auto" fits models of up to 5 counts in turn, by the noise and the size of the image,
        and lets each place of each colour channel take the counts with the lowest estimated risk.
    start : {"content", "segmentation", "random"}
        Initialisation of the kernels.
    threshold : float, optional
        Of the segmentation start: largest step of colour within a segment, in 0..255 of the image's range; the paper
        takes 10 and 20. By default 20.
    allocation : {"content", "area", "paper"}, optional
        Of the segmentation start: allocation of kernels to segments, by the gradient, by area, or the same number for
        each segment as in the paper's release. With "paper" there may be fewer kernels than asked; fewer kernels than
        segments are refused. By default "content".
    preset : {"fast", "balanced", "best"}
        Number of models and of optimiser steps: 4 models of 40 steps, 8 of 55, or 24 of 70.
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; 0 leaves a pixel out.
    mask : array-like, optional
        (Y, X) pixels to be left out: those where it is not 0, for example dead pixels and gaps.
    ignore_nan : bool
        Leave out pixels that are NaN or infinite in any channel; otherwise they are an error.
    saturation : float, optional
        Leave out pixels that have at least this value in any channel, in units of the image.
    below, above : float, optional
        Leave out pixels that have less, or more, than this value in any channel.
    nodata : float or "auto"
        Value of missing pixels, which are left out and keep it. "auto" takes a value that is customary for missing
        data, such as -32768, -9999 or -3.4e38, if it lies far from all others.
    defects : {"auto", "keep"}
        Whether hot and dead pixels, single pixels far from everything around them, are found and left out, or kept as
        values like others.
    fill : bool
        True: pixels that are left out are filled in from their surroundings. False: they keep their values, and `std`
        is NaN there.
    dtype : {"same", "auto", "float32"}
        Data type of the result. "same": that of the image; where rounding to integers costs more than a tenth of the
        error, a warning says so, and values are rounded up or down at random so that their mean stays. "auto": float32
        in that case. "float32": in any case.
    warm_start : Denoised, optional
        Result for a neighbouring plane of the same size and number of models. Kernels begin as they ended there, keep
        their order, and take half the steps. Kernels are initialised again where the planes differ; if less than half
        of the plane is the same, all kernels are initialised again and take all steps.
    neighbours : sequence of array-like or Neighbour
        Other planes, such as the frames before and after, of the shape of the image. Each is brought to the brightness
        of the image and along the motion between them onto its places, and averaged with it where it shows the same.
        NaN does not count.
    checkpoint : path, optional
        A folder in which models are kept as they finish. They are not fitted again when the same job is started again,
        and the result is the same to the bit.
    seed : int
        Same seed, same machine: the same result to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute. "auto" takes CUDA if it works, and the CPU if the memory of the device does not suffice.
    memory : int or str, optional
        Memory that the job may take at its peak: a number of bytes, or a text such as "4G". By default half of what is
        free. What would take more is done in blocks, and what does not fit even so is refused before it begins.
    block : int or "auto"
        Side in pixels of the blocks that are worked on one after the other. "auto" takes the whole image if it fits the
        memory, else the largest blocks that fit. In blocks the result has no models, and it differs from that of
        the whole by other random numbers.
    channel_axis : int, None or "auto"
        Axis that holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps. If it returns True, the job stops, and the result is made of the
        models that are finished, or of the unfinished first one.

    Returns
    -------
    Denoised
        The image in the type, range and axis order of the input, its error bar, the noise, and the models.

    Warns
    -----
    ImageWarning
        If missing or defective pixels were found, no noise was found, the given noise is in doubt, or rounding costs
        much.

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.
    CheckpointError
        If the folder `checkpoint` cannot be used, or holds models of another job.
    DeviceError
        If the device is not known or cannot be used.
    NotEnoughMemoryError
        If the job would take more memory than it may.
    ValueError
        If a parameter is out of range.

    References
    ----------
    .. [1] S. Ramani, T. Blu, M. Unser. Monte-Carlo SURE: a black-box optimization of regularization parameters for
       general denoising algorithms. IEEE Transactions on Image Processing 17, 2008. :doi:`10.1109/TIP.2008.2001404`
    .. [2] M. Lebrun, A. Buades, J.-M. Morel. A nonlocal Bayesian image denoising algorithm. SIAM Journal on Imaging
       Sciences 6, 2013. :doi:`10.1137/120874989`
    .. [3] M. Makitalo, A. Foi. Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian
       noise. IEEE Transactions on Image Processing 22, 2013. :doi:`10.1109/TIP.2012.2202675`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise, psnr
    >>> ramp = np.add.outer(np.arange(48.0), np.arange(64.0)) / 110
    >>> noisy = ramp + np.random.default_rng(0).normal(0, 0.1, ramp.shape)
    >>> result = denoise(noisy, preset="fast")
    >>> result.image.shape, result.std.shape
    ((48, 64), (48, 64))
    >>> bool(psnr(result.image, ramp, data_range=1) > psnr(noisy, ramp, data_range=1) + 8)
    True
    """
    options = Options.checked(
        models=models,
        n_kernels=n_kernels,
        noise=noise,
        noise_factor=noise_factor,
        preset=preset,
        start=start,
        threshold=threshold,
        allocation=allocation,
        seed=seed,
        device=device,
    )
    making = Making(fill, dtype, callback)
    selection = options.selected(Selection(ignore_nan, saturation, below, above, nodata, defects))
    blocks = BlockChoice.of(image, channel_axis, options, block, whole=_whole_only(warm_start, checkpoint))
    if blocks is not None:
        return denoise_plane_in_blocks(blocks, options, selection, {"weight": weight, "mask": mask}, neighbours, making)
    inputs, times = opened(
        image,
        channel_axis,
        options,
        callback,
        lambda: Inputs.of(image, channel_axis, selection, weight=weight, mask=mask),
    )
    if is_no_noise(options.noise) and not inputs.left_out.any():
        return _as_given(inputs)
    shape, measured = inputs.pixels.shape, isinstance(options.noise, str)
    check_denoising(shape, options, plan_ensemble(shape, options.models, options.n_kernels, REFERENCE_NOISE))

    def observe() -> tuple[WarmStart | None, Observation]:
        plane = Observation.of(inputs, options.noise, options.noise_factor)
        helped = with_neighbours(plane, neighbours)
        return WarmStart.of(warm_start, plane, options, helped), helped.observation

    warm, observation = engine.attended(observe, times.during("noise"))
    plans = plan_ensemble(shape, options.models, options.n_kernels, observation.noise.strength)
    task = Task(observation, options, plans if warm is None else warm.plans(plans), warm)
    if checkpoint is not None:
        task = task.continued(Checkpoint.job_in(checkpoint))
    task.check_start()
    check_denoising(shape, options, task.plans)
    LOG.info("%s; %s", observation.described, task.described)
    steps, noisy = task.settings.iterations, observation.noise.sigma > 0
    times.replan(expected_seconds(shape, task.plans, steps, measured=measured, noisy=noisy))

    def run(device: torch.device) -> Ensemble:
        kept = None if checkpoint is None else Checkpoint(checkpoint, task.description(device))
        return fit_ensemble(task, device, times, kept)

    ensemble = engine.run_on(options.device, run)
    return Denoised.of(
        combine(ensemble, times), inputs, observation.noise.sigma, ensemble.models, fill=fill, dtype=dtype, seed=seed
    )


def _whole_only(warm_start: Any, checkpoint: Any) -> list[str]:
    """The keywords that are given and that only an image that is denoised as a whole can have."""
    given = {"warm_start": warm_start, "checkpoint": checkpoint}
    return [name for name, value in given.items() if value is not None]


def _as_given(inputs: Inputs) -> Denoised:
    """The result for an image whose noise is given as 0."""
    note("noise=0 says that there is no noise: the image is returned as it is")
    estimate = Estimate(inputs.pixels, np.zeros_like(inputs.pixels))
    return Denoised.of(estimate, inputs, 0.0, [], fill=True)
