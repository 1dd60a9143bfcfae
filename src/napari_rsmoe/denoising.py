"""Denoise an image with many models that err differently."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from . import engine
from .checks import checked_count, checked_positive, prepare_weighted
from .colours import recorrelate, recorrelated_variance
from .ensemble import Ensemble, Plan
from .fusion import Floats, fuse
from .images import ChannelAxis
from .model import Model
from .noise_estimate import Noise, check_noise, noise_laws
from .noise_model import NoiseModel
from .nonlocal_bayes import refine
from .progress import Callback
from .settings import FitSettings
from .starts import START_METHODS, Start, make_start

ITERATIONS = {"fast": 50, "balanced": 100, "best": 200}
"""Optimiser steps of each model, by preset."""
SETTINGS = FitSettings(
    rate_position=0.2, rate_steering=0.2, rate_logit=0.2, rate_expert=0.02,
    final_position=0.1, final_steering=0.1, final_logit=0.1, final_expert=0.1,
    betas=(0.85, 0.95), tau=7.0, list_interval=10, list_margin=2.0, relocate=0.0,
)  # fmt: skip
COARSEST, FINEST = 655.0, 19.0  # pixels for each kernel, at noise REFERENCE_NOISE
REFERENCE_NOISE = 0.1 / math.sqrt(3)  # of the range, in the mean of the channels
NOISE_POWER = 0.5  # the kernel counts fall with this power of the noise
MOST_COUNTS = 5  # different kernel counts
TILE = 16


@dataclass(frozen=True, repr=False)
class Denoised:
    """What `denoise` returns.

    Attributes
    ----------
    image : ndarray
        The denoised image: shape, type, range and axis order of the input.
    std : ndarray of float32
        Shape of the image, in its units: how far the models are from each other, scaled so that its mean square is the
        estimated mean squared error (of the models, which are not refined yet). Zero for one model.
    noise : float
        Standard deviation of the noise, in units of the image, as given or estimated; root mean square over the
        image where it depends on the value.
    models : list of Model
        The models, in the order they were fitted. They see the noisy image, so each is noisier than `image`.
    """

    image: np.ndarray
    std: np.ndarray
    noise: float
    models: list[Model]

    def __repr__(self) -> str:
        return f"<Denoised image of shape {self.image.shape}: noise {self.noise:.4g}, {len(self.models)} models>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from .summary import denoised_bundle

        return denoised_bundle(self)

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])


def denoise(
    image: Any,
    *,
    models: int = 20,
    noise: Noise = "auto",
    n_kernels: int | str = "auto",
    start: str = "content",
    threshold: float | None = None,
    preset: str = "balanced",
    weight: Any = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Denoised:
    """Remove noise by averaging steered mixtures of experts that were fitted from different starts.

    The models are fused place by place, and a filter of alike patches that takes the fused image as its pilot brings
    back fine texture; see `docs/denoising.md`.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    models : int
        How many models are fitted, at least 1. More is better and takes longer; below 4 all have one kernel count.
    noise : float, PoissonGaussian, (float, float, float), NoiseEstimate or "auto"
        Standard deviation of even noise; or gain, offset and read noise of a camera or photon counter; in units of
        the image. Or what `estimate_noise` found, in this image or another one like it. "auto" estimates it; an image
        in which it finds none is returned as it is.
    n_kernels : int or "auto"
        Kernels of each model. "auto" fits models of up to 5 counts in turn, by the noise and the size of the image,
        and lets each place of each colour channel take the counts with the lowest estimated risk.
    start : {"content", "segmentation", "random"}
        Where kernels begin.
    threshold : float, optional
        Of the segmentation start: largest step of colour within a segment, in 0..255 of the image's range; the paper
        takes 10 and 20. Default 20.
    preset : {"fast", "balanced", "best"}
        How long each model is fitted: 50, 100 or 200 steps.
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; 0 ignores a pixel, such as a dead one, and fills it in.
    seed : int
        Same seed, same machine: the same result to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps; returning True stops, and the result is made of the models that are
        finished, or of the unfinished first one.

    Returns
    -------
    Denoised

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.
    ValueError
        If a parameter is out of range.
    """
    models = checked_count(models, "models")
    count = _checked_kernels(n_kernels)
    check_noise(noise)
    if start not in START_METHODS:
        raise ValueError(f"start={start!r} is not known; use one of {', '.join(START_METHODS)}.")
    if threshold is not None and start != "segmentation":
        raise ValueError(f"threshold is for start='segmentation', not {start!r}.")
    checked_count(seed, "seed", smallest=0)
    if preset not in ITERATIONS:
        raise ValueError(f"preset={preset!r} is not known; use one of {', '.join(ITERATIONS)}.")
    engine.resolve_device(device)  # early: the name may be wrong
    pixels, layout, weights = prepare_weighted(image, channel_axis, weight)
    used = None if weights is None else weights > 0
    noise_model = NoiseModel(noise_laws(noise, pixels, used, layout), pixels)
    working = noise_model.stabilised(pixels)
    options = {} if threshold is None else {"threshold": checked_positive(threshold, "threshold")}

    def run(device: torch.device) -> Ensemble:
        ensemble = Ensemble(
            working,
            noise_model,
            layout,
            replace(SETTINGS, iterations=ITERATIONS[preset]),
            partial(_start, start, working, options),
            weights,
            seed,
            device,
        )
        ensemble.run(_plans(pixels.shape, models, count, noise_model.strength), callback)
        return ensemble

    ensemble = engine.run_on(device, run)
    result, std = _finish(ensemble)
    untouched = noise_model.sigma == 0 and weights is None
    return Denoised(
        np.array(image) if untouched else layout.restore(result),
        layout.place_channels(std * np.float32(layout.span)),
        noise_model.sigma * layout.span,
        ensemble.models,
    )


def _finish(ensemble: Ensemble) -> tuple[Floats, Floats]:
    """Result and error bar, (H, W, C) in the engine's range."""
    used = (ensemble.weight > 0).astype(np.float32)
    all_used = bool(used.all())
    variance, noise = ensemble.variance, ensemble.noise
    groups = [ensemble.groups[count] for count in sorted(ensemble.groups)]
    fused = fuse(groups, ensemble.planes, variance, ensemble.strength, None if all_used else used)
    planes = fused.image
    if noise.sigma > 0:
        noisy = ensemble.planes if all_used else np.where(used > 0, ensemble.planes, planes)
        planes = refine(noisy, planes, variance, noise.patch_correlation(engine.PATCH_SIDE)).image
    denoised = recorrelate(planes)
    # The models share the noise of the image, so their spread alone is too narrow or too wide by some factor.
    spread = float(fused.spread.mean(dtype=np.float64))
    factor = min(max(fused.error / spread, 0.25), 4.0) if fused.error > 0 and spread > 0 else 1.0
    std = np.sqrt(recorrelated_variance(fused.spread) * np.float32(factor))
    return noise.restored(denoised), std * noise.slopes(denoised)


def _plans(shape: tuple[int, ...], models: int, n_kernels: int | None, sigma: float) -> list[Plan]:
    """What to fit: kernel counts in turn, tile grids spread over the tile (a lattice of the golden ratio)."""
    pixels, channels = shape[0] * shape[1], shape[2]
    if n_kernels is None:
        # At least two models of each count, as their risk is told from how they differ.
        steps = min(MOST_COUNTS, max(1, models // 2))
        noise = min(max(sigma / math.sqrt(channels) / REFERENCE_NOISE, 0.25), 4.0) ** NOISE_POWER
        # With all counts the ends are taken, with fewer the middles of as many parts.
        inside = (np.arange(steps) + 0.5) / steps if steps < MOST_COUNTS else np.linspace(0, 1, steps)
        ladder = COARSEST * (FINEST / COARSEST) ** inside
        # From the middle outwards, so that the first few models already serve most images.
        ladder = ladder[np.argsort(np.abs(np.arange(steps) - (steps - 1) / 2 - 0.1), kind="stable")]
        counts = [max(1, round(pixels / (each * noise))) for each in ladder]
    else:
        counts = [n_kernels]
    golden = (math.sqrt(5) - 1) / 2
    shifts = [(TILE * h // models, int(TILE * (h * golden % 1))) for h in range(models)]
    return [Plan(counts[h % len(counts)], shift) for h, shift in enumerate(shifts)]


def _start(name: str, pixels: Floats, options: dict[str, Any], n_kernels: int, rng: np.random.Generator) -> Start:
    return make_start(name, pixels, n_kernels, rng, **options)


def _checked_kernels(n_kernels: Any) -> int | None:
    if not isinstance(n_kernels, str):
        return checked_count(n_kernels, "n_kernels")
    if n_kernels != "auto":
        raise ValueError(f"n_kernels={n_kernels!r} must be 'auto' or a whole number of at least 1.")
    return None
