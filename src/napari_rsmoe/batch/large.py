"""Denoise files of any size block by block, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..denoising.large.names import folder_of
from ..errors import ImageError, StoppedError
from ..io.formats import SUFFIXES
from ..io.location import is_url
from ..ui.parameters.common import CHECKPOINT
from ..ui.parameters.denoising import PLANE, STACK
from .files import Files
from .listening import Listener
from .pairs import Pair

FORMATS = ("zarr", "tiff", "npy")
"""Formats that are written block by block."""


@dataclass(frozen=True)
class Large:
    """The options about images of any size; see `napari_rsmoe.ui.parameters.running.LARGE`.

    Parameters
    ----------
    cluster : str or None
        Where blocks are worked on; None: in this process.
    workers : int
        Number of processes or jobs of the cluster.
    status : bool
        Whether only the state of the job is asked for.
    ome_zarr : str
        Version of OME-Zarr.
    """

    cluster: str | None = None
    workers: int = 1
    status: bool = False
    ome_zarr: str = "0.5"


def goes_in_blocks(pair: Pair, given: Mapping[str, Any], files: Files, large: Large) -> bool:
    """Whether a file is denoised from store to store: on request, or as its planes do not fit the memory."""
    if large.cluster is not None:
        return True
    if SUFFIXES.get(Path(pair.target.name).suffix.lower()) not in FORMATS:
        return False
    if isinstance(given["block"], int) or (folder_of(str(pair.target)) / "job.json").exists():
        return True
    # Imported here to save start-up time: torch takes seconds, and NumPy a tenth of one.
    from ..denoising.blockwise import fits_whole
    from ..denoising.options import split_settings
    from ..image.planes import Planes

    with files.read(pair.source) as image:
        shape = Planes(image.data, image.axes, independent_channels=files.independent_channels).plane_shape
        if image.alpha:
            return False
        # At a URL a job that is interrupted goes on.
        remote = is_url(str(pair.source)) or is_url(str(pair.target))
        return remote or not fits_whole((*shape, 1)[:3], split_settings(given)[0])


@contextlib.contextmanager
def going_on(target: str, listener: Listener) -> Iterator[None]:
    """Say how a job that is stopped goes on."""
    try:
        yield
    except (KeyboardInterrupt, StoppedError):
        if folder_of(target).exists():
            listener.note(f"the blocks of {target} that are done are kept, and the same command goes on (see --status)")
        raise


def denoise_in_blocks(
    pair: Pair, given: Mapping[str, Any], files: Files, large: Large, listener: Listener
) -> dict[str, Any]:
    """Denoise a file from store to store, or go on; see `one_by_one.Work`."""
    # Imported here to save start-up time: torch takes seconds.
    from ..denoising.large.cluster import workers_of
    from ..denoising.large.job import JobSettings
    from ..denoising.large.running import denoise_large

    if given.get(CHECKPOINT.name) is not None:
        raise ImageError(f"--{CHECKPOINT.name} cannot be given for images that are denoised block by block.")
    names = {parameter.name for parameter in (*PLANE, *STACK)} - {CHECKPOINT.name, "warm_start"}
    std, residual = (None if name not in pair.extras else str(pair.extras[name]) for name in ("std", "residual"))
    asked = JobSettings(
        str(pair.source),
        str(pair.target),
        {name: value for name, value in given.items() if name in names},
        files.reading(),
        std,
        files.independent_channels,
        large.ome_zarr,
        None if given.get("mask") is None else str(given["mask"]),
        residual,
        files.opened,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(going_on(str(pair.target), listener))
        runner = None
        if large.cluster is not None:
            runner = stack.enter_context(workers_of(large.cluster, large.workers))
        job = denoise_large(
            asked,
            runner=runner,
            workers=large.workers if large.cluster == "local" else 1,
            overwrite=files.overwrite,
            maker=pair.maker or None,
            callback=listener.callback(),
        )
    noise = job.found.noise
    return {
        "summary": f"{len(job)} blocks of {job.side} px, noise {noise:.4g}",
        "blocks": len(job),
        "block": job.side,
        "noise": noise,
    }
