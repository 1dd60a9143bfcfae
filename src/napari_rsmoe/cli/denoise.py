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
from ..ui.parameters import CHECKPOINT, DTYPE, MASK, OUTPUTS, PARAMETERS, PLANE, STACK
from .batch import Report, planes_text, run_batch
from .files import Pair, Target, pair_up
from .options import (
    Common,
    Files,
    file_options,
    further_outputs,
    option_of,
    run_options,
    settings,
    source_and_target,
)
from .program import FILES, Verb
from .stack import Job, Result, outputs_of, process_file, residual

if TYPE_CHECKING:
    from ..denoising.stack import Series


@click.command("denoise", cls=Verb, options_metavar="[options]")
@source_and_target
@settings(PARAMETERS["denoise_stack"])
@further_outputs(OUTPUTS["denoise"])
@option_of(MASK, section=FILES)
@file_options()
@run_options
def command(
    source: Path,
    target: str,
    given: dict[str, Any],
    further: list[Target],
    mask: str | None,
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

    Data type, value range, axes, pixel size and opacity (alpha) are kept, and pixels without data keep their value.
    """  # noqa: D301
    pairs = pair_up("denoise", source, [Target("OUTPUT", target), *further], files.format, overwrite=files.overwrite)
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        outputs = outputs_of(pair, further, dtype=given[DTYPE.name])
        own = {parameter.name: given[parameter.name] for parameter in STACK}
        own[CHECKPOINT.name] = _folder_of(pair, len(pairs), given[CHECKPOINT.name])
        series: list[Series] = []

        def denoise_plane(job: Job) -> Result:
            from ..denoising.stack import Series  # here: torch takes seconds

            if not series:
                left_out = None if mask is None else read_mask(Path(mask), job.source.axes, files.allow_outside)
                each = {parameter.name: given[parameter.name] for parameter in PLANE} | job.left_out(given)
                series.append(Series(job.stack, each, mask=left_out, opacity=job.opacity, **own))
            done = series[0].denoise(job.plane, job.callback)
            made = {"std": done.std.astype(np.float32, copy=False), "residual": residual(job.pixels, done.image)}
            images = [done.image, *(made[name] for name in pair.extras)]
            return Result(images, {"noise": float(done.noise), "models": len(done.models)})

        facts = process_file(pair.source, outputs, files, report, denoise_plane)
        level = np.mean([fact["noise"] for fact in facts])
        return {"summary": f"{planes_text(facts)}noise {level:.4g}", "planes": facts}

    return run_batch("denoise", common, pairs, work)


def _folder_of(pair: Pair, pairs: int, folder: str | None) -> Path | None:
    """Where the models of a file are kept: for several files, each has a folder of its own."""
    if folder is None or pairs == 1:
        return None if folder is None else Path(folder)
    Path(folder).mkdir(exist_ok=True)
    return Path(folder) / pair.source.name


def read_mask(path: Path, axes: str, allow_outside: bool = False) -> NDArray[np.bool_]:
    """Read which pixels are left out: those that are not 0 in a file. (Y, X), or all `axes` but those of channels."""
    wanted = "".join(letter for letter in axes if letter not in CHANNEL_AXES)
    try:
        image = read_image(path, allow_outside=allow_outside, as_stored=True)
    except ImageError:
        if not path.exists():
            raise
        # The file does not declare its axes.
        image = read_image(path, axes=wanted, allow_outside=allow_outside, as_stored=True)
    values = image.numpy() != 0
    if image.alpha:
        values = np.delete(values, -1, axis=image.axes.index("S" if "S" in image.axes else "C"))
    return values.any(axis=tuple(k for k, letter in enumerate(image.axes) if letter in CHANNEL_AXES))
