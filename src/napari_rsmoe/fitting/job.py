"""The job of `fit`: a fit with a given number of kernels, to a quality, or within a time."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from .. import engine
from ..errors import StoppedError
from ..image.inputs import Inputs
from ..memory import release
from ..model.experts import Mode
from ..model.model import Model
from ..notes import note
from ..progress import Callback, Parts, Progress
from .costs import expected_seconds
from .fitter import CHUNK, Fitter
from .kernel_count import MOST_FITS, as_few_as_reach, predict_kernels
from .memory import check_fit, require_on_device
from .settings import FitSettings
from .starts.methods import make_start
from .starts.placed import PlacedKernels
from .subject import Subject

DENSEST_AUTO = 20
"""Pixels for each kernel that ``n_kernels="auto"`` leaves at least. With fewer, fine noise would count as detail."""
DENSEST = 2
"""Pixels for each kernel that a fit to a given PSNR leaves at least. With fewer, a model is larger than its image."""
SLOW_PIXELS = 1 << 20
"""Pixels from which a few steps take so long that a stop has to end them midway. A thread for the steps of a smaller
image would cost more than it gains."""
UNTIMED_STEPS = 2 * CHUNK
"""Steps after which the speed of a fit is known well enough to predict how many more fit into the time."""


LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeLimit:
    """The start of a fit by `time.perf_counter`, and the seconds that it may take."""

    began: float
    seconds: float

    def steps_left(self, step: int) -> int:
        """Number of further steps that fit into the time at the speed so far."""
        passed = time.perf_counter() - self.began
        return 1000 if step < UNTIMED_STEPS else int((self.seconds - passed) * step / passed)

    def progress(self) -> tuple[int, int]:
        """Milliseconds that have passed, and milliseconds in all."""
        total = round(1000 * self.seconds)
        return min(round(1000 * (time.perf_counter() - self.began)), total), total


@dataclass(frozen=True)
class FitJob:
    """An image to be fitted, and the settings.

    Attributes
    ----------
    inputs : Inputs
        The image.
    subject : Subject
        The same in the units of the fit.
    settings : FitSettings
        Settings of the fit.
    start_options : dict
        Options of the initialisation.
    mode, seed, preset
        As for `napari_rsmoe.fit`.
    device : torch.device
        Device for fitting and for rendering previews.
    place : PlacedKernels or None
        Where the image lies in a larger one, of which it is a block; None: it is whole.
    """

    inputs: Inputs
    subject: Subject
    settings: FitSettings
    start_options: dict[str, Any]
    mode: Mode
    seed: int
    preset: str
    device: torch.device
    place: PlacedKernels | None = None

    def fitter(self, n_kernels: int, settings: FitSettings) -> Fitter:
        """A new fit, with the settings of the job or those of a pilot."""
        rng = np.random.default_rng(self.seed)
        pixels, weight = self.subject.pixels, self.inputs.weight
        check_fit(pixels.shape, n_kernels, settings, self.mode, weighted=weight is not None)
        require_on_device(self.device, pixels.shape, n_kernels, settings, self.mode)
        if self.place is None:
            start = make_start(settings.start, pixels, n_kernels, rng, **self.start_options)
        else:
            start = self.place.start(pixels)
        release()
        fitter = Fitter(
            pixels, start, settings, mode=self.mode, weight=weight, rng=rng, device=self.device, place=self.place
        )
        release()
        return fitter

    def run(self, n_kernels: int, callback: Callback | None, limit: TimeLimit | None = None) -> tuple[Model, float]:
        """Fit; returns the model and its mean squared error in the engine's range."""
        fitter = self.begun(n_kernels, self.settings, callback)
        start, steps = self.settings.start, "as many steps as the time allows"
        LOG.info(
            "%d kernels, started by %s, %s", n_kernels, start, f"{fitter.remaining} steps" if limit is None else steps
        )
        preview = self.untouched
        while (remaining := fitter.remaining if limit is None else limit.steps_left(fitter.step)) > 0:
            done, total = (fitter.step, self.settings.iterations) if limit is None else limit.progress()
            seconds = limit.seconds if limit is not None else self.expected(n_kernels, total)
            try:
                progress = Progress("fit", done, total, None, preview, seconds)
                self.step(fitter, remaining, callback, progress, followed=callback is not None or limit is not None)
            except StoppedError:
                break
            if not fitter.due():
                continue
            if callback is not None and self.slow:
                preview = partial(self.model(fitter).render, device=self.device.type)
            done, total = (fitter.step, self.settings.iterations) if limit is None else limit.progress()
            if self.report(callback, fitter, "fit", done, total):
                break
        fitter.keep_best()
        model, error = self.model(fitter), fitter.mean_squared_error
        del fitter
        release()
        return model, error

    def begun(self, n_kernels: int, settings: FitSettings, callback: Callback | None) -> Fitter:
        """`fitter`, with reports to the callback. Raises StoppedError if it asks to stop."""
        seconds = self.expected(n_kernels, settings.iterations)
        progress = Progress("start", 0, max(1, settings.iterations), None, self.untouched, seconds)
        return self.attended_fitter(n_kernels, settings, callback, progress)

    def attended_fitter(
        self, n_kernels: int, settings: FitSettings, callback: Callback | None, progress: Progress
    ) -> Fitter:
        """`fitter`, while this progress is reported. Raises StoppedError if the callback asks to stop."""
        report = None if callback is None else lambda share: bool(callback(progress))
        return engine.attended(lambda: self.fitter(n_kernels, settings), report)

    def step(
        self,
        fitter: Fitter,
        remaining: int | None,
        callback: Callback | None,
        progress: Progress,
        *,
        followed: bool = True,
    ) -> None:
        """Take the next few steps, or more if nobody follows them.

        Raises StoppedError if the callback asks to stop in the midst of slow ones.
        """
        if callback is None or not self.slow:
            fitter.chunk(remaining, followed=followed)
        else:
            engine.attended(lambda: fitter.chunk(remaining), lambda share: bool(callback(progress)))

    @property
    def slow(self) -> bool:
        """Whether a few steps take long."""
        return self.inputs.pixels[..., 0].size >= SLOW_PIXELS

    def expected(self, n_kernels: int, steps: int) -> float:
        """Seconds that a fit is expected to take on an idle machine."""
        return expected_seconds(self.inputs.pixels.shape, n_kernels, steps)

    def untouched(self) -> np.ndarray:
        """The preview before there is a model: the image itself."""
        return self.inputs.given

    def report(self, callback: Callback | None, fitter: Fitter, stage: str, done: int, total: int) -> bool:
        """Report the progress to the callback; returns whether the job is cancelled."""
        if callback is None:
            return False
        psnr = self.subject.psnr(fitter.mean_squared_error)
        seconds = self.expected(len(fitter.geometry), total)
        return bool(callback(Progress(stage, done, total, psnr, partial(self.preview, fitter), seconds)))

    def preview(self, fitter: Fitter) -> np.ndarray:
        """The rendering of the current model."""
        return self.model(fitter).render(device=self.device.type)

    def to_quality(self, psnr: float, callback: Callback | None) -> Model:
        """As few kernels as reach a PSNR in dB in the data range of the subject."""
        height, width, _ = self.inputs.pixels.shape
        target = self.subject.error(psnr)
        parts = Parts(callback, MOST_FITS)

        def attempt(n_kernels: int, index: int) -> tuple[Model, float]:
            return self.run(n_kernels, parts.part(index, f"fit with {n_kernels} kernels"))

        most = max(1, height * width // DENSEST)
        first, pilot = self.expected_kernels(target, parts.part(0, ""), densest=DENSEST)
        if pilot is not None:
            return self.model(pilot)
        model, error = as_few_as_reach(target, first, most, attempt, lambda: parts.stopped)
        if error > target and not parts.stopped:
            note(
                f"{psnr:g} dB in a range of {self.subject.data_range:g} are not reached with {model.n_kernels} kernels;"
                " the best model is returned",
            )
        return model

    def automatic(self, psnr: float, callback: Callback | None, limit: TimeLimit | None) -> Model:
        """As many kernels as a pilot fit expects to reach a PSNR in dB in the data range of the subject."""
        count, pilot = self.expected_kernels(self.subject.error(psnr), callback, densest=DENSEST_AUTO)
        return self.run(count, callback, limit)[0] if pilot is None else self.model(pilot)

    def expected_kernels(self, target: float, callback: Callback | None, densest: int) -> tuple[int, Fitter | None]:
        """Kernels that a pilot fit predicts for a mean squared error, at most one for every `densest` pixels.

        If the job is cancelled, the pilot itself is returned too.
        """
        stopped: list[Fitter] = []

        def searching(preview: Callable[[], np.ndarray]) -> Progress:
            # How long the job takes is not known before its number of kernels is.
            return Progress("find the number of kernels", 0, max(1, self.settings.iterations), None, preview)

        def stop(pilot: Fitter) -> bool:
            if callback is not None and callback(searching(partial(self.preview, pilot))):
                stopped.append(pilot)
            return bool(stopped)

        def begin(n_kernels: int, settings: FitSettings) -> Fitter:
            return self.attended_fitter(n_kernels, settings, callback, searching(self.untouched))

        def step(pilot: Fitter) -> None:
            self.step(pilot, None, callback, searching(self.untouched))

        count = predict_kernels(self.inputs.pixels.shape, target, densest, begin, self.settings, step, stop)
        return count, stopped[0] if stopped else None

    def measured(self, model: Model) -> Model:
        """The model, with the PSNR of its rendering in its metadata, if it has one."""
        psnr = self.subject.quality(model.render(device=self.device.type), self.inputs.weight)
        release()
        if math.isfinite(psnr):
            model.metadata["psnr"] = round(psnr, 4)
        return model

    def model(self, fitter: Fitter) -> Model:
        """The current model, with a record of the fit."""
        metadata = {
            "made_by": f"napari-rsmoe {version('napari-rsmoe')}",
            "seed": self.seed,
            "preset": self.preset,
            "settings": asdict(self.settings),
            "data_range": self.subject.data_range,
        }
        model, linear = fitter.model(self.subject.layout, metadata), self.settings.linear
        experts = self.subject.experts(model.experts.numpy(), linear=linear)
        return model.with_tensors(model.geometry, torch.from_numpy(experts))
