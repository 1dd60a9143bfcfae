"""Denoise an image with many models that err differently."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from os import PathLike
from typing import Any

import numpy as np
import torch

from .. import engine
from ..checks import checked_count
from ..display.pictures import display_range, to_rgb, uncertainty_range, uncertainty_rgb
from ..display.summary import bundle, size_row
from ..fitting.settings import FitSettings
from ..fitting.starts.methods import START_METHODS, make_start
from ..fitting.starts.segmentation import segmentation_options
from ..fitting.starts.start import Start
from ..image.format import ChannelAxis, ImageFormat
from ..image.inputs import Inputs
from ..image.masks import fill_mirrored
from ..image.opponent import recorrelate, recorrelated_variance
from ..model.model import Model
from ..noise.domain import NoiseModel
from ..noise.estimate import Noise, check_noise, noise_laws
from ..progress import Callback
from .checkpoint import Checkpoint, fingerprint
from .ensemble import JOB, Ensemble, Plan, WarmStart, planned_kernels
from .fusion import Floats, fuse
from .multiscale import refine_scales
from .neighbours import average, neighbour_pixels, unchanged
from .nonlocal_bayes import refine
from .residual import bound_residual
from .uncertainty import error_variance

ITERATIONS = {"fast": 100, "balanced": 100, "best": 200}
"""Optimiser steps of each model, by preset."""
MODELS = {"fast": 6, "balanced": 15, "best": 30}
"""Models, by preset."""
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
LEAST_UNCHANGED = 0.5  # share of a plane that must be as in the plane before for a warm start


@dataclass(frozen=True, repr=False)
class Denoised:
    """What `denoise` returns.

    Attributes
    ----------
    image : ndarray
        The denoised image: shape, type, range and axis order of the input.
    std : ndarray of float32
        Shape of the image, in its units: the estimated standard deviation of the error of `image`; see
        `napari_rsmoe.denoising.uncertainty`. Zero for one model.
    noise : float
        Standard deviation of the noise, in units of the image, as given or estimated; root mean square over the
        image where it depends on the value.
    models : list of Model
        The models, in the order of their plans. They see the noisy image, so each is noisier than `image`.
    """

    image: np.ndarray
    std: np.ndarray
    noise: float
    models: list[Model]

    def __repr__(self) -> str:
        return f"<Denoised image of shape {self.image.shape}: noise {self.noise:.4g}, {len(self.models)} models>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        image, std = self.image, self.std
        if self.models:
            layout = self.models[0].layout
            image, std = layout.channels_last(image), layout.channels_last(std)
        rows = {
            "size": size_row(image.shape[:2], image.shape[2] if image.ndim == 3 else 1, image.dtype),
            "noise": f"{self.noise:.4g} (standard deviation)",
        }
        counts = sorted({model.n_kernels for model in self.models})
        if counts:
            most = f" to {counts[-1]}" if len(counts) > 1 else ""
            rows["models"] = f"{len(self.models)} of {counts[0]}{most} kernels"
        pictures = {"denoised": to_rgb(image, display_range(image))}
        if len(self.models) > 1:
            high = uncertainty_range(std)
            rows["uncertainty"] = f"mean {std.mean(dtype=np.float64):.4g}, black 0, white {high:.4g} and above"
            pictures["uncertainty"] = uncertainty_rgb(std, high)
        return bundle(repr(self), pictures, rows)

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])


def denoise(
    image: Any,
    *,
    models: int | str = "auto",
    noise: Noise = "auto",
    n_kernels: int | str = "auto",
    start: str = "content",
    threshold: float | None = None,
    allotment: str | None = None,
    preset: str = "balanced",
    weight: Any = None,
    ignore_nan: bool = False,
    saturation: float | None = None,
    fill: bool = True,
    warm_start: Denoised | None = None,
    neighbours: Sequence[Any] = (),
    resume: str | PathLike[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Denoised:
    """Remove noise by averaging steered mixtures of experts that were fitted from different starts.

    The models are fused place by place, and a filter of alike patches that takes the fused image as its pilot brings
    back fine texture; see `docs/method/denoising.md`.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    models : int or "auto"
        How many models are fitted, at least 1. More is better and takes longer; below 4 all have one kernel count.
        "auto" leaves it to the preset.
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
    allotment : {"content", "area", "paper"}, optional
        Of the segmentation start: how kernels are dealt out to segments, by the gradient, by area, or as many for each
        as in the paper's release. With "paper" there may be fewer kernels than asked; fewer than there are segments
        are refused. Default "content".
    preset : {"fast", "balanced", "best"}
        How many models are fitted and how long: 6 for 100 steps, 15 for 100 or 30 for 200.
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; 0 leaves a pixel out, such as a dead one or a gap.
    ignore_nan : bool
        Leave out pixels that are NaN or infinite in any channel; otherwise they are an error.
    saturation : float, optional
        Leave out pixels that have at least this value in any channel, in units of the image.
    fill : bool
        Pixels that are left out are filled in from their surroundings. False: they keep their values, and `std` is NaN
        there.
    warm_start : Denoised, optional
        What this function returned for a neighbouring plane of the same size and number of models. Kernels begin as
        they ended there, keep their order, and take half the steps; those where the planes differ begin anew, and all
        of them do, with all steps, where less than half is the same.
    neighbours : sequence of array-like
        Other planes, such as the frames before and after, of the shape of the image: averaged with it where they show
        the same. NaN counts nowhere.
    resume : path, optional
        A folder: models are kept there as they finish, and are not fitted again when the same job is begun anew. The
        result is the same to the bit.
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
    CheckpointError
        If the folder `resume` cannot be used, or holds models of another job.
    ValueError
        If a parameter is out of range.
    """
    if preset not in ITERATIONS:
        raise ValueError(f"preset={preset!r} is not known; use one of {', '.join(ITERATIONS)}.")
    wanted = MODELS[preset] if isinstance(models, str) and models == "auto" else checked_count(models, "models")
    count = _checked_kernels(n_kernels)
    check_noise(noise)
    if start not in START_METHODS:
        raise ValueError(f"start={start!r} is not known; use one of {', '.join(START_METHODS)}.")
    options = segmentation_options(start, threshold, allotment)
    checked_count(seed, "seed", smallest=0)
    engine.resolve_device(device)  # early: the name may be wrong
    inputs = Inputs.of(image, channel_axis, weight, ignore_nan=ignore_nan, saturation=saturation)
    pixels, layout, weights, ignored = inputs.pixels, inputs.layout, inputs.weight, inputs.left_out
    noise_model = NoiseModel(noise_laws(noise, fill_mirrored(pixels, ignored), None, layout), pixels)
    working = noise_model.stabilised(pixels)
    warm = None if warm_start is None else _warm(warm_start, working, layout, noise_model, wanted, count)
    if neighbours and noise_model.sigma > 0:
        others = [noise_model.stabilised(neighbour_pixels(each, layout, pixels.shape)) for each in neighbours]
        working, share = average(working, others, noise_model.variance)
        noise_model = noise_model.averaged(share)
    settings = replace(SETTINGS, start=start, iterations=ITERATIONS[preset])
    plans = _plans(pixels.shape, wanted, count, noise_model.strength)
    if warm:
        counts = map(planned_kernels, warm.models)
        plans = [replace(plan, n_kernels=n) for plan, n in zip(plans, counts, strict=True)]
    begin = partial(_start, start, working, options)
    if allotment == "paper":  # early: the smallest models may have too few kernels
        begin(min(plan.n_kernels for plan in plans), np.random.default_rng(seed))

    def run(device: torch.device) -> Ensemble:
        ensemble = Ensemble(
            working,
            noise_model,
            layout,
            settings,
            begin,
            weights,
            seed,
            device,
            warm,
        )
        checkpoint = None
        if resume is not None:
            before = [] if warm is None else [each.numpy() for m in warm.models for each in (m.geometry, m.experts)]
            job = {
                "image": fingerprint(working, weights),
                "noise": fingerprint(noise_model.variance, noise_model.levels, noise_model.spectrum),
                "warm start": fingerprint(*before),
                "settings": asdict(settings) | options,
                "models": [asdict(plan) for plan in plans],
                "seed": seed,
                "device": device.type,
                "version of napari-rsmoe": version("napari-rsmoe"),
            }
            checkpoint = Checkpoint(resume, job)
        ensemble.run(plans, callback, checkpoint)
        return ensemble

    ensemble = engine.run_on(device, run)
    result, std = _finish(ensemble)
    restored = layout.restore(result)
    std = layout.place_channels(std * np.float32(layout.span))
    hidden = layout.place_channels(np.broadcast_to(ignored[..., None], pixels.shape))
    if not fill:
        std[hidden] = np.nan
    # What has no noise, and what is not to be filled in, stays as it is to the bit.
    as_given = (hidden & (not fill)) | (~hidden & (noise_model.sigma == 0))
    np.copyto(restored, inputs.given, where=as_given, casting="unsafe")
    return Denoised(restored, std, noise_model.sigma * layout.span, ensemble.models)


def _finish(ensemble: Ensemble) -> tuple[Floats, Floats]:
    """Result and error bar, (H, W, C) in the engine's range."""
    used = (ensemble.weight > 0).astype(np.float32)
    variance, noise = ensemble.variance, ensemble.noise
    groups = [ensemble.groups[count] for count in sorted(ensemble.groups)]
    fused = fuse(groups, ensemble.planes, variance, ensemble.strength, None if used.all() else used)
    if noise.sigma == 0:
        return recorrelate(fused.image), np.sqrt(recorrelated_variance(fused.spread * (used == 0)))
    noisy = np.where(used > 0, ensemble.planes, fused.image)
    if noise.spectrum is None:
        refined = refine(noisy, fused.image, variance)
    else:
        refined = refine_scales(noisy, fused.image, variance, noise.spectrum)
    refined = bound_residual(noisy, refined, variance)
    planes = refined.image
    denoised = recorrelate(planes)
    image = noise.restored(denoised)
    if len(ensemble.models) < 2:
        return image, np.zeros_like(image)
    white = noise.spectrum is None
    error = error_variance(planes, noisy, variance, fused.spread, refined.leverage, white=white)
    return image, np.sqrt(recorrelated_variance(error)) * noise.slopes(denoised)


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


def _warm(
    before: Denoised, working: Floats, layout: ImageFormat, noise: NoiseModel, models: int, count: int | None
) -> WarmStart | None:
    """The warm start from the plane before; None where most has changed."""
    for model in before.models:
        same_shape = (*model.shape, model.channels) == working.shape
        fits = same_shape and model.metadata.get("job") == JOB
        if not fits or (count is not None and planned_kernels(model) != count):
            raise ValueError(
                f"warm_start holds {model!r}, which does not fit an image of shape {working.shape} (Y, X, C) and the "
                "given n_kernels: give what denoise returned for a plane of this shape with these settings."
            )
    if len(before.models) != models:
        raise ValueError(f"warm_start has {len(before.models)} models; as many as models={models} are needed.")
    same = unchanged(working, noise.stabilised(neighbour_pixels(before.image, layout, working.shape)), noise.variance)
    return WarmStart(before.models, same) if same.mean() >= LEAST_UNCHANGED else None


def _checked_kernels(n_kernels: Any) -> int | None:
    if not isinstance(n_kernels, str):
        return checked_count(n_kernels, "n_kernels")
    if n_kernels != "auto":
        raise ValueError(f"n_kernels={n_kernels!r} must be 'auto' or a whole number of at least 1.")
    return None
