"""Denoise image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..image.format import residual
from ..ui.parameters.common import CHECKPOINT, DTYPE
from ..ui.parameters.denoising import PLANE, STACK
from .files import Files
from .large import Large, denoise_in_blocks, goes_in_blocks
from .listening import Listener
from .mask_file import read_mask
from .pairs import Pair, Place, Target
from .planes import Job, Result, outputs_of, planes_text, process_file

if TYPE_CHECKING:
    from ..denoising.stack import Series


@dataclass(frozen=True)
class DenoiseFile:
    """Denoises one file after the other.

    Parameters
    ----------
    given : mapping
        Values of ``PARAMETERS["denoise_stack"]``.
    files : Files
        How files are read and written.
    further : sequence of Target
        Further outputs: the uncertainty and the residual.
    mask : Path or Location or None
        An image of the pixels that are left out.
    own_folders : bool
        Whether the models of each file are kept in a folder of its own within that of the checkpoint.
    large : Large
        How images of any size are denoised.
    unfinished : Path or None
        A folder that may keep the models of an interrupted file. It is used if no checkpoint is given, and planes are
        denoised as a whole.
    """

    given: Mapping[str, Any]
    files: Files = field(default_factory=Files)
    further: Sequence[Target] = ()
    mask: Place | None = None
    own_folders: bool = False
    large: Large = field(default_factory=Large)
    unfinished: Path | None = None

    def __call__(self, pair: Pair, listener: Listener) -> dict[str, Any]:
        """Denoise a file; see `one_by_one.Work`."""
        given = dict(self.given)
        if goes_in_blocks(pair, given, self.files, self.large):
            asked = given if self.mask is None else given | {"mask": self.mask}
            return denoise_in_blocks(pair, asked, self.files, self.large, listener)
        outputs = outputs_of(pair, self.further, dtype=given[DTYPE.name])
        own = {parameter.name: given[parameter.name] for parameter in STACK}
        series: list[Series] = []

        def denoise_plane(job: Job) -> Result:
            from ..denoising.stack import Series  # here: torch takes seconds

            if not series:
                own[CHECKPOINT.name] = self._checkpoint(pair, job)
                left_out = None if self.mask is None else read_mask(self.mask, job.source.axes, self.files)
                each = {parameter.name: given[parameter.name] for parameter in PLANE} | job.left_out(given)
                series.append(Series(job.stack, each, mask=left_out, opacity=job.opacity, **own))
            done = series[0].denoise(job.plane, job.callback)
            made = {"std": done.std.astype(np.float32, copy=False), "residual": residual(job.pixels, done.image)}
            images = [done.image, *(made[name] for name in pair.extras)]
            return Result(images, {"noise": float(done.noise), "models": len(done.models)})

        facts = process_file(pair.source, outputs, self.files, listener, denoise_plane)
        level = np.mean([fact["noise"] for fact in facts])
        return {"summary": f"{planes_text(facts)}noise {level:.4g}", "planes": facts}

    def _checkpoint(self, pair: Pair, job: Job) -> Path | None:
        """Where the models of the planes are kept."""
        folder = self._folder_of(pair)
        if folder is not None or self.unfinished is None:
            return folder
        # Imported here to save start-up time: torch takes seconds.
        from ..denoising.blockwise import fits_whole
        from ..denoising.options import split_settings

        options, _ = split_settings(self.given)
        return self.unfinished if fits_whole((*job.pixels.shape, 1)[:3], options) else None

    def _folder_of(self, pair: Pair) -> Path | None:
        """Where the models of a file are kept."""
        folder = self.given[CHECKPOINT.name]
        if folder is None or not self.own_folders:
            return None if folder is None else Path(folder)
        Path(folder).mkdir(exist_ok=True)
        return Path(folder) / pair.source.name
