"""What is done to files, by the name of the job: the work, its settings, and its further outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..ui.kinds import Output, Parameter
from ..ui.parameters import CHECKPOINT, DTYPE, FIT, OUTPUTS, PARAMETERS, UPSCALE, values, without
from .denoise import DenoiseFile
from .files import Files
from .fit import FitFile
from .one_by_one import Work
from .pairs import Target
from .upscale import UpscaleFile

Made = Callable[[Mapping[str, Any], Files, Sequence[Target], Path], Work]
"""Makes the work on one file from checked settings and the folder of what is unfinished of it."""


@dataclass(frozen=True)
class FileJob:
    """What may be done to files.

    Attributes
    ----------
    label : str
        Its name in forms.
    parameters : sequence of Parameter
        Its settings.
    outputs : sequence of Output
        Its further outputs, each in a folder of its own.
    ending : str
        What is appended to the name of a folder for its results.
    make : callable
        See `Made`.
    """

    label: str
    parameters: Sequence[Parameter]
    outputs: Sequence[Output]
    ending: str
    make: Made

    def work(self, given: Mapping[str, Any], files: Files, further: Sequence[Target] = ()) -> Callable[[Path], Work]:
        """The work as `Queue` takes it. Raises ValueError if a setting is not accepted."""
        settings = values((*self.parameters, *self._hidden), given)
        return lambda unfinished: self.make(settings, files, further, unfinished)

    @property
    def _hidden(self) -> Sequence[Parameter]:
        return (CHECKPOINT,) if self.make is _denoise else ()


def _denoise(given: Mapping[str, Any], files: Files, further: Sequence[Target], unfinished: Path) -> Work:
    return DenoiseFile(given, files, further, unfinished=unfinished)


def _fit(given: Mapping[str, Any], files: Files, further: Sequence[Target], _: Path) -> Work:
    dtype = given[DTYPE.name]
    return FitFile({k: v for k, v in given.items() if k != DTYPE.name}, dtype, files, further)


def _upscale(given: Mapping[str, Any], files: Files, further: Sequence[Target], _: Path) -> Work:
    dtype = given[DTYPE.name]
    return UpscaleFile({k: v for k, v in given.items() if k != DTYPE.name}, dtype, files, further)


FILE_JOBS = {
    "denoise": FileJob(
        "Denoise",
        without(PARAMETERS["denoise_stack"], CHECKPOINT.name),
        OUTPUTS["denoise"],
        "denoised",
        _denoise,
    ),
    "fit": FileJob("Fit kernels", (*FIT, DTYPE), OUTPUTS["fit"], "fitted", _fit),
    "upscale": FileJob("Super-resolution", (*UPSCALE, DTYPE), OUTPUTS["upscale"], "enlarged", _upscale),
}
