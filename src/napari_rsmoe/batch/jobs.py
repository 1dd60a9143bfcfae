"""What is done to files, by the name of the job: the work, its settings, and its further outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..ui.kinds.parameter import Parameter
from ..ui.kinds.texts import Output
from ..ui.parameters.enlarging import DEBLUR, UPSCALE
from ..ui.parameters.fitting import DRAWN
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.outputs import OUTPUTS
from ..ui.parameters.values import values
from .files import Files
from .one_by_one import Work
from .pairs import Place, Target


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
    kind : callable
        Makes the work on one file from checked settings, how files are read and written, and further outputs.
    resumes : bool
        Whether `kind` also takes `unfinished`, the folder of what is unfinished of a file.
    """

    label: str
    parameters: Sequence[Parameter]
    outputs: Sequence[Output]
    ending: str
    kind: Callable[..., Work]
    resumes: bool = False

    def work(
        self, given: Mapping[str, Any], files: Files, further: Sequence[Target] = (), mask: Place | None = None
    ) -> Callable[[Path], Work]:
        """The work as `Queue` takes it, without the pixels of the mask. Raises ValueError for a wrong setting."""
        settings = values(self.parameters, given)
        if self.resumes:
            return lambda unfinished: self.kind(settings, files, further, mask, unfinished=unfinished)
        return lambda _: self.kind(settings, files, further, mask)


def _made_by(module: str, name: str) -> Callable[..., Work]:
    """A class of this package, which is imported when it is first called, so that --help does not wait for NumPy."""

    def make(*arguments: Any, **keywords: Any) -> Work:
        made: Work = getattr(import_module(f"{__package__}.{module}"), name)(*arguments, **keywords)
        return made

    return make


FILE_JOBS = {
    "denoise": FileJob(
        "Denoise",
        PARAMETERS["denoise_stack"],
        OUTPUTS["denoise"],
        "denoised",
        _made_by("denoise", "DenoiseFile"),
        resumes=True,
    ),
    "fit": FileJob("Fit kernels", DRAWN, OUTPUTS["fit"], "fitted", _made_by("fit", "FitFile")),
    "upscale": FileJob("Super-resolution", UPSCALE, OUTPUTS["upscale"], "enlarged", _made_by("upscale", "UpscaleFile")),
    "deblur": FileJob("Deblur", DEBLUR, OUTPUTS["deblur"], "deblurred", _made_by("deblur", "DeblurFile")),
}
"""Each job with the name that it has as a function of the package and as a verb of the command line."""
