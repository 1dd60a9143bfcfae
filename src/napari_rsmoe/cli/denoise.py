"""``napari-rsmoe denoise``."""

from __future__ import annotations

from typing import Any

import click

from ..batch.files import Files
from ..batch.following import Following
from ..batch.large import Large
from ..batch.pairs import Place, Target, place_of
from ..denoising.large.names import folder_of
from ..ui.parameters.files import MASK
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.outputs import OUTPUTS
from .batch import pair_up, run_batch
from .follow import follow
from .options import (
    Common,
    file_options,
    following_options,
    further_outputs,
    large_options,
    names_of_source_and_target,
    option_of,
    run_options,
    settings,
)
from .program import FILES, Verb
from .status import show_status


@click.command("denoise", cls=Verb, options_metavar="[options]")
@names_of_source_and_target
@settings(PARAMETERS["denoise_stack"])
@further_outputs(OUTPUTS["denoise"])
@option_of(MASK, section=FILES)
@file_options()
@large_options
@following_options
@run_options
def command(
    source: str,
    target: str,
    given: dict[str, Any],
    further: list[Target],
    mask: str | None,
    files: Files,
    large: Large,
    following: Following,
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
      napari-rsmoe denoise huge.ome.zarr clean.ome.zarr --memory 4G
      napari-rsmoe denoise s3://bucket/in.ome.zarr s3://bucket/out.ome.zarr --cluster slurm --workers 50
      napari-rsmoe denoise huge.ome.zarr clean.ome.zarr --status
      napari-rsmoe denoise camera/ cleaned/ --follow --idle 30

    Data type, value range, axes, pixel size and opacity (alpha) are kept, and pixels without data keep their value.
    Images that do not fit the memory are denoised block by block; the same command goes on with a job that was
    interrupted.
    """  # noqa: D301
    # Imported here so that --help does not wait for NumPy.
    from ..batch.denoise import DenoiseFile

    if large.status:
        return show_status("denoise", target, common)
    targets = [Target("OUTPUT", target), *further]
    left_out = None if mask is None else place_of(mask)
    if following.follow:
        return follow(place_of(source), targets, given, files, following, left_out, common)
    pairs = pair_up("denoise", place_of(source), targets, files.format, overwrite=files.overwrite, goes_on=_goes_on)
    common.prepare()
    work = DenoiseFile(given, files, further, left_out, own_folders=len(pairs) > 1, large=large)
    return run_batch("denoise", common, pairs, work)


def _goes_on(target: Place) -> bool:
    """Whether a job on a target was interrupted."""
    return (folder_of(str(target)) / "job.json").exists()
