"""``napari-rsmoe fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..batch.files import Files
from ..batch.fit import FitFile
from ..batch.pairs import Target
from ..ui.parameters import DTYPE, FIT, OUTPUTS
from .batch import pair_up, run_batch
from .options import Common, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import Verb


@click.command("fit", cls=Verb, options_metavar="[options]")
@source_and_target
@settings(FIT)
@option_of(DTYPE)
@further_outputs(OUTPUTS["fit"])
@file_options()
@run_options
def command(
    source: Path, target: str, given: dict[str, Any], dtype: str, further: list[Target], files: Files, common: Common
) -> int:
    """Fit steered kernels to INPUT, and render the model to OUTPUT.

    \b
    Examples
      napari-rsmoe fit photo.png drawn.png
      napari-rsmoe fit photo.png drawn.png --n-kernels 10000 --model photo.rsmoe
      napari-rsmoe fit photo.png drawn.png --psnr 35 --model photo.rsmoe
      napari-rsmoe fit photo.png drawn.png --n-kernels 2000 --time 5
      napari-rsmoe fit photo.png drawn.png --preset paper --seed 3
      napari-rsmoe fit folder/ drawn/ --model models/ --format tif

    Each plane of a stack becomes a model of its own. A model file holds one plane, so --model is for images
    of one plane.
    """  # noqa: D301
    with_model = any(each.option == "--model" for each in further)
    if with_model and files.independent_channels:
        raise click.UsageError("A .rsmoe file holds one model: leave out --model or --independent-channels.")
    pairs = pair_up("fit", source, [Target("OUTPUT", target), *further], files.format, overwrite=files.overwrite)
    for pair in pairs if with_model else ():
        if pair.extras["model"].suffix != ".rsmoe":
            raise click.UsageError(f"--model names a .rsmoe file, not {pair.extras['model']}.")
    common.prepare()
    return run_batch("fit", common, pairs, FitFile(given, dtype, files, further))
