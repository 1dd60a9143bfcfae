"""Films, stacks and volumes: plane by plane, with the help of neighbouring planes, and by other methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ..errors import ImageError
from ..image.metrics import psnr
from . import machine, page
from .options import Options
from .peers import stacks
from .peers.stacks import METHODS, Result, StackMethod
from .pictures import Picture, find_pictures
from .protocol import Level
from .runs import Outcome, Run
from .scenes import SCENES, Film, from_photograph, of_pairs, volumes, without_truth
from .store import Rows
from .tables import CPU_TIME, Column, mean_rows

TITLE = "Films, stacks and volumes"
SIDE, QUICK_SIDE = 128, 48
"""Side in px of the square of each frame that is used."""
FRAMES = 5
"""Frames of each film."""
VARIANCE = 0.01
"""Variance of the noise that is added to films made from photographs."""
NOISY = "noisy"
NOTE = (
    "Films are made from photographs, with clipped noise; volumes are simulated, with photon noise. Ours, the mean "
    "and the median are not told the noise; BM4D, VNLB, ndsafir and non-local means are told it. BM4D, VNLB and "
    "non-local means get the generalised Anscombe transform for photons. VNLB is that of its authors (programs "
    "vnlbayes and tvl1flow on the PATH), as the one on PyPI needs a CUDA device; V-BM4D is not on PyPI. "
    "Flicker is the standard deviation over time where all stands still (without a truth: in the darkest quarter), "
    "relative to that of the noisy film. Within 1 and 2: share of pixels whose error is at most 1 and 2 error bars. "
    "Time is for each plane."
)
COLUMNS = [
    Column("PSNR, dB", "psnr", ".2f"),
    Column("flicker", "flicker", ".3f"),
    Column("within 1", "within_1", ".3f"),
    Column("within 2", "within_2", ".3f"),
    CPU_TIME,
]


def runs(options: Options) -> Iterator[Run]:
    """All runs, scene by scene."""
    for group, name, make in _films(options):
        if not options.wants_film(f"{group}/{name}"):
            continue
        for method in (None, *METHODS):
            if method is not None and not (options.wants(method.name) and method.installed):
                continue
            label = NOISY if method is None else method.name
            settings = {"crop": options.crop, "quick": options.quick}
            work = partial(_rows, method, make, options.seed)
            yield Run(group, f"{group}/{name}", label, settings, options.seed, stacks.__name__, __name__, work)


def _films(options: Options) -> Iterator[tuple[str, str, Callable[[], Film | None]]]:
    """Table, name and maker of each film."""
    side = QUICK_SIDE if options.quick else options.crop or SIDE
    pictures = find_pictures(options.source, "", options.crop)
    levels = [*map(Level.of_variance, options.variances), *map(Level.of_sigma, options.sigmas)]
    pairs: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.noisy_path is not None:
            pairs.setdefault(picture.dataset, []).append(picture)
            continue
        real = _real(picture, side)
        if real is not None:
            yield real.dataset, real.name, partial(_given, real)
            continue
        for level in levels or [Level.of_variance(VARIANCE)]:
            for number, scene in enumerate(SCENES):
                yield (
                    f"{scene}, {level.name}",
                    picture.name,
                    partial(_made, picture, level, side, options.seed, number),
                )
    for found in pairs.values():
        own = [Picture(each.dataset, each.clean_path, each.noisy_path, side) for each in found]
        if len(own) > 1:
            yield f"{own[0].dataset}, real pairs", "film", partial(of_pairs, own, FRAMES)
    for film in () if options.quick else volumes(options.seed):
        yield film.dataset, film.name, partial(_given, film)


def _given(film: Film) -> Film:
    return film


def _real(picture: Picture, side: int) -> Film | None:
    try:
        return without_truth(picture.clean_path, FRAMES, side)
    except ImageError:
        return None


def _made(picture: Picture, level: Level, side: int, seed: int, number: int) -> Film:
    return list(from_photograph(picture, level, FRAMES, side, seed))[number]


def _rows(method: StackMethod | None, make: Callable[[], Film | None], seed: int) -> Rows:
    """The figures of a method on a film; none if it cannot be run there."""
    film = make()
    if film is None or (method is not None and not method.takes(film)):
        return {}
    if method is None:
        return {NOISY: _figures(film, Result(film.noisy)) | {"given": "nothing"}}
    done = machine.measured(lambda: method.run(film, seed))
    planes = len(film.noisy)
    costs = {"seconds": done.seconds / planes, "cpu_seconds": done.cpu_seconds / planes}
    return {method.name: _figures(film, done.result) | costs | {"given": method.given}}


def _figures(film: Film, result: Result) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    image = np.asarray(result.image, np.float64)
    noisy = film.flicker(film.noisy)
    own = film.flicker(image)
    if noisy and own is not None:
        figures["flicker"] = own / noisy
    if film.clean is None:
        return figures
    shown = np.clip(image, 0, film.range) if film.sigma > 0 and film.axes == "TYX" else image
    planes = zip(shown, film.clean, strict=True)
    figures["psnr"] = float(np.mean([psnr(a, b, film.range) for a, b in planes]))
    if result.std is not None:
        error = np.abs(image - film.clean)
        for number in (1, 2):
            figures[f"within_{number}"] = float((error <= number * result.std).mean())
    return figures


def report(options: Options, outcomes: list[Outcome]) -> list[str]:
    """A table for each scene."""
    parts = [NOTE + "\n"]
    for group in dict.fromkeys(outcome.run.group for outcome in outcomes):
        parts += page.compared(group, COLUMNS, mean_rows(o for o in outcomes if o.run.group == group))
    return parts
