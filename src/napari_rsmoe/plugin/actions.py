"""What the plugin does to an image, without a window: sources in, outputs out. Anything here may run on a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..progress import Callback, PlaneParts
from ..ui.parameters import DENOISE, FIT, STACK, UPSCALE, values
from .layers.outputs import Output, image_output, residual_output, uncertainty_output
from .names import METADATA_KEY
from .preferences import preferences, use_threads
from .record import make_record
from .source import Source

if TYPE_CHECKING:
    from ..image.planes import Plane
    from ..model.model import Model

Options = Mapping[str, Any]


@dataclass(frozen=True)
class PlaneModels:
    """The models of one plane: one of a fit, several of an enlargement."""

    index: tuple[int | slice, ...]
    models: list[Model]


@dataclass(frozen=True)
class Result:
    """What a job returns.

    Attributes
    ----------
    outputs : list of Output
        New layers.
    planes : list of PlaneModels
        What they were drawn from; empty for denoising.
    record : dict
        See `record`.
    source : Source
        What it was made of.
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
        Values that differ from the defaults of `parameters.DENOISE` and `parameters.STACK`.
    callback : callable, optional
        As for `napari_rsmoe.denoise`; its previews have the shape of one plane of `source.data`.
    **show : bool
        `uncertainty`, `residual`: further outputs.
    """
    from ..denoising.stack import Series

    settings = _settings((*DENOISE, *STACK), given)
    series = Series(
        source.planes(),
        {parameter.name: settings[parameter.name] for parameter in DENOISE},
        weight=None if source.mask is None else np.asarray(source.mask) == 0,
        read=lambda plane: plane.image[..., :3] if source.has_alpha else plane.image,
        **{parameter.name: settings[parameter.name] for parameter in STACK},
    )
    levels: list[float] = []

    def work(plane: Plane, report: Callback) -> list[np.ndarray]:
        done = series.denoise(plane, report)
        levels.append(done.noise)
        return [done.image, done.std]

    planes = _Planes(source, callback)
    started = time.perf_counter()
    image, std = planes.run(work)
    metrics = planes.metrics(started) | {"noise": float(np.mean(levels)) if levels else 0.0}
    record = make_record("denoise", source, settings, metrics)
    outputs = [image_output(source, image, f"{source.name} denoised", "image", record)]
    if show.get("uncertainty") and settings["models"] != 1:
        outputs.append(uncertainty_output(source, std, record))
    if show.get("residual"):
        outputs.append(residual_output(source, image, record))
    return Result(outputs, [], record, source)


def fit(source: Source, given: Options, callback: Callback | None = None, **show: bool) -> Result:
    """Fit a model to every plane. `show`: `kernels`, `residual`. Else as `denoise`, with `parameters.FIT`."""
    from .. import fit as fit_image
    from .. import psnr, ssim
    from ..model.quality import kernel_errors
    from .editing import EditableKernels
    from .layers.kernels import kernels_output

    settings = _settings(FIT, given)
    fitted: list[PlaneModels] = []
    errors: list[np.ndarray] = []
    figures: dict[str, list[float]] = {"psnr": [], "ssim": []}

    def work(plane: Plane, report: Callback) -> list[np.ndarray]:
        model = fit_image(plane.image, **settings, channel_axis=_channels(plane), callback=report)
        drawn = model.render(device=settings["device"])
        if np.ptp(plane.image) > 0:
            figures["psnr"].append(psnr(drawn, plane.image))
            if min(plane.image.shape[:2]) >= 11:
                figures["ssim"].append(ssim(drawn, plane.image, channel_axis=_channels(plane)))
        fitted.append(PlaneModels(plane.index, [model]))
        errors.append(kernel_errors(model, plane.image, device=settings["device"]))
        return [drawn]

    planes = _Planes(source, callback)
    started = time.perf_counter()
    (image,) = planes.run(work)
    metrics = planes.metrics(started) | {name: float(np.mean(all_)) for name, all_ in figures.items() if all_}
    metrics["kernels"] = sum(plane.models[0].n_kernels for plane in fitted)
    record = make_record("fit", source, settings, metrics)
    name = f"{source.name} fit {metrics['kernels']} kernels"
    outputs = [image_output(source, image, name, "image", record)]
    if show.get("kernels", True) and fitted:
        leads = [source.lead(plane.index) for plane in fitted]
        table = EditableKernels([plane.models[0] for plane in fitted], leads, errors)
        outputs.append(kernels_output(table, source.place, f"{name}: kernels", record, preferences().drawn_kernels))
    if show.get("residual"):
        outputs.append(residual_output(source, image, record))
    return Result(outputs, fitted, record, source)


def upscale(source: Source, given: Options, callback: Callback | None = None, **show: bool) -> Result:
    """Enlarge every plane, as `napari_rsmoe.upscale` does, and keep the models to draw them again.

    `show`: `bicubic` (cubic interpolation for comparison). Else as `denoise`, with `parameters.UPSCALE`.
    """
    from ..fitting.upscale import fit_models
    from .enlarging import cubic, draw

    settings = _settings(UPSCALE, given)
    fitting = {name: value for name, value in settings.items() if name not in ("scale", "sharpen")}
    fitted: list[PlaneModels] = []

    def work(plane: Plane, report: Callback) -> list[np.ndarray]:
        models = fit_models(plane.image, **fitting, channel_axis=_channels(plane), callback=report)
        fitted.append(PlaneModels(plane.index, models))
        return [draw(models, settings["scale"], settings["sharpen"], device=settings["device"])]

    planes = _Planes(source, callback)
    started = time.perf_counter()
    (image,) = planes.run(work)
    record = make_record("upscale", source, settings, planes.metrics(started))
    name = f"{source.name} x{settings['scale']:g}"
    if settings["sharpen"] != 1:
        name += f" sharpened {settings['sharpen']:g}"
    outputs = [image_output(source, image, name, "image", record)]
    if show.get("bicubic"):
        smooth = np.zeros_like(image)
        all_planes = source.planes()
        for plane in all_planes:
            all_planes.store(smooth, plane, cubic(plane.image, planes.result_size))
        outputs.append(image_output(source, smooth, f"{source.name} x{settings['scale']:g} bicubic", "bicubic", record))
    return Result(outputs, fitted, record, source)


ACTIONS: dict[str, Callable[..., Result]] = {"denoise": denoise, "fit": fit, "upscale": upscale}


def _settings(parameters: Any, given: Options) -> dict[str, Any]:
    """All keywords, checked, with the device and the threads of the preferences."""
    chosen = preferences()
    settings = values(parameters, {"device": chosen.device, **given})
    use_threads(chosen.threads)
    return settings


def _channels(plane: Plane) -> int | None:
    return 2 if plane.image.ndim == 3 else None


@dataclass
class _Planes:
    """Runs a function over the planes of a source, with progress over all of them."""

    source: Source
    callback: Callback | None
    done: int = 0
    stopped: bool = False
    result_size: tuple[int, int] = (0, 0)
    _arrays: list[np.ndarray] = field(default_factory=list)

    def run(self, work: Callable[[Plane, Callback], list[np.ndarray]]) -> list[np.ndarray]:
        """Return what `work` returns, put together; planes not reached after a stop are zero."""
        layout = self.source.planes()
        parts = PlaneParts(self.callback, len(layout))
        for whole in layout:
            plane = replace(whole, image=whole.image[..., :-1]) if self.source.has_alpha else whole
            images = work(plane, parts.part(plane.number, plane.index))
            self.result_size = (images[0].shape[0], images[0].shape[1])
            if self.source.has_alpha:
                images = [_with_alpha(image, whole.image[..., -1]) for image in images]
            if not self._arrays:
                shapes = [layout.result_shape(image.shape[:2]) for image in images]
                self._arrays = [np.zeros(shape, i.dtype) for shape, i in zip(shapes, images, strict=True)]
            for array, image in zip(self._arrays, images, strict=True):
                layout.store(array, plane, image)
            self.done += 1
            self.stopped = parts.stopped
            if self.stopped:
                break
        return self._arrays

    def metrics(self, started: float) -> dict[str, Any]:
        """What is known of any job."""
        return {
            "seconds": round(time.perf_counter() - started, 3),
            "planes": len(self.source.planes()),
            "planes_done": self.done,
            "stopped": self.stopped,
        }


def _with_alpha(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Put opacity back, at the size and in the type of the image."""
    from .enlarging import resize_linear

    return np.concatenate([image, resize_linear(alpha, image.shape[:2]).astype(image.dtype)[..., None]], axis=2)


def with_record(output: Output, record: Mapping[str, Any]) -> Output:
    """The output with another record in its metadata."""
    metadata = {**output.options.get("metadata", {}), METADATA_KEY: {**record, "role": output.role}}
    return replace(output, options={**output.options, "metadata": metadata})
