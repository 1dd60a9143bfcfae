"""The combination of the models of an ensemble: one image and its error bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from .. import engine
from ..arrays import Floats
from ..errors import StoppedError
from ..progress import Timetable
from .coarser import coarser_passes, refine_coarser
from .ensemble import Ensemble
from .feedback import passes_for, refine_by_feedback
from .fusion import fuse
from .members import DISTURBANCE
from .multiscale import LEAST_CORRELATED, passes_of_scales, refine_scales_with_noise
from .nonlocal_bayes import Refined, filter_tasks, passes_after
from .observation import Observation
from .residual import LEAST_PHOTONS, REMEASURED, bound_residual, refine_with_noise
from .result import Estimate, Whole
from .through_planes import refine_through
from .uncertainty import calibration, correlated_calibration, error_variance, with_light

Value = TypeVar("Value")
MOMENT = 1.0
"""Expected seconds up to which a job that was stopped is brought to its usual end. More make the reaction to a stop
slower, fewer give noisier results of small images that were stopped."""

STRIP = 1 << 16
"""Pixels of the strips in which the result of a stopped job is made. Larger ones leave the cache of the processor."""


def combine(ensemble: Ensemble, times: Timetable, whole: Whole | None = None) -> Estimate:
    """Fuse the models, restore texture with similar patches, and estimate the error of the result.

    If the job is stopped, its models are fused and filtered only if that takes a moment; else the result is their mean,
    whose error is not known. `whole` holds what was found for the image of which this one is a block.
    """
    moment = times.remaining("fusion") <= MOMENT
    if times.stopped and not moment:
        return _mean(ensemble)
    try:
        return _combined(ensemble, None if times.stopped else times, whole)
    except StoppedError:
        return _mean(ensemble)


def _combined(ensemble: Ensemble, times: Timetable | None, whole: Whole | None) -> Estimate:
    """The combination of all stages, each of which reports to the timetable and may raise StoppedError."""

    def stage(name: str, work: Callable[[], Value], tasks: int | None = None) -> Value:
        return engine.attended(work, None if times is None else times.during(name), tasks)

    observation = ensemble.observation
    noise, opponent, planes = observation.noise, observation.opponent, observation.planes
    variance, used = noise.plane_variance, ~observation.inputs.left_out
    groups = [ensemble.groups[count] for count in sorted(ensemble.groups)]
    counted = None if used.all() else used.astype(np.float32)
    fused = stage("fusion", lambda: fuse(groups, planes, variance, DISTURBANCE, counted))
    if noise.sigma == 0:
        return Estimate(opponent.image(fused.image), np.sqrt(opponent.image_variance(fused.spread * ~used)))
    noisy = np.where(used, planes, fused.image)
    spectrum = noise.spectrum
    models = len(ensemble.models)

    def restore_texture() -> tuple[Refined, float]:
        return _textured(observation, noisy, fused.image, counted, models, None if whole is None else whole.noise)

    tasks = _filter_tasks(observation, models) if spectrum is None else None
    refined, power = stage("filter", restore_texture, tasks)
    left = variance * np.float32(power)

    def finish() -> Estimate:
        bounded = bound_residual(noisy, refined, left, uneven=noise.uneven)
        denoised = opponent.image(bounded.image)
        engine.pause()
        restored = noise.restored(denoised)
        facts = whole
        if facts is None:
            light = noise.light(restored, observation.inputs.pixels, used)
            facts = Whole(_calibration(observation, bounded, noisy, left, counted), light, power)
        image = noise.with_light(restored, facts.light, observation.inputs.pixels, counted)
        if models < 2:
            return Estimate(image, np.zeros_like(image), facts)
        engine.pause()
        error = error_variance(left, fused.spread, bounded.leverage, calibration=facts.calibration, models=models)
        std = np.sqrt(opponent.image_variance(error)) * noise.slopes(denoised)
        return Estimate(image, _with_light(std, observation, image, power), facts)

    estimate = stage("error bar", finish)
    if times is not None:
        times.report("error bar", 1.0)
    return estimate


def _calibration(
    observation: Observation, estimate: Refined, noisy: Floats, left: Floats, used: Floats | None
) -> Floats:
    """What recalibrates the error bar of each plane (C,)."""
    if observation.noise.spectrum is not None:
        return correlated_calibration(estimate.leverage, used, observation.opponent)
    opponent, helped = observation.opponent, observation.helped
    return calibration(estimate.image, noisy, left, estimate.leverage, used, opponent, helped=helped)


def _with_light(std: Floats, observation: Observation, image: Floats, power: float) -> Floats:
    """The error bar (H, W, C) with what the light of photons may differ by."""
    noise = observation.noise
    if noise.even or noise.spectrum is not None:
        return std
    return with_light(std, noise.light_of(image), np.float32(math.sqrt(power)) * noise.deviation_of(image))


def _filter_tasks(observation: Observation, models: int) -> int:
    """Number of tasks of the filter for white noise."""
    shape = observation.planes.shape
    through = () if observation.around is None else observation.around.passes
    passes = passes_after(models) + passes_for(models) + through
    coarser = coarser_passes(shape) if _has_levels(observation, models) else []
    return filter_tasks(shape, passes) + sum(filter_tasks(*level) for level in coarser)


def _has_levels(observation: Observation, models: int) -> bool:
    """Whether coarser levels correct the estimate: where the time for feedback is given, in images that stand alone.

    The noise of an average of planes is weak, and most of what is left of it is not in low frequencies.
    """
    return bool(passes_for(models)) and not observation.helped


def _textured(
    observation: Observation,
    noisy: Floats,
    pilot: Floats,
    used: Floats | None,
    models: int,
    power: float | None,
) -> tuple[Refined, float]:
    """Restore texture in a fused image with similar patches; and the variance of the noise, relative to the model's."""
    noise, opponent = observation.noise, observation.opponent
    variance = noise.plane_variance
    correlated = noise.spectrum is not None
    # To measure correlated noise again takes as long as the filter itself.
    if power is None and not (observation.measured and (passes_for(models) or not correlated)):
        power = 1.0
    least, certain = LEAST_CORRELATED if correlated else REMEASURED[0], used
    if power is None and not noise.even:
        least, certain = LEAST_PHOTONS, noise.where_photons(opponent.image(pilot), used)
    if noise.spectrum is not None:
        passes = passes_of_scales(passes_after(models))
        return refine_scales_with_noise(noisy, pilot, variance, noise.spectrum, certain, power, least, passes)
    first, power = refine_with_noise(noisy, pilot, variance, certain, power, least, passes_after(models))
    even = variance * np.float32(power)
    alone = refine_by_feedback(noisy, first, pilot, even, used, opponent, passes_for(models))
    if _has_levels(observation, models):
        alone = refine_coarser(noisy, alone, even, used, opponent)
    if observation.around is None:
        return alone, power
    return refine_through(alone, even, observation.around, used, opponent, power), power


def _mean(ensemble: Ensemble) -> Estimate:
    """The mean of the models, whose error is not known.

    It is made in strips that fit the cache of the processor, on all threads, as the user who has stopped the job waits.
    """
    observation = ensemble.observation
    noise, opponent = observation.noise, observation.opponent
    groups = ensemble.groups.values()
    models = sum(group.count for group in groups)
    height, width, _ = observation.pixels.shape
    image = np.empty(observation.pixels.shape, np.float32)
    step = max(1, STRIP // width)

    def make(rows: slice) -> None:
        mean = sum(np.float32(group.count / models) * group.mean_of(rows) for group in groups)
        image[rows] = noise.restored(opponent.image(np.asarray(mean, np.float32)))

    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        list(pool.map(make, [slice(first, first + step) for first in range(0, height, step)]))
    return Estimate(image, np.full_like(image, np.nan))
