"""``napari-rsmoe fit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..fitting.settings import PRESETS
from .batch import Report, planes_text, run_batch
from .files import ARGUMENT, Pair, pair_up
from .options import (
    POSITIVE,
    STARTS,
    AutoOr,
    Common,
    Files,
    allotment_option,
    check_segmentation,
    file_options,
    iterations_option,
    run_options,
    seed_option,
)
from .program import Verb
from .stack import Job, Output, Result, process_file

if TYPE_CHECKING:
    from ..model.model import Model


@click.command("fit", cls=Verb, options_metavar="[options]")
@click.argument("source", metavar="INPUT", type=ARGUMENT)
@click.argument("target", metavar="OUTPUT", type=ARGUMENT)
@click.option(
    "--kernels",
    type=AutoOr(click.IntRange(min=1), "N", "a whole number of at least 1"),
    default="auto",
    show_default=True,
    help="For each plane; auto takes as many as are expected to reach 32 dB.",
)
@click.option(
    "--psnr", type=POSITIVE, help="Instead of --kernels: as few as reach this PSNR in dB. Takes several fits."
)
@click.option("--time", type=POSITIVE, help="Instead of --iterations: seconds that each plane may take.")
@click.option("--model", type=ARGUMENT, help="Save the model too: a .rsmoe file, or a folder if INPUT is one.")
@click.option("--start", type=click.Choice(STARTS), help="Where kernels begin.  [default: the preset's]")
@click.option(
    "--experts",
    type=click.Choice(("constant", "linear")),
    default="constant",
    show_default=True,
    help="One colour for each kernel, or one that changes linearly across it.",
)
@click.option(
    "--threshold",
    type=POSITIVE,
    help="Of the segmentation start: largest step of colour within a segment, of 255.  [default: 20]",
)
@allotment_option
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default="default",
    show_default=True,
    help="Settings of the fit; paper repeats the published experiments.",
)
@iterations_option
@seed_option
@file_options
@run_options
def command(
    source: Path,
    target: Path,
    kernels: int | Literal["auto"],
    psnr: float | None,
    time: float | None,
    model: Path | None,
    start: str | None,
    experts: Literal["constant", "linear"],
    threshold: float | None,
    allotment: str | None,
    preset: str,
    iterations: int | None,
    seed: int,
    files: Files,
    common: Common,
) -> int:
    """Model INPUT with steered kernels, and draw the model to OUTPUT.

    \b
    Examples
      napari-rsmoe fit photo.png drawn.png
      napari-rsmoe fit photo.png drawn.png --kernels 10000 --model photo.rsmoe
      napari-rsmoe fit photo.png drawn.png --psnr 35 --model photo.rsmoe
      napari-rsmoe fit photo.png drawn.png --kernels 2000 --time 5
      napari-rsmoe fit photo.png drawn.png --preset paper --seed 3
      napari-rsmoe fit folder/ drawn/ --model models/ --format tif

    Each plane of a stack becomes a model of its own. A model file holds one plane, so --model is for images
    of one plane.
    """  # noqa: D301
    if model is not None and files.independent:
        raise click.UsageError("A .rsmoe file holds one model: leave out --model or --independent-channels.")
    if psnr is not None and kernels != "auto":
        raise click.UsageError("--psnr finds the number of kernels: leave out --psnr or --kernels.")
    if time is not None and (iterations is not None or psnr is not None):
        raise click.UsageError("--time is for one fit: leave out --iterations and --psnr, or --time.")
    check_segmentation(start or PRESETS[preset].start, threshold, allotment)
    pairs = pair_up(source, target, files.suffix, {"model": (model, ".rsmoe")})
    if any(pair.extras and pair.extras["model"].suffix != ".rsmoe" for pair in pairs):
        raise click.UsageError(f"--model names a .rsmoe file, not {model}.")
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        from ..io.rsmoe import check_target

        model_path = pair.extras.get("model")
        models: list[Model] = []
        if model_path is not None:
            check_target(model_path)

        def fit_plane(job: Job) -> Result:
            from .. import fit

            if model_path is not None and job.planes > 1:
                raise ImageError(
                    f"{pair.source} has {job.planes} planes, and a .rsmoe file holds the model of one. Leave "
                    "--model out, or save the planes as files of their own and give their folder."
                )
            fitted = fit(
                job.pixels,
                kernels,
                psnr=psnr,
                time=time,
                preset=preset,
                start=start,
                threshold=threshold,
                allotment=allotment,
                experts=experts,
                iterations=iterations,
                seed=seed,
                device=common.device,
                channel_axis=job.channel_axis,
                callback=job.callback,
            )
            drawn = fitted.render(device=common.device)
            if model_path is not None:
                fitted.metadata["pixel_size"] = {axis: list(size) for axis, size in job.source.pixel_size.items()}
                models.append(fitted)
            return Result([drawn], {"kernels": fitted.n_kernels, "psnr": _likeness(drawn, job.pixels)})

        facts = process_file(pair.source, [Output(pair.target)], files, report, fit_plane)
        if model_path is not None:  # once OUTPUT is complete
            models[0].save(model_path)
        known = [fact["psnr"] for fact in facts if fact["psnr"] is not None]
        mean = f", {np.mean(known):.2f} dB" if known else ""
        return {"summary": f"{planes_text(facts)}{facts[0]['kernels']} kernels{mean}", "planes": facts}

    return run_batch("fit", common, pairs, work)


def _likeness(drawn: NDArray[Any], pixels: NDArray[Any]) -> float | None:
    """PSNR in dB, None where it has no finite value: a perfect or a constant image."""
    from .. import psnr

    try:
        value = psnr(drawn, pixels)
    except ValueError:
        return None
    return round(value, 3) if np.isfinite(value) else None
