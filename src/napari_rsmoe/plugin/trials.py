"""Try a job on small crops before it is run on the whole image, with the time that the whole will take."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..image.opacity import Opacity
from ..image.planes import Plane
from ..notes import gathered
from ..progress import Callback
from ..ui.parameters.enlarging import DEBLUR, UPSCALE
from ..ui.parameters.fitting import DRAWN
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.values import values
from .inside import kept, left_out
from .preferences import preferences, use_threads
from .source import Source

SIDE = 128
"""Side in pixels of the crops that are compared. Larger ones show more and take longer."""
PRESETS = ("fast", "balanced", "best")
NOISE_FACTORS = (0.7, 1.0, 1.4)
"""Factors of the noise that are tried: half and twice its variance, beside the noise as it is."""
SAMPLE = 512
"""Side in pixels of the part of the plane whose noise counts for all crops."""
LOOKED_AT = 1 << 20
"""Pixels of a plane that are looked at, at most, to find crops with content."""


@dataclass(frozen=True)
class Setting:
    """Settings to be tried.

    Attributes
    ----------
    label : str
        What differs, for people.
    changes : dict
        Values that replace those of the form.
    """

    label: str
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A crop with some settings.

    Attributes
    ----------
    crop, setting : int
        Their numbers.
    image : ndarray
        (Y, X) or (Y, X, C), the result.
    seconds : float
        Time that all planes of the source would take.
    """

    crop: int
    setting: int
    image: np.ndarray
    seconds: float


def settings_to_try(action: str) -> list[list[Setting]]:
    """The presets in a row, and for denoising a row for each noise factor."""
    if action != "denoise":
        return [[Setting(preset, {"preset": preset}) for preset in PRESETS]]
    return [
        [
            Setting(f"{preset}, noise x {factor:g}", {"preset": preset, "noise_factor": factor, "models": "auto"})
            for preset in PRESETS
        ]
        for factor in NOISE_FACTORS
    ]


def crops_of(plane: Source, centre: tuple[int, int] | None = None, side: int = SIDE) -> list[Source]:
    """Crops of a plane: the one in view, one with much content, and one with little.

    Parameters
    ----------
    plane : Source
        A source with entries of length one before Y and X.
    centre : (int, int), optional
        Row and column in view; by default the middle.
    side : int
        Side of the crops.
    """
    height, width = plane.size
    tall, wide = min(side, height), min(side, width)
    y, x = (height // 2, width // 2) if centre is None else centre
    corners = [(int(np.clip(y - tall // 2, 0, height - tall)), int(np.clip(x - wide // 2, 0, width - wide)))]
    spread = {
        (row, column): _spread(plane, row, column, tall, wide)
        for row in _steps(height, tall)
        for column in _steps(width, wide)
    }
    counting = [corner for corner in spread if _counts(plane.crop(*corner, corner[0] + tall, corner[1] + wide))]
    if counting and not _counts(plane.crop(*corners[0], corners[0][0] + tall, corners[0][1] + wide)):
        corners = []
    for pick in (max, min):
        free = [corner for corner in counting if not any(_alike(corner, other, tall, wide) for other in corners)]
        if free:
            corners.append(pick(free, key=lambda corner: spread[corner]))
    return [plane.crop(row, column, row + tall, column + wide) for row, column in corners]


def _counts(crop: Source) -> bool:
    """Whether any pixel of a crop is not left out."""
    return crop.mask is None or bool((np.asarray(crop.mask) == 0).any())


def _steps(length: int, side: int) -> list[int]:
    """Where crops may begin: at every half of their side, and at the end."""
    return sorted({*range(0, length - side + 1, max(1, side // 2)), length - side})


def _alike(first: tuple[int, int], second: tuple[int, int], tall: int, wide: int) -> bool:
    """Whether two crops show more than half of the same along both axes."""
    return 2 * abs(first[0] - second[0]) < tall and 2 * abs(first[1] - second[1]) < wide


def _spread(plane: Source, row: int, column: int, tall: int, wide: int) -> float:
    """Variance of some pixels of a part of a plane."""
    height, width = plane.size
    step = max(1, math.ceil(math.sqrt(height * width / LOOKED_AT)))
    pixels = pixels_of(plane.crop(row, column, row + tall, column + wide)).image[::step, ::step]
    known = pixels[np.isfinite(pixels)]
    return float(np.var(known.astype(np.float64))) if known.size else 0.0


def pixels_of(crop: Source) -> Plane:
    """The only plane of a crop, (Y, X) or (Y, X, C), without its opacity."""
    planes = crop.planes()
    return Opacity(planes, present=crop.has_alpha).removed(planes[0])


def tried(
    action: str,
    whole: Source,
    given: Mapping[str, Any],
    crops: Sequence[Source],
    settings: Sequence[Setting],
    callback: Callback,
) -> Iterator[Trial]:
    """Do a job on crops, one after the other, each with all settings.

    Parameters
    ----------
    action : {"denoise", "fit", "upscale", "deblur"}
        The job.
    whole : Source
        What the job would be done on; its size decides about the expected time, and its noise counts for all crops.
    given : mapping
        Settings of the form.
    crops : sequence of Source
        Parts of one plane of it.
    settings : sequence of Setting
        What is tried.
    callback : callable
        As of the job; its previews are of the crops.

    Raises
    ------
    StoppedError
        If the callback has asked to stop.
    """
    use_threads(preferences().threads)
    noise = _noise_of(whole, given) if action == "denoise" else None
    for number, crop in enumerate(crops):
        plane = pixels_of(crop)
        for position, setting in enumerate(settings):
            chosen = {**given, **setting.changes}
            began = time.perf_counter()
            mask = left_out(crop, plane)
            with gathered():  # What is said about crops is said again about the whole.
                image = _done(action, plane, chosen, (noise, mask), whole, callback)
            seconds = time.perf_counter() - began
            yield Trial(number, position, image, seconds * _times(action, chosen, crop, whole))


def _done(
    action: str, plane: Plane, given: Mapping[str, Any], known: tuple[Any, Any], whole: Source, callback: Callback
) -> np.ndarray:
    """The result of a job on one plane, of which the noise and the excluded pixels may be known."""
    # Imported here to save start-up time: torch takes seconds.
    from .. import deblur, denoise, fit, upscale
    from ..batch.deblur import spread_of
    from .actions import spread_in

    axis = 2 if plane.image.ndim == 3 else None
    noise, mask = known
    common: dict[str, Any] = {"channel_axis": axis, "callback": callback, "mask": mask}
    device = {"device": preferences().device}
    image: np.ndarray
    if action == "denoise":
        checked = values(PARAMETERS["denoise"], _of(PARAMETERS["denoise"], given) | device | {"checkpoint": None})
        if noise is not None and isinstance(checked["noise"], str):
            checked["noise"] = noise
        image = denoise(plane.image, **checked, **common).image
    elif action == "deblur":
        psf = given["psf"] if whole.spread is None else spread_in(whole.spread)
        checked = values(DEBLUR, {**given, **device, **({} if whole.spread is None else {"psf": ""})})
        image = deblur(plane.image, **checked | {"psf": spread_of(psf)}, **common).image
    else:
        checked = values(DRAWN if action == "fit" else UPSCALE, {**given, **device})
        share = math.prod(plane.image.shape[:2]) / math.prod(whole.size)
        if isinstance(checked["n_kernels"], int):
            checked["n_kernels"] = max(1, round(checked["n_kernels"] * share))
        if checked.get("time") is not None:
            checked["time"] = max(0.1, checked["time"] * share)
        if action == "fit":
            drawing = {"dtype": checked.pop("dtype"), **device}
            image = kept(mask, plane.image, fit(plane.image, **checked, **common).render(**drawing))
        else:
            image = upscale(plane.image, **checked, **common)
    return image


def _of(parameters: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that a table has; the others are about stacks."""
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in given.items() if name in names}


def _noise_of(whole: Source, given: Mapping[str, Any]) -> Any:
    """The noise in the middle of the first plane, which counts for all crops; None: each is measured separately."""
    # Imported here to save start-up time: torch takes seconds.
    from .. import ImageError, estimate_noise

    if given.get("noise", "auto") != "auto":
        return None
    height, width = whole.size
    y, x = max(0, (height - SAMPLE) // 2), max(0, (width - SAMPLE) // 2)
    index = [0] * (whole.ndim - 2) + [slice(None), slice(None)]
    plane = pixels_of(whole.plane_at(index).crop(y, x, y + SAMPLE, x + SAMPLE))
    try:
        with gathered():
            found = estimate_noise(plane.image, channel_axis=2 if plane.image.ndim == 3 else None)
    except ImageError:
        return None  # It is not finite there; the trials say so, or leave pixels out as the settings say.
    return found if found.sigma > 0 else None


def _times(action: str, given: Mapping[str, Any], crop: Source, whole: Source) -> float:
    """How many times longer all planes take than a crop."""
    planes = len(whole.planes())
    if action != "denoise":
        return planes * math.prod(whole.size) / math.prod(crop.size)
    # Imported here to save start-up time: torch takes seconds.
    from ..denoising.costs import expected_seconds
    from ..denoising.options import split_settings
    from ..denoising.plans import REFERENCE_NOISE, plan_ensemble

    options, _ = split_settings({name: value for name, value in given.items() if name != "checkpoint"})
    pixels = pixels_of(crop).image
    channels = pixels.shape[2] if pixels.ndim == 3 else 1

    def expected(size: tuple[int, int], *, measured: bool) -> float:
        shape = (*size, channels)
        plans = plan_ensemble(shape, options.models, options.n_kernels, REFERENCE_NOISE)
        return sum(expected_seconds(shape, plans, options.settings.iterations, measured=measured).values())

    measured = isinstance(options.noise, str)
    return planes * expected(whole.size, measured=measured) / max(expected(crop.size, measured=False), 1e-6)
