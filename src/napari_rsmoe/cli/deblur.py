"""``napari-rsmoe deblur``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..batch.deblur import DeblurFile
from ..batch.files import Files
from ..batch.pairs import Target
from ..ui.parameters import DEBLUR, DTYPE, OUTPUTS
from .batch import pair_up, run_batch
from .options import Common, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import Verb


@click.command("deblur", cls=Verb, options_metavar="[options]")
@source_and_target
@settings(DEBLUR)
@option_of(DTYPE)
@further_outputs(OUTPUTS["deblur"])
@file_options()
@run_options
def command(
    source: Path, target: str, given: dict[str, Any], dtype: str, further: list[Target], files: Files, common: Common
) -> int:
    """Undo the blur of the optics in INPUT (deconvolution), and write OUTPUT.

    \b
    Examples
      napari-rsmoe deblur cells.tif sharp.tif --psf 1.5
      napari-rsmoe deblur cells.tif sharp.tif --psf 1.4,520,65 --scale 2 --std error.tif
      napari-rsmoe deblur stack.ome.tif sharp.ome.tif --psf beads.tif --noise 2.1,100,3

    Every plane is deconvolved by itself, with the point spread function in the plane. A wrong one makes results that
    look sharp and are wrong.
    """  # noqa: D301
    pairs = pair_up("deblur", source, [Target("OUTPUT", target), *further], files.format, overwrite=files.overwrite)
    common.prepare()
    return run_batch("deblur", common, pairs, DeblurFile(given, dtype, files, further))
