"""Deconvolve image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..io.files import read_image
from ..ui.parameters.common import DTYPE
from .files import Files
from .listening import Listener
from .pairs import Pair, Place, Target
from .planes import Job, Result, outputs_of, planes_text, process_file


def spread_of(psf: Any) -> Any:
    """The point spread function as `deblur` takes it: a text names a file, all else stays as it is."""
    return read_image(psf).numpy() if isinstance(psf, str) and psf else psf


@dataclass(frozen=True)
class DeblurFile:
    """Deconvolves one file after the other.

    Parameters
    ----------
    given : mapping
        Values of `DEBLUR`.
    files : Files
        How files are read and written.
    further : sequence of Target
        A further output: the uncertainty.
    mask : Path or Location or None
        An image of the pixels that are left out, which keep their value.
    """

    given: Mapping[str, Any]
    files: Files = field(default_factory=Files)
    further: Sequence[Target] = ()
    mask: Place | None = None

    def __call__(self, pair: Pair, listener: Listener) -> dict[str, Any]:
        """Deconvolve a file; see `one_by_one.Work`."""
        given = {**self.given, "psf": spread_of(self.given["psf"])}

        def deblur_plane(job: Job) -> Result:
            from ..enlarging.deblur import deblur  # here: torch takes seconds to load

            done = deblur(job.inputs(given), **given, callback=job.callback)
            return Result([done.image, *(done.std for _ in pair.extras)], {"noise": float(done.noise)})

        outputs = outputs_of(pair, self.further, scale=given["scale"], dtype=given[DTYPE.name])
        facts = process_file(pair.source, outputs, self.files, listener, deblur_plane, mask=self.mask)
        level = sum(fact["noise"] for fact in facts) / len(facts)
        return {"summary": f"{planes_text(facts)}noise {level:.4g}", "planes": facts}
