"""``napari-rsmoe upscale``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .batch import Report, planes_text, run_batch
from .files import ARGUMENT, Pair, pair_up
from .options import POSITIVE, Common, Files, file_options, iterations_option, run_options, seed_option
from .program import Verb
from .stack import Job, Output, Result, process_file


@click.command("upscale", cls=Verb, options_metavar="[options]")
@click.argument("source", metavar="INPUT", type=ARGUMENT)
@click.argument("target", metavar="OUTPUT", type=ARGUMENT)
@click.option("--scale", type=POSITIVE, required=True, help="Output pixels for each pixel; any positive number.")
@click.option(
    "--sharpen",
    type=POSITIVE,
    default=1.0,
    show_default=True,
    help="Above 1 edges get sharper: kernels shrink by this factor before they are drawn.",
)
@click.option(
    "--models",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Models that are averaged for each plane: more take longer and are smoother.",
)
@click.option("--kernels", type=click.IntRange(min=1), help="Of each model.  [default: one for every 3 pixels]")
@iterations_option
@seed_option
@file_options
@run_options
def command(
    source: Path,
    target: Path,
    scale: float,
    sharpen: float,
    models: int,
    kernels: int | None,
    iterations: int | None,
    seed: int,
    files: Files,
    common: Common,
) -> int:
    """Enlarge INPUT by any factor, and write OUTPUT.

    \b
    Examples
      napari-rsmoe upscale small.png large.png --scale 4
      napari-rsmoe upscale small.tif large.tif --scale 2.5 --sharpen 1.5
      napari-rsmoe upscale stack.ome.tif large.ome.zarr --scale 2 --models 1

    The plane grows in Y and X, and its pixel size is divided by the factor; other axes stay as they are. To
    draw one model at several sizes, use fit --preset enlarge --model and render.
    """  # noqa: D301
    pairs = pair_up(source, target, files.suffix, {})
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        def upscale_plane(job: Job) -> Result:
            from .. import upscale

            large = upscale(
                job.pixels,
                scale,
                sharpen,
                n_kernels=kernels,
                models=models,
                iterations=iterations,
                seed=seed,
                device=common.device,
                channel_axis=job.channel_axis,
                callback=job.callback,
            )
            return Result([large], {"shape": list(large.shape)})

        facts = process_file(pair.source, [Output(pair.target, scale=scale)], files, report, upscale_plane)
        height, width = facts[0]["shape"][:2]
        return {"summary": f"{planes_text(facts)}{width} x {height} px", "planes": facts}

    return run_batch("upscale", common, pairs, work)
