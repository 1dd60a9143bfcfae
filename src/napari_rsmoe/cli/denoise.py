"""``napari-rsmoe denoise``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from .batch import Report, planes_text, run_batch
from .common import (
    DENOISE_PRESETS,
    POSITIVE,
    STARTS,
    AutoOr,
    Common,
    Files,
    NoiseOption,
    check_threshold,
    file_options,
    run_options,
    seed_option,
)
from .files import ARGUMENT, Pair, pair_up
from .program import Verb
from .stack import Job, Output, Result, process_file


@click.command("denoise", cls=Verb, options_metavar="[options]")
@click.argument("source", metavar="INPUT", type=ARGUMENT)
@click.argument("target", metavar="OUTPUT", type=ARGUMENT)
@click.option(
    "--models",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Models that are fused for each plane: more take longer and are smoother.",
)
@click.option(
    "--noise",
    type=AutoOr(NoiseOption(), NoiseOption.name, "a positive number or GAIN,OFFSET,READ"),
    default="auto",
    show_default=True,
    help="Standard deviation of the noise in the units of the image, or gain, offset and read noise of a camera, as "
    "the verb noise prints them; auto estimates it.",
)
@click.option(
    "--kernels",
    type=AutoOr(click.IntRange(min=1), "N", "a whole number of at least 1"),
    default="auto",
    show_default=True,
    help="Of each model; auto fits several counts, and each place takes those that suit it.",
)
@click.option("--start", type=click.Choice(STARTS), default="content", show_default=True, help="Where kernels begin.")
@click.option(
    "--threshold",
    type=POSITIVE,
    help="Of the segmentation start: largest step of colour within a segment, of 255.  [default: 20]",
)
@click.option(
    "--std",
    type=ARGUMENT,
    help="Write the uncertainty of each pixel too, one standard deviation in the units of the image (float32): "
    "a file, or a folder if INPUT is one.",
)
@click.option(
    "--preset",
    type=click.Choice(DENOISE_PRESETS),
    default="balanced",
    show_default=True,
    help="How long each model is fitted.",
)
@seed_option
@file_options
@run_options
def command(
    source: Path,
    target: Path,
    models: int,
    noise: float | str | tuple[float, float, float],
    kernels: int | str,
    start: str,
    threshold: float | None,
    std: Path | None,
    preset: str,
    seed: int,
    files: Files,
    common: Common,
) -> int:
    """Remove the noise of INPUT, and write OUTPUT.

    \b
    Examples
      napari-rsmoe denoise noisy.tif clean.tif
      napari-rsmoe denoise noisy.tif clean.tif --std uncertainty.tif
      napari-rsmoe denoise noisy.png clean.png --noise 25 --models 4
      napari-rsmoe denoise counts.tif clean.tif --noise 2.1,100,1.6
      napari-rsmoe denoise stack.npy clean.npy --axes TYX
      napari-rsmoe denoise folder/ cleaned/ --format tif --json

    Data type, value range, axes and pixel size stay as they are; an opacity (alpha) is not touched.
    """  # noqa: D301
    check_threshold(threshold, start)
    pairs = pair_up(source, target, files.suffix, {"std": (std, ".tif")})
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        outputs = [Output(pair.target)]
        if "std" in pair.extras:
            outputs.append(Output(pair.extras["std"], dtype="float32", opacity=False))

        def denoise_plane(job: Job) -> Result:
            from .. import denoise

            done = denoise(
                job.pixels,
                models=models,
                noise=noise,
                n_kernels=kernels,
                start=start,
                threshold=threshold,
                preset=preset,
                seed=seed,
                device=common.device,
                channel_axis=job.channel_axis,
                callback=job.callback,
            )
            images = [done.image, done.std.astype(np.float32, copy=False)]
            return Result(images[: len(outputs)], {"noise": float(done.noise), "models": len(done.models)})

        facts = process_file(pair.source, outputs, files, report, denoise_plane)
        level = np.mean([fact["noise"] for fact in facts])
        return {"summary": f"{planes_text(facts)}noise {level:.4g}", "planes": facts}

    return run_batch("denoise", common, pairs, work)
