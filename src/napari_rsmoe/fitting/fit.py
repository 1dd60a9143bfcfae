"""Fit a model to an image: of so many kernels, to a quality, or within a time."""

from __future__ import annotations

import math
import time as clock
import warnings
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import torch

from .. import engine
from ..checks import checked_count, checked_positive
from ..image.format import ChannelAxis, ImageFormat
from ..image.inputs import Inputs
from ..image.metrics import default_data_range
from ..model.experts import Mode
from ..model.model import Model
from ..progress import Callback, Parts, Progress
from .fitter import CHUNK, Fitter
from .kernel_count import MOST_FITS, as_few_as_reach, predict_kernels
from .settings import FitSettings
from .settings import preset as named_preset
from .starts.methods import make_start
from .starts.segmentation import segmentation_options

AUTO_PSNR = 32.0
"""``n_kernels="auto"`` takes as many kernels as are expected to reach this, in dB of the image's own range."""


def fit(
    image: Any,
    n_kernels: int | Literal["auto"] = "auto",
    *,
    psnr: float | None = None,
    time: float | None = None,
    preset: str = "default",
    start: str | None = None,
    threshold: float | None = None,
    allotment: str | None = None,
    iterations: int | None = None,
    mode: Mode = "smoe",
    experts: Literal["constant", "linear"] = "constant",
    rasterized: bool = True,
    weight: Any = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Model:
    """Model an image with steered Gaussian kernels.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    n_kernels : int or "auto"
        How many kernels, at least 1. "auto": as many as a short pilot fit predicts for 32 dB in the image's own
        range, at least one for every 1000 pixels and at most one for every 20.
    psnr : float, optional
        Instead of `n_kernels`: use as few kernels as reach this PSNR, in dB as `napari_rsmoe.psnr` measures it. Takes
        several fits; warns if a kernel for every second pixel is not enough.
    time : float, optional
        Instead of `iterations`: take as many steps as fit into this many seconds. The result then depends on the
        machine's speed.
    preset : {"default", "fast", "best", "enlarge", "paper"}
        Settings of the fit; "paper" repeats the published experiments.
    start : {"segmentation", "content", "random"}, optional
        Where kernels begin; default: the preset's.
    threshold : float, optional
        Of the segmentation start: largest step of colour within a segment, in 0..255 of the image's range; default 20.
    allotment : {"content", "area", "paper"}, optional
        Of the segmentation start: how kernels are dealt out to segments, by the gradient, by area, or as many for each
        as in the paper's release. With "paper" there may be fewer kernels than asked; fewer than there are segments
        are refused. Default "content".
    iterations : int, optional
        Optimiser steps; default: the preset's.
    mode : {"smoe", "rbf"}
        Soft gates that sum to one (paper eq. 3), or a plain sum of Gaussians (eq. 1), which is GaussianImage.
    experts : {"constant", "linear"}
        One colour for each kernel, or a colour that changes linearly across it: fewer kernels on smooth shading.
    rasterized : bool
        True: each 16x16 tile sees only the kernels that matter to it. False: every kernel at every pixel, exact and
        slow (global SMoE, global RBF).
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; 0 ignores a pixel.
    seed : int
        Same seed, same machine: the same model to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute. "auto" takes CUDA if it works, and the CPU if the memory of the device does not suffice.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps; returning True stops, and the best model so far is returned.

    Returns
    -------
    Model

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.
    ValueError
        If a parameter is out of range.
    """
    settings = _settings(preset, start, iterations, rasterized)
    if mode not in ("smoe", "rbf"):
        raise ValueError(f"mode={mode!r} is not known; use 'smoe' or 'rbf'.")
    if experts not in ("constant", "linear"):
        raise ValueError(f"experts={experts!r} is not known; use 'constant' or 'linear'.")
    settings = replace(settings, linear=experts == "linear")
    if n_kernels != "auto":
        n_kernels = checked_count(n_kernels, "n_kernels")
        if psnr is not None:
            raise ValueError("Give n_kernels or psnr, not both.")
    if time is not None and (iterations is not None or psnr is not None):
        raise ValueError("Give time alone, without iterations and psnr.")
    if time is not None:
        time = checked_positive(time, "time")
    if psnr is not None and (checked_positive(psnr, "psnr") > 300 or settings.iterations < 1):
        raise ValueError(f"psnr={psnr!r} must be at most 300, and takes at least one iteration.")
    options = segmentation_options(settings.start, threshold, allotment)
    checked_count(seed, "seed", smallest=0)
    began = clock.perf_counter()
    engine.resolve_device(device)  # early: the name may be wrong
    inputs = Inputs.of(image, channel_axis, weight)

    def run(device: torch.device) -> Model:
        job = _Job(inputs.pixels, inputs.layout, settings, mode, inputs.weight, seed, options, preset, device)
        if psnr is not None:
            return job.to_quality(psnr, callback)
        if n_kernels == "auto":
            count, pilot = job.expected_kernels(10 ** (-AUTO_PSNR / 10), callback)
            if pilot is not None:
                return job.model(pilot)
        else:
            count = n_kernels
        return job.run(count, callback, None if time is None else (began, time))[0]

    return engine.run_on(device, run)


def _settings(preset: str, start: str | None, iterations: int | None, rasterized: bool) -> FitSettings:
    settings = named_preset(preset)
    settings = replace(settings, start=start or settings.start)
    if iterations is not None:
        settings = replace(settings, iterations=checked_count(iterations, "iterations", smallest=0))
    if not rasterized:
        settings = replace(settings, tau=math.inf, confidence=0.0, list_interval=CHUNK)
    return settings


@dataclass(frozen=True)
class _Job:
    """An image to be fitted, and how."""

    pixels: np.ndarray
    layout: ImageFormat
    settings: FitSettings
    mode: Mode
    weight: np.ndarray | None
    seed: int
    start_options: dict[str, Any]
    preset: str
    device: torch.device

    def fitter(self, n_kernels: int, settings: FitSettings) -> Fitter:
        rng = np.random.default_rng(self.seed)
        start = make_start(settings.start, self.pixels, n_kernels, rng, **self.start_options)
        return Fitter(self.pixels, start, settings, mode=self.mode, weight=self.weight, rng=rng, device=self.device)

    def run(
        self, n_kernels: int, callback: Callback | None, budget: tuple[float, float] | None = None
    ) -> tuple[Model, float]:
        """Fit; returns the model and its mean squared error in the engine's range.

        `budget` is when the clock began and how many seconds there are.
        """
        fitter = self.fitter(n_kernels, self.settings)
        while (remaining := fitter.remaining if budget is None else _steps_left(fitter.step, *budget)) > 0:
            fitter.chunk(remaining)
            if not fitter.due():
                continue
            if budget is None:
                done, total = fitter.step, self.settings.iterations
            else:  # milliseconds
                total = round(1000 * budget[1])
                done = min(round(1000 * (clock.perf_counter() - budget[0])), total)
            if self.report(callback, fitter, "fit", done, total):
                break
        fitter.keep_best()
        return self.model(fitter), fitter.mean_squared_error

    def report(self, callback: Callback | None, fitter: Fitter, stage: str, done: int, total: int) -> bool:
        """Tell the callback how far the fit is; returns whether it asked to stop."""
        if callback is None:
            return False
        psnr = fitter.psnr(self.layout)
        preview = partial(self.preview, fitter)
        return bool(callback(Progress(stage, done, total, psnr, preview)))

    def preview(self, fitter: Fitter) -> np.ndarray:
        """The image as it is modelled so far, drawn on the device of the fit."""
        return self.model(fitter).render(device=self.device.type)

    def to_quality(self, psnr: float, callback: Callback | None) -> Model:
        """As few kernels as reach a PSNR."""
        peak = default_data_range(np.dtype(self.layout.dtype), self.layout.low, self.layout.high) or 1.0
        target = 10 ** (-psnr / 10) * (peak / self.layout.span) ** 2
        parts = Parts(callback, MOST_FITS)

        def attempt(n_kernels: int, index: int) -> tuple[Model, float]:
            return self.run(n_kernels, parts.part(index, f"fit with {n_kernels} kernels"))

        most = max(1, self.pixels.shape[0] * self.pixels.shape[1] // 2)
        first, pilot = self.expected_kernels(target, parts.part(0, ""), densest=2)
        if pilot is not None:
            return self.model(pilot)
        model, error = as_few_as_reach(target, first, most, attempt, lambda: parts.stopped)
        if error > target and not parts.stopped:
            warnings.warn(f"No {psnr:g} dB with {model.n_kernels} kernels; the best model is returned.", stacklevel=3)
        return model

    def expected_kernels(
        self, target: float, callback: Callback | None, densest: int = 20
    ) -> tuple[int, Fitter | None]:
        """Kernels that a pilot fit predicts for a mean squared error, at most one for every `densest` pixels.

        When the callback asks to stop, the pilot itself comes with them.
        """
        stopped: list[Fitter] = []

        def stop(pilot: Fitter) -> bool:
            if self.report(callback, pilot, "find the number of kernels", 0, max(1, self.settings.iterations)):
                stopped.append(pilot)
            return bool(stopped)

        count = predict_kernels(self.pixels.shape, target, densest, self.fitter, self.settings, stop)
        return count, stopped[0] if stopped else None

    def model(self, fitter: Fitter) -> Model:
        metadata = {
            "made_by": f"napari-rsmoe {version('napari-rsmoe')}",
            "seed": self.seed,
            "preset": self.preset,
            "settings": asdict(self.settings),
        }
        return fitter.model(self.layout, metadata)


def _steps_left(step: int, began: float, seconds: float) -> int:
    """Steps for which the time is enough, at the speed so far; the first few are free."""
    if step < 2 * CHUNK:
        return 1000
    passed = clock.perf_counter() - began
    return int((seconds - passed) * step / passed)
