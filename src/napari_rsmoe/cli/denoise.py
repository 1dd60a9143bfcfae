"""``napari-rsmoe denoise``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..batch.denoise import DenoiseFile
from ..batch.files import Files
from ..batch.pairs import Target
from ..ui.parameters import MASK, OUTPUTS, PARAMETERS
from .batch import pair_up, run_batch
from .options import Common, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import FILES, Verb


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
    left_out = None if mask is None else Path(mask)
    work = DenoiseFile(given, files, further, left_out, own_folders=len(pairs) > 1)
    return run_batch("denoise", common, pairs, work)
