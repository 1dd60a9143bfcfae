"""Upscale image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..denoising.large.disks import clear_errors
from ..denoising.large.names import folder_of
from ..ui.parameters.common import DTYPE
from .files import Files
from .large import going_on
from .listening import Listener
from .pairs import Pair, Place, Target
from .planes import Job, Result, outputs_of, planes_text, process_file


@dataclass(frozen=True)
class UpscaleFile:
    """Upscales one file after the other.

    Parameters
    ----------
    given : mapping
        Values of `UPSCALE`.
    files : Files
        How files are read and written.
    further : sequence of Target
        Further outputs: the uncertainty, and the cubic interpolation for comparison.
    mask : Path or Location or None
        An image of the pixels that are left out, which keep their value.
    """

    given: Mapping[str, Any]
    files: Files = field(default_factory=Files)
    further: Sequence[Target] = ()
    mask: Place | None = None

    def __call__(self, pair: Pair, listener: Listener) -> dict[str, Any]:
        """Upscale a file; see `one_by_one.Work`."""

        def upscale_plane(job: Job) -> Result:
            # Imported here to save start-up time: torch takes seconds.
            from ..denoising.large.kept import keeping
            from ..enlarging.upscale import upscale
            from ..image.resize import cubic

            # Not the checked pixels: what does not fit the memory is checked block by block.
            given = {**self.given, **job.left_out(self.given), "channel_axis": job.channel_axis, "mask": job.mask}
            with clear_errors(str(pair.target)), keeping(str(folder / f"plane-{job.plane.number}")):
                done = upscale(job.pixels, **given, return_std=True, callback=job.callback)
            images = [done.image]
            for name in pair.extras:
                images.append(done.std if name == "std" else cubic(np.asarray(job.pixels), done.image.shape[:2]))
            return Result(images, {"shape": list(done.image.shape), "noise": done.noise})

        folder = folder_of(str(pair.target))
        outputs = outputs_of(pair, self.further, scale=self.given["scale"], dtype=self.given[DTYPE.name])
        with going_on(str(pair.target), listener):
            facts = process_file(pair.source, outputs, self.files, listener, upscale_plane, unread=True, mask=self.mask)
        folder.remove()
        height, width = facts[0]["shape"][:2]
        return {"summary": f"{planes_text(facts)}{width} x {height} px", "planes": facts}
