"""Upscale image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .files import Files
from .listening import Listener
from .pairs import Pair, Target
from .planes import Job, Result, outputs_of, planes_text, process_file


@dataclass(frozen=True)
class UpscaleFile:
    """Upscales one file after the other.

    Parameters
    ----------
    given : mapping
        Values of `UPSCALE`.
    dtype : str
        Data type of the result, as the user chose it.
    files : Files
        How files are read and written.
    further : sequence of Target
        A further output: the cubic interpolation for comparison.
    """

    given: Mapping[str, Any]
    dtype: str = "same"
    files: Files = field(default_factory=Files)
    further: Sequence[Target] = ()

    def __call__(self, pair: Pair, listener: Listener) -> dict[str, Any]:
        """Upscale a file; see `one_by_one.Work`."""

        def upscale_plane(job: Job) -> Result:
            from ..fitting.upscale import upscale  # here: torch takes seconds to load

            large = upscale(job.inputs(self.given), **self.given, dtype=self.dtype, callback=job.callback)
            images = [large]
            if self.further:
                from ..image.resize import cubic  # here: scipy takes a while to load

                images.append(cubic(job.pixels, (large.shape[0], large.shape[1])))
            return Result(images, {"shape": list(large.shape)})

        outputs = outputs_of(pair, self.further, scale=self.given["scale"], dtype=self.dtype)
        facts = process_file(pair.source, outputs, self.files, listener, upscale_plane)
        height, width = facts[0]["shape"][:2]
        return {"summary": f"{planes_text(facts)}{width} x {height} px", "planes": facts}
