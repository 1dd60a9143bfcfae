"""Super-resolution: fit models finer than the pixels of an image, draw them on a finer raster, and average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import engine
from ..checks import checked_choice
from ..door import door
from ..errors import StoppedError
from ..image.inputs import Inputs
from ..image.rounding import is_coarse, rounding_costs, typed_result
from ..model.drawing import draw
from ..model.model import Model
from ..model.raster import Raster, checked_sharpen, output_size
from ..progress import Callback, Parts, without_psnr
from ..ranges import KERNELS, MODELS, SEED, check_kernels, number_or_auto
from .job import FitJob
from .memory import upscale_settings
from .starts.placed import PlacedKernels, sampled_densities
from .subject import Subject

PIXELS_PER_KERNEL = 4
"""Pixels for each kernel of a model by default. With fewer pixels a model takes longer and begins to draw strokes, with
more it loses fine detail."""

PRESET_MODELS = {"fast": 2, "balanced": 4, "best": 8}
"""Number of models, by preset. More average out more of what each model does wrong; time grows with their number."""
PixelBox = tuple[int, int, int, int]
"""Rows and columns (y0, x0, y1, x1) of an output, as in slices."""


def fit_models(
    inputs: Inputs,
    models: int,
    n_kernels: int,
    *,
    iterations: int | None,
    seed: int,
    device: str,
    parts: Parts,
    first: int = 0,
) -> list[Model]:
    """Fit the models that `upscale` averages, each with another seed.

    If the callback of `parts` asks to stop, the finished models are returned, or the unfinished first one.

    Parameters
    ----------
    inputs : Inputs
        The image.
    models, n_kernels : int
        Number of models, and of kernels of each.
    iterations, seed, device
        As for `napari_rsmoe.upscale`.
    parts : Parts
        Parts of the whole job.
    first : int
        Number of the part that is the first model.
    """
    seed, settings = SEED.check(seed, "seed"), upscale_settings(iterations)
    subject = Subject.of(inputs, "smoe")
    height, width = inputs.pixels.shape[:2]
    density = sampled_densities(subject.pixels, (height, width), [n_kernels / (height * width)])[0]
    fitted: list[Model] = []
    for number in range(models):
        # As blocks of the image have them, so that a result does not depend on whether it was made in blocks.
        place = PlacedKernels(density, (seed, number), (0, 0))
        callback = without_psnr(parts.part(first + number, f"model {number + 1} of {models}"))

        def run(chosen: Any, place: PlacedKernels = place, callback: Callback | None = callback) -> Model:
            job = FitJob(inputs, subject, settings, {}, "smoe", seed, "upscale", chosen, place)
            return job.measured(job.run(n_kernels, callback)[0])

        try:
            model = engine.run_on(device, run)
        except StoppedError:
            if fitted:
                break  # There are finished models to keep.
            raise
        if parts.stopped and fitted:
            break  # it is unfinished, others are not
        fitted.append(model)
        if parts.stopped:
            break
    return fitted


def models_of(models: int | str, preset: str) -> int:
    """The number of models, as given or by the preset; checked."""
    usual = PRESET_MODELS[checked_choice(preset, "preset", PRESET_MODELS)]
    number: int | None = number_or_auto(models, "models", MODELS)
    return usual if number is None else number


def kernels_of(shape: tuple[int, int], n_kernels: int | None) -> int:
    """The number of kernels of a model, as given or by the number of pixels; checked."""
    height, width = shape
    if n_kernels is None:
        return max(1, height * width // PIXELS_PER_KERNEL)
    check_kernels(KERNELS.check(n_kernels, "n_kernels"), height, width)
    return n_kernels


@door
def draw_mean(
    models: Sequence[Model], *, sharpen: float = 1.0, device: str = "auto", choice: str = "same", **placing: Any
) -> np.ndarray:
    """Draw the mean of models of one image.

    Parameters
    ----------
    models : sequence of Model
        The models.
    sharpen, device, **placing
        As for `Model.render`.
    choice : {"same", "auto", "float32"}
        Data type of the result, as `dtype` of `upscale`.
    """
    layout = models[0].layout
    raster = Raster.plan(models[0].shape, models[0].channels, **placing)
    # With few levels the error of the result is below them, as far as anything is known about it.
    error = 0.0 if is_coarse(layout) else np.inf
    exact = choice == "float32" or rounding_costs(error, layout.dtype)
    drawn = draw(models, raster, sharpen=checked_sharpen(sharpen), device=device, dtype=np.float32 if exact else None)
    return typed_result(drawn, layout, error, choice) if exact else drawn


def draw_part(
    models: Sequence[Model],
    scale: float,
    sharpen: float,
    box: PixelBox | None = None,
    step: int = 1,
    *,
    device: str = "auto",
) -> np.ndarray:
    """Draw a part of what `upscale` returns, for a first impression also with fewer pixels.

    Parameters
    ----------
    models : sequence of Model
        Of one image, from `fit_models`.
    scale, sharpen, device
        As for `upscale`.
    box : (y0, x0, y1, x1), optional
        Pixels of the whole result to draw, as in slices; by default all.
    step : int
        Pixels of the result along each axis for one that is drawn, rounded up; above 1 for a first impression.

    Returns
    -------
    numpy.ndarray
        (height, width) of the box divided by `step`, in the type of the image.
    """
    height, width = models[0].shape
    rows, columns = output_size((height, width), scale)
    y0, x0, y1, x1 = box or (0, 0, rows, columns)
    tall, wide = -(-(y1 - y0) // step), -(-(x1 - x0) // step)
    y1, x1 = y0 + tall * step, x0 + wide * step
    region = (y0 * height / rows, x0 * width / columns, y1 * height / rows, x1 * width / columns)
    return draw_mean(models, region=region, shape=(tall, wide), sharpen=sharpen, device=device)
