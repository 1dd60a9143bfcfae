"""``napari-rsmoe denoise``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.planes import CHANNEL_AXES
from ..io.files import read_image
from .batch import Report, planes_text, run_batch
from .files import ARGUMENT, Pair, pair_up
from .options import (
    DENOISE_PRESETS,
    POSITIVE,
    STARTS,
    AutoOr,
    Common,
    Files,
    NoiseOption,
    allotment_option,
    check_segmentation,
    file_options,
    run_options,
    seed_option,
)
from .program import Verb
from .stack import Job, Output, Result, process_file

if TYPE_CHECKING:
    from ..denoising.stack import Series


@click.command("denoise", cls=Verb, options_metavar="[options]")
@click.argument("source", metavar="INPUT", type=ARGUMENT)
@click.argument("target", metavar="OUTPUT", type=ARGUMENT)
@click.option(
    "--models",
    type=AutoOr(click.IntRange(min=1), "N", "a whole number of at least 1"),
    default="auto",
    show_default=True,
    help="Models that are fused for each plane: more take longer and are smoother; auto leaves it to the preset.",
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
@allotment_option
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
@click.option(
    "--mask",
    type=ARGUMENT,
    help="An image of the size of a plane, or of all planes: pixels that are not 0 in it are left out.",
)
@click.option("--ignore-nan", is_flag=True, help="Leave out pixels that are NaN or infinite; else they are an error.")
@click.option(
    "--saturation",
    type=float,
    metavar="VALUE",
    help="Leave out pixels that have at least this value in any channel.",
)
@click.option(
    "--fill/--no-fill",
    default=True,
    show_default=True,
    help="Fill in pixels that are left out, or keep their values.",
)
@click.option(
    "--along",
    metavar="LETTER",
    help="Axis along which the planes of a stack are neighbours.  [default: T, else Z, else the first]",
)
@click.option(
    "--warm-start/--no-warm-start",
    default=True,
    show_default=True,
    help="Begin each plane with the kernels of the one before, and take half the steps.",
)
@click.option(
    "--average",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Average so many planes before and after with each, where they show the same.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep finished models there; the same command then goes on where it was interrupted.",
)
@seed_option
@file_options
@run_options
def command(
    source: Path,
    target: Path,
    models: int | str,
    noise: float | str | tuple[float, float, float],
    kernels: int | str,
    start: str,
    threshold: float | None,
    allotment: str | None,
    std: Path | None,
    preset: str,
    mask: Path | None,
    ignore_nan: bool,
    saturation: float | None,
    fill: bool,
    along: str | None,
    warm_start: bool,
    average: int,
    checkpoint: Path | None,
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
      napari-rsmoe denoise film.npy clean.npy --axes TYX --average 1
      napari-rsmoe denoise mosaic.tif clean.tif --mask gaps.png --saturation 4095
      napari-rsmoe denoise large.tif clean.tif --models 64 --checkpoint models/
      napari-rsmoe denoise folder/ cleaned/ --format tif --json

    Data type, value range, axes and pixel size stay as they are; an opacity (alpha) is not touched.
    """  # noqa: D301
    check_segmentation(start, threshold, allotment)
    pairs = pair_up(source, target, files.suffix, {"std": (std, ".tif")})
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        outputs = [Output(pair.target)]
        if "std" in pair.extras:
            outputs.append(Output(pair.extras["std"], dtype="float32", opacity=False))

        settings = {
            "models": models,
            "noise": noise,
            "n_kernels": kernels,
            "start": start,
            "threshold": threshold,
            "allotment": allotment,
            "preset": preset,
            "ignore_nan": ignore_nan,
            "saturation": saturation,
            "fill": fill,
            "seed": seed,
            "device": common.device,
        }
        folder = checkpoint
        if checkpoint is not None and len(pairs) > 1:
            checkpoint.mkdir(exist_ok=True)
            folder = checkpoint / pair.source.name
        series: list[Series] = []

        def denoise_plane(job: Job) -> Result:
            from ..denoising.stack import Series

            if not series:
                series.append(
                    Series(
                        job.stack,
                        settings,
                        weight=None if mask is None else read_mask(mask, job.source.axes),
                        along=along,
                        warm_start=warm_start,
                        average=average,
                        resume=folder,
                        opacity=job.opacity,
                    )
                )
            done = series[0].denoise(job.plane, job.callback)
            images = [done.image, done.std.astype(np.float32, copy=False)]
            return Result(images[: len(outputs)], {"noise": float(done.noise), "models": len(done.models)})

        facts = process_file(pair.source, outputs, files, report, denoise_plane)
        level = np.mean([fact["noise"] for fact in facts])
        return {"summary": f"{planes_text(facts)}noise {level:.4g}", "planes": facts}

    return run_batch("denoise", common, pairs, work)


def read_mask(path: Path, axes: str) -> NDArray[np.bool_]:
    """Read which pixels count: those that are 0 in a file. (Y, X), or the `axes` of the image without channels."""
    wanted = "".join(letter for letter in axes if letter not in CHANNEL_AXES)
    try:
        image = read_image(path)
    except ImageError:
        if not path.exists():
            raise
        image = read_image(path, axes=wanted)  # a file that does not tell its axes
    values = image.numpy() != 0
    if image.alpha:
        values = np.delete(values, -1, axis=image.axes.index("S" if "S" in image.axes else "C"))
    return ~values.any(axis=tuple(k for k, letter in enumerate(image.axes) if letter in CHANNEL_AXES))
