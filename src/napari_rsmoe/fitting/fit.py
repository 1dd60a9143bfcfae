"""Fit a model to an image: with a given number of kernels, to a quality, or within a time."""

from __future__ import annotations

import math
import time as clock
from dataclasses import replace
from typing import Any, Literal

import torch

from .. import engine
from ..checks import checked_choice, checked_flag
from ..door import door
from ..image.beginning import checked_attended, reading_report, shape_beforehand
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..memory import Memory
from ..model.experts import MODES, Mode
from ..model.model import Model
from ..progress import Callback
from ..ranges import DATA_RANGE, ITERATIONS, KERNELS, PSNR, SEED, TIME, check_kernels, number_or_auto
from ..renamed import accept_earlier_keywords, current_value
from .costs import expected_seconds
from .fitter import CHUNK
from .job import FitJob, TimeLimit
from .memory import TYPICAL_AUTO, check_fit
from .settings import RENAMED_PRESETS, FitSettings
from .settings import preset as named_preset
from .starts.methods import START_METHODS
from .starts.segmentation import segmentation_options
from .subject import Subject

EXPERTS = ("constant", "linear")
AUTO_PSNR = 32.0
"""PSNR in dB, in the data range of the image, that ``n_kernels="auto"`` aims at. A higher one takes more
kernels and begins to fit noise; with a lower one differences can be seen."""


@accept_earlier_keywords
@door
def fit(
    image: Any,
    n_kernels: int | Literal["auto"] = "auto",
    *,
    psnr: float | None = None,
    time: float | None = None,
    data_range: float | None = None,
    preset: str = "balanced",
    start: str | None = None,
    threshold: float | None = None,
    allocation: str | None = None,
    iterations: int | None = None,
    mode: Mode = "smoe",
    experts: Literal["constant", "linear"] = "constant",
    rasterized: bool = True,
    weight: Any = None,
    mask: Any = None,
    ignore_nan: bool = False,
    saturation: float | None = None,
    below: float | None = None,
    above: float | None = None,
    nodata: float | str = "auto",
    defects: str = "auto",
    seed: int = 0,
    device: str = "auto",
    memory: Memory = None,
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Model:
    """Fit steered Gaussian kernels to an image (R-SMoE).

    Each kernel has a position, a shape and a colour; soft gates weight the kernels at each pixel. All kernels are
    fitted together by the Adam optimiser [3]_ on the squared error, and idle kernels move to where the error is
    largest.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
        Channels whose ranges differ widely are each fitted in the unit of their own range.
    n_kernels : int or "auto"
        How many kernels, at least 1. "auto": as many as a short pilot fit predicts for 32 dB in `data_range`, at least
        one for every 1000 pixels and at most one for every 20.
    psnr : float, optional
        Instead of `n_kernels`: use as few kernels as reach this PSNR, in dB in `data_range`. Takes several fits; warns
        if a kernel for every second pixel is not enough.
    time : float, optional
        Instead of `iterations`: take as many steps as fit into this many seconds. The result then depends on the
        machine's speed.
    data_range : float, optional
        Range of values that a PSNR in dB refers to, in units of the image. By default that of the signal: largest
        minus smallest value, without a few extreme ones; 255 for 8-bit images whose signal fills at least half of
        that. ``metadata`` of the model holds it, and the PSNR that was reached.
    preset : {"fast", "balanced", "best", "upscale", "paper"}
        Settings of the fit; "paper" repeats the published experiments.
    start : {"segmentation", "content", "random"}, optional
        Initialisation of the kernels; by default the preset's.
    threshold : float, optional
        For the segmentation start: largest step of colour within a segment, where the image's range counts as 0..255;
        by default 20.
    allocation : {"content", "area", "paper"}, optional
        For the segmentation start: how kernels are allocated to segments, by the gradient, by area, or equally many
        each as in the paper's release. With "paper" there may be fewer kernels than asked for; fewer kernels than
        segments are refused. By default "content".
    iterations : int, optional
        Steps of the optimiser; by default the preset's.
    mode : {"smoe", "rbf"}
        Soft gates that sum to one (equation 3 of [1]_), or a plain sum of Gaussians (equation 1), as in
        GaussianImage [2]_.
    experts : {"constant", "linear"}
        One colour for each kernel, or a colour that changes linearly across it: fewer kernels on smooth shading.
    rasterized : bool
        True: each 16x16 tile sees only the kernels that matter to it. False: every kernel at every pixel, exact and
        slow (global SMoE, global RBF).
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; 0 ignores a pixel.
    mask : array-like, optional
        (Y, X) pixels that are left out: those where it is not 0.
    ignore_nan : bool
        Leave out pixels that are NaN or infinite in any channel; otherwise they are an error.
    saturation : float, optional
        Leave out pixels that have at least this value in any channel, in units of the image.
    below, above : float, optional
        Leave out pixels that have less, or more, than this value in any channel.
    nodata : float or "auto"
        Value of missing pixels, which are left out. "auto" takes a value that is customary for missing data, such as
        -32768, -9999 or -3.4e38, if it lies far from all others.
    defects : {"auto", "keep"}
        Whether hot and dead pixels, single pixels far from everything around them, are found and left out, or kept as
        values like others.
    seed : int
        Same seed, same machine: the same model to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute. "auto" takes CUDA if it works, and the CPU if the memory of the device does not suffice.
    memory : int or str, optional
        Memory that the job may take at its peak: a number of bytes, or a text such as "4G". By default half of what is
        free. What would take more is refused before it begins.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps; returning True stops, and the best model so far is returned.

    Returns
    -------
    Model

    Warns
    -----
    ImageWarning
        If missing or defective pixels were found, or the PSNR is not reached.

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.
    ValueError
        If a parameter is out of range.
    DeviceError
        If the device cannot be used.
    NotEnoughMemoryError
        If the job would take more memory than it may.

    References
    ----------
    .. [1] Y.-H. Li, T. Sikora, S. Knorr, M. Sjöström. Rasterized Steered Mixture of Experts for Efficient 2D Image
       Regression, 2025. :doi:`10.48550/arXiv.2510.05814`
    .. [2] X. Zhang et al. GaussianImage: 1000 FPS Image Representation and Compression by 2D Gaussian Splatting.
       ECCV 2024. :doi:`10.48550/arXiv.2403.08551`
    .. [3] D. P. Kingma, J. Ba. Adam: A Method for Stochastic Optimization. ICLR 2015.
       :doi:`10.48550/arXiv.1412.6980`

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import fit, psnr
    >>> y, x = np.mgrid[:48, :64]
    >>> image = np.rint(120 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    >>> model = fit(image, 60, iterations=100)
    >>> model.n_kernels
    60
    >>> psnr(model.render(), image) > 35
    True
    >>> model.render(scale=2).shape
    (96, 128)
    """
    preset = current_value(preset, RENAMED_PRESETS)
    settings = _settings(preset, start, iterations, rasterized, linear=_is_linear(experts))
    checked_choice(mode, "mode", MODES)
    count, target, limit = _goal(n_kernels, psnr, time, iterations is not None, settings)
    options = segmentation_options(settings.start, threshold, allocation)
    seed = SEED.check(seed, "seed")
    engine.resolve_device(device)  # early: the name may be wrong
    selection = Selection(ignore_nan, saturation, below, above, nodata, defects)
    span = None if data_range is None else DATA_RANGE.check(data_range, "data_range")

    def check() -> tuple[Inputs, Subject]:
        checked = Inputs.of(image, channel_axis, selection, weight=weight, mask=mask)
        return checked, Subject.of(checked, mode, span)

    shape = shape_beforehand(image, channel_axis)
    if shape is not None:
        check_fit(shape, _expected(count, shape), settings, mode, weighted=weight is not None or mask is not None)
    seconds = time
    if seconds is None and shape is not None and count is not None:
        seconds = expected_seconds(shape, count, settings.iterations)
    inputs, subject = checked_attended(check, reading_report(image, callback, seconds=seconds))
    height, width, channels = inputs.pixels.shape
    if count is not None:
        check_kernels(count, height, width)
    expected = _expected(count, (height, width, channels))
    check_fit(inputs.pixels.shape, expected, settings, mode, weighted=inputs.weight is not None)

    def run(chosen: torch.device) -> Model:
        job = FitJob(inputs, subject, settings, options, mode, seed, preset, chosen)
        if target is not None:
            return job.measured(job.to_quality(target, callback))
        if count is None:
            return job.measured(job.automatic(AUTO_PSNR, callback, limit))
        return job.measured(job.run(count, callback, limit)[0])

    return engine.run_on(device, run)


def _settings(preset: str, start: str | None, iterations: int | None, rasterized: bool, *, linear: bool) -> FitSettings:
    """The settings of a preset, with what was given instead."""
    settings = named_preset(preset)
    if start is not None:
        settings = replace(settings, start=checked_choice(start, "start", START_METHODS))
    settings = replace(settings, linear=linear)
    if iterations is not None:
        settings = replace(settings, iterations=ITERATIONS.check(iterations, "iterations"))
    if not checked_flag(rasterized, "rasterized"):
        settings = replace(settings, tau=math.inf, confidence=0.0, list_interval=CHUNK)
    return settings


def _expected(count: int | None, shape: tuple[int, int, int]) -> int:
    """The kernels that memory is planned for, of an image of this shape (H, W, C)."""
    return max(1, shape[0] * shape[1] // TYPICAL_AUTO) if count is None else count


def _is_linear(experts: str) -> bool:
    return checked_choice(experts, "experts", EXPERTS) == "linear"


def _goal(
    n_kernels: int | Literal["auto"],
    psnr: float | None,
    time: float | None,
    has_iterations: bool,
    settings: FitSettings,
) -> tuple[int | None, float | None, TimeLimit | None]:
    """The number of kernels, the PSNR to reach and the time, each None if it is left open; checked."""
    count = number_or_auto(n_kernels, "n_kernels", KERNELS)
    if count is not None and psnr is not None:
        raise ValueError("Give n_kernels or psnr, not both.")
    if time is not None and (has_iterations or psnr is not None):
        raise ValueError("Give time alone, without iterations and psnr.")
    limit = None if time is None else TimeLimit(clock.perf_counter(), TIME.check(time, "time"))
    if psnr is not None and (psnr := PSNR.check(psnr, "psnr")) and settings.iterations < 1:
        raise ValueError(f"psnr={psnr!r} takes at least one iteration, not {settings.iterations}.")
    return count, psnr, limit
