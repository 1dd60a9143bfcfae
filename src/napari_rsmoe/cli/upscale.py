"""``napari-rsmoe upscale``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..batch.files import Files
from ..batch.pairs import Target
from ..batch.upscale import UpscaleFile
from ..ui.parameters import DTYPE, OUTPUTS, UPSCALE
from .batch import pair_up, run_batch
from .options import Common, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import Verb


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
    return run_batch("upscale", common, pairs, UpscaleFile(given, dtype, files, further))
