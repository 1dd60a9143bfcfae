"""The jobs of the plugin without a window: from sources to outputs. Everything here may run on a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import StoppedError
from ..image.each_plane import PlaneResult, Planewise, each_plane, map_planes
from ..image.opacity import Opacity
from ..image.planes import Plane
from ..image.rounding import rounding_costs
from ..notes import Notes, note
from ..progress import Callback, Progress, pause
from ..ui.parameters.denoising import PLANE, STACK
from ..ui.parameters.enlarging import DEBLUR, UPSCALE
from ..ui.parameters.fitting import DRAWN
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.values import values
from .inside import kept, left_out
from .layers.outputs import Output, image_output, residual_output, std_output
from .preferences import preferences, use_threads
from .record import make_record
from .source import Source, Spread

if TYPE_CHECKING:
    from ..enlarging.enlargement import Enlargement
    from ..model.model import Model

SAMPLE_SIDE = 512
"""Side in pixels of the part of an image whose noise is measured before it is sharpened. Larger parts take longer."""
MOST_PIXELS = (0.01, 0.99)
"""Quantiles between which most pixels lie, so that a few extreme ones do not set the range."""
Options = Mapping[str, Any]
Value = TypeVar("Value")


@dataclass(frozen=True)
class PlaneModels:
    """The models of one plane, by its index in the result: one for a fit, several for super-resolution."""

    index: tuple[int | slice, ...]
    models: list[Model]
    enlargement: Enlargement | None = None
    """The models with what belongs to drawing them larger; None for a fit."""


@dataclass(frozen=True)
class Result:
    """The result of a job.

    Attributes
    ----------
    outputs : list of Output
        New layers.
    planes : list of PlaneModels
        Models of the planes; empty for denoising.
    record : dict
        See `record`.
    source : Source
        The processed image.
    """

    outputs: list[Output]
    planes: list[PlaneModels]
    record: dict[str, Any]
    source: Source


def denoise(source: Source, given: Options, callback: Callback | None = None, **show: bool) -> Result:
    """Denoise every plane.

    Parameters
    ----------
    source : Source
        The image.
    given : mapping
        Values that differ from the defaults of `parameters.PARAMETERS["denoise_stack"]`.
    callback : callable, optional
        As for `napari_rsmoe.denoise`; its previews have the shape of one plane of `source.data`.
    **show : bool
        `std`, `residual`: further outputs, by their names in `ui.parameters.outputs`.
    """
    # Imported here to save start-up time: torch takes seconds.
    from ..denoising.stack import Series

    settings = _settings(PARAMETERS["denoise_stack"], given)
    series = Series(
        source.planes(),
        {parameter.name: settings[parameter.name] for parameter in PLANE},
        mask=source.mask,
        opacity=_opacity(source),
        **{parameter.name: settings[parameter.name] for parameter in STACK},
    )

    def work(plane: Plane, report: Callback) -> PlaneResult[float]:
        done = series.denoise(plane, report)
        known = done.noise > 0 and len(done.models) > 1  # Where nothing is known, an error of 0 would claim certainty.
        return PlaneResult([done.image, done.std if known else np.full_like(done.std, np.nan)], done.noise)

    planes, metrics, finished = _run(source, work, callback, unknown=(1,))
    image, std = planes.images
    metrics["noise"] = float(np.mean(planes.values))
    record = make_record("denoise", source, settings, metrics)
    outputs = [image_output(source, image, f"{source.name} denoised{_ending(metrics)}", "image", record)]
    if show.get("std") and (error_bar := std_output(source, std, record)) is not None:
        outputs.append(error_bar)
    if show.get("residual"):
        outputs.append(residual_output(source, image, record, finished))
    return Result(outputs, [], record, source)


def fit(source: Source, given: Options, callback: Callback | None = None, **show: bool) -> Result:
    """Fit a model to every plane, as `denoise`, with `parameters.DRAWN`; `show` takes `model` and `residual`."""
    # Imported here to save start-up time: torch takes seconds.
    from .. import fit as fit_image
    from .. import ssim
    from ..model.quality import kernel_errors
    from .editing import EditableKernels
    from .layers.kernels import kernels_output

    settings = _settings(DRAWN, given)
    dtype = settings.pop("dtype")
    errors: list[np.ndarray] = []
    figures: dict[str, list[float]] = {"psnr": [], "ssim": []}

    def work(plane: Plane, report: Callback) -> PlaneResult[PlaneModels]:
        last = _Last(report)
        mask = left_out(source, plane)
        model = fit_image(plane.image, **settings, mask=mask, channel_axis=_channels(plane), callback=last)
        if "psnr" in model.metadata:
            figures["psnr"].append(model.metadata["psnr"])
        if dtype == "same":
            _say_what_rounding_costs(model)

        def measure() -> np.ndarray:
            drawn = kept(mask, plane.image, model.render(device=settings["device"], dtype=dtype))
            pause()
            if np.isfinite(plane.image).all() and np.ptp(plane.image) > 0 and min(plane.image.shape[:2]) >= 11:
                # The range of two images of one type is known by itself.
                span = None if drawn.dtype == plane.image.dtype else model.metadata["data_range"]
                figures["ssim"].append(ssim(drawn, plane.image, data_range=span, channel_axis=_channels(plane)))
            pause()
            errors.append(kernel_errors(model, plane.image, device=settings["device"]))
            return drawn

        try:
            drawn = last.attend(measure)
        except StoppedError:
            drawn = kept(mask, plane.image, model.render(device=settings["device"], dtype=dtype))
            errors.append(np.full(model.n_kernels, np.nan))
        return PlaneResult([drawn], PlaneModels(source.placed(plane.index), [model]))

    planes, metrics, finished = _run(source, work, callback)
    (image,), fitted = planes.images, planes.values
    metrics |= {name: float(np.mean(all_)) for name, all_ in figures.items() if all_}
    metrics["data_range"] = max(plane.models[0].metadata["data_range"] for plane in fitted)
    metrics["kernels"] = sum(plane.models[0].n_kernels for plane in fitted)
    record = make_record("fit", source, {**settings, "dtype": dtype}, metrics)
    name = f"{source.name} fit {metrics['kernels']} kernels{_ending(metrics)}"
    outputs = [image_output(source, image, name, "image", record)]
    if show.get("model", True):
        leads = [source.lead(plane.index) for plane in fitted]
        table = EditableKernels([plane.models[0] for plane in fitted], leads, errors)
        outputs.append(kernels_output(table, source.place, f"{name}: kernels", record, preferences().drawn_kernels))
    if show.get("residual"):
        outputs.append(residual_output(source, image, record, finished))
    return Result(outputs, fitted, record, source)


def _say_what_rounding_costs(model: Model) -> None:
    """Note that rounding to the type of the image costs more than a tenth of the error of the fit, if it does."""
    from ..model.output_type import fit_error  # here: torch takes seconds to load

    if rounding_costs(fit_error(model), model.layout.dtype):
        kind = np.dtype(model.layout.dtype).name
        note(f"rounding to {kind} costs more than a tenth of the error of the fit; “Data type” float32 keeps fractions")


def upscale(source: Source, given: Options, callback: Callback | None = None, **show: bool) -> Result:
    """Enlarge every plane as `napari_rsmoe.upscale` does, and keep the models to render them again.

    `show` takes `bicubic` (cubic interpolation for comparison) and `std`. Otherwise as `denoise`, with
    `UPSCALE`.
    """
    # Imported here to save start-up time: torch takes seconds.
    from ..enlarging.upscale import enlargement_of, result_of
    from ..image.resize import cubic
    from ..model.raster import output_size

    settings = _settings(UPSCALE, given)
    sharpen, dtype = settings.pop("sharpen"), settings.pop("dtype")

    def work(plane: Plane, report: Callback) -> PlaneResult[PlaneModels]:
        last = _Last(report)
        settings_of_plane = {**settings, "mask": left_out(source, plane), "channel_axis": _channels(plane)}
        prepared, refining = enlargement_of(plane.image, **settings_of_plane, callback=last)
        done = result_of(prepared, settings["scale"], sharpen, dtype, refining)
        return PlaneResult([done.image, done.std], PlaneModels(source.placed(plane.index), prepared.models, prepared))

    planes, metrics, _ = _run(source, work, callback, unknown=(1,))
    image, std = planes.images
    metrics |= _noise_of(source)
    settings |= {"sharpen": sharpen, "dtype": dtype}
    record = make_record("upscale", source, settings, metrics)
    name = f"{source.name} x{settings['scale']:g}"
    if settings["sharpen"] != 1:
        name += f" sharpened {settings['sharpen']:g}"
    outputs = [image_output(source, image, name + _ending(metrics), "image", record)]
    if show.get("std") and (error_bar := std_output(source, std, record)) is not None:
        outputs.append(error_bar)
    if show.get("bicubic"):
        size = output_size(source.size, settings["scale"])
        smooth = map_planes(lambda plane: cubic(plane, size), source.data, source.axes)
        outputs.append(image_output(source, smooth, f"{source.name} x{settings['scale']:g} bicubic", "bicubic", record))
    return Result(outputs, planes.values, record, source)


def deblur(source: Source, given: Options, callback: Callback | None = None, **show: bool) -> Result:
    """Deconvolve every plane, with `DEBLUR`; `source.spread` takes the place of its point spread function.

    `show` takes `std`. Otherwise as `denoise`.
    """
    # Imported here to save start-up time: torch takes seconds.
    from ..batch.deblur import spread_of
    from ..enlarging.deblur import deblur as deblur_image

    settings = _settings(DEBLUR, given)
    numbers = settings.pop("psf")
    psf = spread_of(numbers) if source.spread is None else spread_in(source.spread)

    def work(plane: Plane, report: Callback) -> PlaneResult[float]:
        mask = left_out(source, plane)
        done = deblur_image(plane.image, psf, **settings, mask=mask, channel_axis=_channels(plane), callback=report)
        return PlaneResult([done.image, done.std], float(done.noise))

    planes, metrics, _ = _run(source, work, callback, unknown=(1,))
    image, std = planes.images
    metrics["noise"] = float(np.mean(planes.values))
    settings |= {} if source.spread is not None else {"psf": numbers}
    record = make_record("deblur", source, settings, metrics)
    scale = "" if settings["scale"] == 1 else f" x{settings['scale']:g}"
    outputs = [image_output(source, image, f"{source.name} deblurred{scale}{_ending(metrics)}", "image", record)]
    if show.get("std") and (error_bar := std_output(source, std, record)) is not None:
        outputs.append(error_bar)
    return Result(outputs, [], record, source)


def spread_in(spread: Spread) -> np.ndarray:
    """The point spread function that a layer shows, or that is measured from its beads."""
    from ..enlarging.psf import measure_psf, point_spread  # here, as it loads SciPy

    pixels = np.asarray(spread.values)
    return measure_psf(pixels) if spread.beads else point_spread(pixels)


ACTIONS: dict[str, Callable[..., Result]] = {"denoise": denoise, "fit": fit, "upscale": upscale, "deblur": deblur}


def _settings(parameters: Any, given: Options) -> dict[str, Any]:
    """All keywords, checked, with the device and the number of threads of the preferences."""
    chosen = preferences()
    settings = values(parameters, {"device": chosen.device, **given})
    use_threads(chosen.threads)
    return settings


def _channels(plane: Plane) -> int | None:
    return 2 if plane.image.ndim == 3 else None


def _opacity(source: Source) -> Opacity:
    return Opacity(source.planes(), present=source.has_alpha)


class _Last:
    """A callback that goes on reporting its last progress while what follows is computed.

    Parameters
    ----------
    report : callable
        The callback of the plane.
    """

    def __init__(self, report: Callback) -> None:
        self._report = report
        self._progress: Progress | None = None
        self.stopped = False

    def __call__(self, progress: Progress) -> bool:
        self._progress = progress
        self.stopped = bool(self._report(progress))
        return self.stopped

    def attend(self, work: Callable[[], Value]) -> Value:
        """Do further work. Raises StoppedError if the job has been stopped, or is stopped meanwhile."""
        from ..engine.attention import attended  # here, as it loads torch

        progress = self._progress
        if self.stopped:
            raise StoppedError()
        return attended(work, None if progress is None else lambda share: self(progress))


def _noise_of(source: Source) -> dict[str, float]:
    """The noise in the middle of the first plane, and its fraction of the range of most pixels there."""
    # Imported here to save start-up time: torch takes seconds.
    from .. import ImageError
    from ..image.inputs import Inputs
    from ..noise.measure import measure_noise

    plane = _opacity(source).removed(source.planes()[0])
    y, x = (max(0, (n - SAMPLE_SIDE) // 2) for n in plane.image.shape[:2])
    try:
        inputs = Inputs.of(plane.image[y : y + SAMPLE_SIDE, x : x + SAMPLE_SIDE], _channels(plane))
    except ImageError:
        return {}  # The middle is not finite; the job itself has told the user, or worked around it.
    model = measure_noise(inputs.pixels)
    sigma = float(np.sqrt(np.mean([noise.variance(inputs.pixels[..., c].astype(np.float64)).mean()
                                   for c, noise in enumerate(model.channels)])))  # fmt: skip
    low, high = np.quantile(inputs.pixels, MOST_PIXELS)
    share = sigma / max(float(high - low), float(np.finfo(np.float32).tiny))
    return {"noise": sigma * inputs.layout.span, "noise_share": share}


def _ending(metrics: Mapping[str, Any]) -> str:
    """What the name of a result says if the job was stopped."""
    done, planes = metrics["planes_done"], metrics["planes"]
    if not metrics["stopped"]:
        return ""
    return f" (stopped, {done} of {planes} planes)" if done < planes else " (stopped)"


def _run(
    source: Source,
    work: Callable[[Plane, Callback], PlaneResult[Value]],
    callback: Callback | None,
    unknown: Container[int] = (),
) -> tuple[Planewise[Value], dict[str, Any], set[int]]:
    """Apply `work` to all planes of a source.

    Planes that are not finished because the job was stopped are zero in the results, and NaN in those whose numbers are
    in `unknown`. Returns the results, the common metrics, and the numbers of the planes that were finished.
    """
    started = time.perf_counter()
    planes = source.planes()
    finished: set[int] = set()
    notes = Notes()

    def noted(plane: Plane, report: Callback) -> PlaneResult[Value]:
        with notes.on(plane.label):
            done = work(plane, report)
        finished.add(plane.number)
        return done

    with notes.on(""):
        if source.outside_name:
            shape = f"the shape in {source.outside_name!r}"
            note(f"only what lies inside of {shape} counts; the rest of its box stays as it is")
        done = each_plane(
            planes,
            noted,
            opacity=_opacity(source),
            create=lambda number, shape, dtype: np.full(shape, np.nan if number in unknown else 0, dtype),
            callback=callback,
        )
    metrics = {
        "seconds": round(time.perf_counter() - started, 3),
        "planes": len(planes),
        "planes_done": len(done.values) + len(done.empty),
        "stopped": done.stopped,
        "notes": notes.lines(),
    }
    return done, metrics, finished
