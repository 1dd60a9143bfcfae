"""Denoising from store to store in a notebook: what is denoised of the image appears in a reduced picture of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..denoising.large.job import Job, JobSettings
from ..denoising.large.running import denoise_large
from ..denoising.large.tasks import do_block, do_level
from ..errors import ImageError, StoppedError
from ..image.blocks import Part
from ..image.planes import Planes
from ..io.image_file import FileArray, ImageFile
from ..io.lazily import open_image
from ..notes import Notes
from ..progress import Callback, Progress
from ..ui.calls import Subject, command_line
from ..ui.jobs import Outcome
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.values import changed, without
from .code_box import Code
from .job_widget import ActionWidget

SIDE = 1024
"""Largest side of the picture in pixels. Of larger images every n-th pixel is shown."""
MOST_READ = 2**26
"""Pixels of a plane up to which its picture is read at once. That of a larger one appears block by block."""


def place_of(image: Any) -> str:
    """The path or URL of an image that lies in a file or store.

    Parameters
    ----------
    image : str, path, zarr.Array or ImageFile
        The image.

    Raises
    ------
    ImageError
        If it lies in memory only.
    """
    if isinstance(image, str | os.PathLike):
        return os.fspath(image)
    if isinstance(image, ImageFile):
        image = image.data
    if isinstance(image, FileArray):
        image = image.source
    store = getattr(image, "store", None)
    root = getattr(store, "root", None) or getattr(store, "path", None)
    if root is None:
        raise ImageError(
            "With target= the image is a path, a URL or a Zarr array in a folder, not pixels in memory; write it "
            "first: napari_rsmoe.write_image('image.ome.zarr', image)."
        )
    name = getattr(image, "path", "")
    return os.path.join(str(root), name) if name else str(root)  # noqa: PTH118  # It may be a URL.


@dataclass(frozen=True)
class Overview:
    """Every n-th pixel of the first plane of a large image, and of what is denoised of it.

    Parameters
    ----------
    before, after : ndarray
        (Y, X) or (Y, X, C); filled block by block.
    step : int
        n.
    stack : bool
        Whether the image has more planes.
    """

    before: np.ndarray
    after: np.ndarray
    step: int
    stack: bool

    @classmethod
    def of(cls, source: str, **reading: Any) -> Overview:
        """Begin with the picture of an image, which is black if reading it would take long."""
        with open_image(source, **reading) as image:
            planes = Planes(image.data, image.axes)
            height, width = planes.plane_shape[:2]
            step = -(-max(height, width) // SIDE)
            shape = (-(-height // step), -(-width // step), *planes.plane_shape[2:])
            made = cls(np.zeros(shape, image.dtype), np.zeros(shape, image.dtype), step, len(planes) > 1)
            if height * width <= MOST_READ:
                for y in range(0, height, SIDE):
                    part = slice(y, min(y + SIDE, height)), slice(0, width)
                    made.fill(made.before, part, planes.part(0, *part))
        return made

    def fill(self, picture: np.ndarray, part: Part, values: np.ndarray) -> None:
        """Show a part of the plane in a picture."""
        first = [-side.start % self.step for side in part]
        small = values[first[0] :: self.step, first[1] :: self.step]
        y, x = ((side.start + skipped) // self.step for side, skipped in zip(part, first, strict=True))
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small

    def add(self, job: Job, task: int) -> bool:
        """Show a finished block; returns whether it lies in the first plane."""
        number, k = divmod(task, len(job.plan))
        if number == 0:
            part = job.plan[k].core
            done = job.stores()[0].read(job.planes.index_of(0, *part))
            self.fill(self.before, part, job.planes.part(0, *part))
            self.fill(self.after, part, job.planes.arranged(done))
        return number == 0


@dataclass(frozen=True)
class Announced:
    """Does tasks in this process, and announces each that is done, also those of an earlier run.

    Parameters
    ----------
    announce : callable
        Takes the job and the number of a task.
    """

    announce: Callable[[Job, int], None]

    def blocks(
        self, job: Job, tasks: Iterable[int], done: set[int], callback: Callback | None
    ) -> Iterator[dict[str, Any]]:
        """See `napari_rsmoe.denoising.large.running.Runner`."""
        for task in sorted(done):
            self.announce(job, task)
        for task in tasks:
            facts = do_block(job, task, callback)
            self.announce(job, task)
            yield facts

    def level(self, job: Job, level: int, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        """See `napari_rsmoe.denoising.large.running.Runner`."""
        for task in tasks:
            yield do_level(job, level, task)


class LargeDenoiseWidget(ActionWidget):
    """Denoise an image of any size block by block, from its file or store into a new one, and show what is done.

    It is what `DenoiseWidget` with a target makes. **Cancel** keeps the blocks that are done, and the next run with the
    same settings, also in another session, goes on there.

    Parameters
    ----------
    image : str, path, zarr.Array or ImageFile
        The image: a path, a URL, or what was opened from one.
    target : str or path
        Where the result is written: OME-Zarr, TIFF or NPY.
    std : str or path, optional
        Where the error bar is written.
    axes : str, optional
        A letter for each axis, if the file does not declare its axes.
    **given
        Parameters of `napari_rsmoe.denoise` that differ from its defaults.

    Attributes
    ----------
    result : ImageFile or None
        The finished result, whose pixels are read where they are indexed.
    """

    action, run_label, title = "denoise", "Denoise", "denoised"

    def __init__(self, image: Any, target: Any, *, std: Any = None, axes: str | None = None, **given: Any) -> None:
        self._place, self._target = place_of(image), os.fspath(target)
        self._std = None if std is None else os.fspath(std)
        self._reading = {} if axes is None else {"axes": axes}
        self._overview = Overview.of(self._place, **self._reading)
        super().__init__(self._overview.before, axes="YXC"[: self._overview.before.ndim], **given)

    def __repr__(self) -> str:
        return f"<LargeDenoiseWidget of {self._place} into {self._target}>"

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters but for those that only work on whole images."""
        return without(PARAMETERS["denoise_stack" if self._overview.stack else "denoise"], "checkpoint", "warm_start")

    def choose_region(self, region: tuple[slice, ...] | None) -> None:
        """Jobs always run on the whole image."""

    def code(self) -> Code:
        """Python code that does the same, or goes on with what was begun."""
        asked = self._asked(changed(self.parameters(), self._shown_settings()))
        return Code(
            "from napari_rsmoe.denoising.large.job import JobSettings\n"
            "from napari_rsmoe.denoising.large.running import denoise_large\n\n"
            f"denoise_large(JobSettings({asked.source!r}, {asked.target!r}, {asked.settings!r}, "
            f"reading={asked.reading!r}, std={asked.std!r}))"
        )

    def command_line(self) -> Code:
        """The shell command that does the same, or goes on with what was begun."""
        subject = Subject(axes="YX", shape=(0, 0), path=self._place, target=self._target)
        words = command_line(self.action, self._shown_settings(), subject).strip()
        more = ["--axes", self._reading["axes"]] if self._reading else []
        return Code(" ".join([words, *more, *([] if self._std is None else ["--std", shlex.quote(self._std)])]))

    def joined(self, results: list[Any]) -> ImageFile:
        """The result, opened."""
        return open_image(self._target)

    def summary(self, results: list[Job]) -> str:
        """The blocks and the noise level."""
        (job,) = results
        return f"{len(job)} blocks of {job.side} px, noise {job.found.noise:.4g}"

    def _asked(self, given: dict[str, Any]) -> JobSettings:
        return JobSettings(self._place, self._target, given, self._reading, self._std)

    def _run(self, given: dict[str, Any], callback: Callback) -> list[Any]:
        """Denoise block by block, on the thread of the job."""
        notes = Notes()

        def report(progress: Progress) -> bool:
            stop = bool(callback(progress))
            self._show_progress()
            return stop

        with notes.on(""):
            done = denoise_large(self._asked(given), runner=Announced(self._show_block), callback=report)
        self.numbers, self.notes = [0], notes.lines()
        return [done]

    def _finish(self, given: dict[str, Any], outcome: Outcome) -> None:
        super()._finish(given, outcome)
        if isinstance(self.error, StoppedError):
            self.status.value = f"Stopped. {self.run_label} goes on with the blocks that are left."

    def _show_block(self, job: Job, task: int) -> None:
        if self._overview.add(job, task):
            self.pane.show(0, before=self._overview.before, after=self._overview.after)
            self.pane.choose_contrast()
