"""``napari-rsmoe upscale``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..ui.parameters import DTYPE, OUTPUTS, UPSCALE
from .batch import Report, planes_text, run_batch
from .files import Pair, Target, pair_up
from .options import Common, Files, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import Verb
from .stack import Job, Result, outputs_of, process_file


@click.command("upscale", cls=Verb, options_metavar="[options]")
@source_and_target
@settings(UPSCALE)
@option_of(DTYPE)
@further_outputs(OUTPUTS["upscale"])
@file_options()
@run_options
def command(
    source: Path, target: str, given: dict[str, Any], dtype: str, further: list[Target], files: Files, common: Common
) -> int:
    """Upscale INPUT by any factor (super-resolution), and write OUTPUT.

    \b
    Examples
      napari-rsmoe upscale small.png large.png --scale 4
      napari-rsmoe upscale small.tif large.tif --scale 2.5 --sharpen 1.5
      napari-rsmoe upscale stack.ome.tif large.ome.zarr --scale 2 --models 1

    Each plane grows along Y and X, and its pixel size is divided by the factor; other axes stay as they are. To
    draw one model at several sizes, use fit --preset upscale --model, and then render.
    """  # noqa: D301
    pairs = pair_up("upscale", source, [Target("OUTPUT", target), *further], files.format, overwrite=files.overwrite)
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        def upscale_plane(job: Job) -> Result:
            from .. import upscale  # here: torch takes seconds to load

            large = upscale(job.inputs(given), **given, dtype=dtype, callback=job.callback)
            images = [large]
            if further:
                from ..image.resize import cubic  # here: scipy takes a while to load

                images.append(cubic(job.pixels, (large.shape[0], large.shape[1])))
            return Result(images, {"shape": list(large.shape)})

        outputs = outputs_of(pair, further, scale=given["scale"], dtype=dtype)
        facts = process_file(pair.source, outputs, files, report, upscale_plane)
        height, width = facts[0]["shape"][:2]
        return {"summary": f"{planes_text(facts)}{width} x {height} px", "planes": facts}

    return run_batch("upscale", common, pairs, work)
