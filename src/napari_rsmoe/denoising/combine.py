"""The combination of the models of an ensemble: one image and its error bar."""

from __future__ import annotations

import numpy as np

from .ensemble import Ensemble
from .fusion import fuse
from .members import DISTURBANCE
from .multiscale import refine_scales
from .nonlocal_bayes import refine
from .residual import bound_residual
from .result import Estimate
from .uncertainty import error_variance


def combine(ensemble: Ensemble) -> Estimate:
    """Fuse the models, restore texture with similar patches, and estimate the error of the result."""
    observation = ensemble.observation
    noise, opponent, planes = observation.noise, observation.opponent, observation.planes
    variance, used = noise.plane_variance, ~observation.inputs.left_out
    groups = [ensemble.groups[count] for count in sorted(ensemble.groups)]
    fused = fuse(groups, planes, variance, DISTURBANCE, None if used.all() else used.astype(np.float32))
    if noise.sigma == 0:
        return Estimate(opponent.image(fused.image), np.sqrt(opponent.image_variance(fused.spread * ~used)))
    noisy = np.where(used, planes, fused.image)
    if noise.spectrum is None:
        refined = refine(noisy, fused.image, variance)
    else:
        refined = refine_scales(noisy, fused.image, variance, noise.spectrum)
    refined = bound_residual(noisy, refined, variance, uneven=noise.extreme)
    denoised = opponent.image(refined.image)
    image = noise.with_light(noise.restored(denoised), observation.inputs.pixels, used)
    if len(ensemble.models) < 2:
        return Estimate(image, np.zeros_like(image))
    white = noise.spectrum is None
    error = error_variance(refined.image, noisy, variance, fused.spread, refined.leverage, opponent, white=white)
    return Estimate(image, np.sqrt(opponent.image_variance(error)) * noise.slopes(denoised))
