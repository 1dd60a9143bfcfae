"""``napari-rsmoe noise``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..batch.files import Files
from ..io.location import Location
from ..ui.parameters.common import LEFT_OUT, MEMORY
from .batch import Report
from .info import plain
from .options import READING, Common, Source, file_options, run_options, settings
from .program import Verb


@click.command("noise", cls=Verb, options_metavar="[options]")
@click.argument("path", metavar="FILE", type=Source())
@settings((*LEFT_OUT, MEMORY))
@file_options(*READING)
@run_options
def command(path: Path | Location, given: dict[str, Any], files: Files, common: Common) -> int:
    """Estimate the noise of FILE, an image, with standard errors.

    \b
    Examples
      napari-rsmoe noise micrograph.tif
      napari-rsmoe noise stack.npy --axes TYX --json

    Numbers are in the units of the image. Each plane of a stack is estimated separately; of one that does not fit
    the memory, a sample is. Noise that grows with brightness follows the model of a camera: value = gain * photons +
    offset + read noise. `denoise --noise GAIN,OFFSET,READ` takes these three numbers.
    """  # noqa: D301
    # Imported here so that --help does not wait for NumPy.
    from ..batch.noise import noise_of_file

    common.prepare()
    report = Report(common, 1)

    def say(place: str, found: str) -> None:
        if not common.json:
            report.line(f"{place}: {found}")

    report.begin(0, path.name)
    try:
        with report.listening():
            planes = noise_of_file(path, given, files, report, say)
    finally:
        report.close()
    if common.json:
        click.echo(json.dumps(plain({"verb": "noise", "ok": True, "file": str(path), "planes": planes})))
    return 0
