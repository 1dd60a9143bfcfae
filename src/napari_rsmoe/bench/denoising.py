"""Tables III and IV and figures 10 and 11 of the R-SMoE paper, with grey images, real noisy pairs and time in addition.

Colour images get clipped noise of the variances of the paper, grey images unclipped noise of 15, 25 and 50 (of 255),
and pairs keep their own noise. Clipping shifts the mean of noisy values; for every method an additional row corrects
this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from . import machine, sanity
from .denoising_report import CORRECTED, NOISY
from .denoising_report import report as report
from .options import Options
from .peers.denoiser import Denoised, Denoiser, Noisy
from .peers.methods import denoisers
from .pictures import Picture
from .protocol import SIGMAS, VARIANCES, Level, corrected, unit
from .runs import Run
from .store import Rows

TITLE = "Denoising"
QUICK_SIDE = 64  # Side of the images of a quick run, in pixels.
QUICK_VARIANCES, QUICK_SIGMAS, QUICK_MODELS = (0.01, 0.05), (25.0,), 8


def runs(options: Options) -> Iterator[Run]:
    """All runs, level by level."""
    pictures = options.pictures(QUICK_SIDE)
    methods = denoisers(min(options.models, QUICK_MODELS) if options.quick else options.models)
    for level in _levels(options):
        for picture in pictures:
            if level in _levels_of(options, picture):
                yield from _runs_of(options, picture, level, methods)
    for picture in pictures:
        if picture.noisy_path is not None:
            yield from _runs_of(options, picture, None, methods)
    yield from sanity.runs(options, pictures, methods)


def _levels(options: Options) -> list[Level]:
    """All levels that any image may get."""
    chosen = bool(options.variances or options.sigmas)
    variances = options.variances or (() if chosen else QUICK_VARIANCES if options.quick else VARIANCES)
    sigmas = options.sigmas or (() if chosen else QUICK_SIGMAS if options.quick else SIGMAS)
    return [*map(Level.of_variance, variances), *map(Level.of_sigma, sigmas)]


def _levels_of(options: Options, picture: Picture) -> list[Level]:
    """The levels of an image: the requested ones, else those of its kind; none for a pair."""
    if picture.noisy_path is not None:
        return []
    levels = _levels(options)
    chosen = options.variances or options.sigmas
    return levels if chosen else [level for level in levels if level.clipped != picture.grey]


def _runs_of(options: Options, picture: Picture, level: Level | None, methods: tuple[Denoiser, ...]) -> Iterator[Run]:
    """All methods on an image, with added noise of a level, or with the noise of a pair if `level` is None."""
    group = f"{picture.dataset}, {'real noise' if level is None else level.name}"
    settings = {"level": "real" if level is None else level.name, "crop": picture.crop}
    clipped = level is not None and level.clipped

    def make() -> Noisy:
        clean = unit(picture.clean)
        if level is not None:
            return Noisy(level.add(clean, picture.number, options.seed), level.sigma, clipped, clean)
        noisy = unit(picture.noisy).astype(np.float32)
        return Noisy(noisy, float(np.std(noisy - clean)), False, clean)

    for method in (Denoiser(NOISY, _as_it_is, __name__, "nothing"), *methods):
        takes = method.grey if picture.grey else method.colour
        if not takes or (method.pairs_only and level is not None):
            continue
        if method.name != NOISY and not options.wants(method.name):
            continue
        models = {"models": options.models} if method.name.startswith("MM-") else {}
        yield Run(
            group,
            f"{picture.dataset}/{picture.name}",
            method.name,
            settings | models,
            options.seed,
            method.module,
            __name__,
            partial(_rows, options, method, make),
            options.needed,
        )


def _as_it_is(noisy: Noisy, seed: int) -> np.ndarray:
    return noisy.image


def _rows(options: Options, method: Denoiser, make: Callable[[], Noisy]) -> Rows:
    """The figures of a method, without and with the correction of clipping."""
    noisy = make()
    done = machine.measured(lambda: method.run(noisy, options.seed))
    results = done.result if isinstance(done.result, dict) else {method.name: done.result}
    rows: Rows = {}
    for name, result in results.items():
        found = result if isinstance(result, Denoised) else Denoised(result)
        costs: dict[str, float | None] = {}
        if method.name != NOISY:
            costs = done.costs | {"seconds": found.share * done.seconds, "cpu_seconds": found.share * done.cpu_seconds}
        plain, straight = found.image, None
        if found.plain is not None:
            plain, straight = found.plain(), found.image
        elif noisy.clipped and method.name != NOISY:
            straight = corrected(found.image, noisy.sigma)
        for row, image in ((name, plain), (name + CORRECTED, straight)):
            if image is not None:
                rows[row] = options.quality(image, noisy.clean) | costs | {"given": method.given}
    return rows
