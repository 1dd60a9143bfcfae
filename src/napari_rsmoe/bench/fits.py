"""A measured fit with one of the methods, for the benchmarks of regression and of scaling."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from .. import engine
from ..image.metrics import flops_per_pixel
from ..io.writing import write_image
from ..model.model import Model
from . import machine
from .options import Options, slug
from .peers.fit_method import FitMethod, Trace
from .pictures import Picture
from .protocol import unit
from .runs import Run
from .store import Rows

DRAWS = 10
COURSE = 60  # Number of points of the course of a fit that are kept.


def fit_run(
    options: Options, group: str, picture: Picture, method: FitMethod, kernels: int, iterations: int, *, course: bool
) -> Run:
    """The run that fits an image.

    Parameters
    ----------
    options : Options
        Options of the benchmark.
    group : str
        The table of its rows.
    picture : Picture
        The image.
    method : FitMethod
        The method.
    kernels, iterations : int
        Kernels of the model; steps of all methods except ours, which take ``options.own_iterations``.
    course : bool
        Whether to keep the error over the steps; otherwise the rendered image is written to a file.
    """
    steps = options.own_iterations if method.ours else iterations
    settings = {"kernels": kernels, "crop": picture.crop} | ({} if steps is None else {"iterations": steps})
    files = [] if course else [drawn_file(options.target, picture, method, kernels)]

    def work() -> Rows:
        trace: Trace | None = [] if course else None
        image = picture.clean
        done = machine.measured(lambda: method.fit(image, kernels, steps, options.seed, trace))
        drawn = done.result.render(device="cpu")
        for path in files:
            path.parent.mkdir(exist_ok=True)
            write_image(path, drawn, overwrite=True)
        row = options.quality(unit(drawn), unit(image)) | done.costs | _figures(done.result, method)
        if trace:
            row["course"] = trace[:: max(1, len(trace) // COURSE)] + trace[-1:]
        return {method.name: row}

    return Run(
        group,
        f"{picture.dataset}/{picture.name}",
        method.name,
        settings | ({"course": True} if course else {}),
        options.seed,
        method.module,
        __name__,
        work,
        options.needed,
        files,
    )


def drawn_file(folder: Path, picture: Picture, method: FitMethod, kernels: int) -> Path:
    """The file of the rendered image of a fit."""
    side = f"-{picture.crop}px" if picture.crop else ""
    return folder / "drawn" / f"{slug(f'{picture.dataset}-{picture.name}{side}-{kernels}-{method.name}')}.png"


def _figures(model: Model, method: FitMethod) -> dict[str, Any]:
    """Time, kernels per tile and operations of rendering the model."""
    kernels = model.kernels_per_tile() if method.rasterized else float(model.n_kernels)
    tau = engine.DEFAULT_TAU if method.rasterized else math.inf
    seconds = math.inf
    for _ in range(DRAWS):
        begin = time.perf_counter()
        engine.render(
            model.geometry, model.experts, *model.shape,
            tau=tau, normalised=model.mode == "smoe", confidence=model.confidence,
        )  # fmt: skip
        seconds = min(seconds, time.perf_counter() - begin)
    return {
        "kernels_per_tile": kernels,
        "steps": model.metadata["steps"],
        "decode_seconds": seconds,
        "frames_per_second": 1 / seconds,
        "flops": flops_per_pixel(kernels, model.channels),
        "paper_flops": flops_per_pixel(kernels, model.channels, counting="paper"),
    }
