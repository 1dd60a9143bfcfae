"""Denoising from store to store in a notebook: what is denoised of the image appears in a reduced picture of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, cast

import numpy as np

from ..denoising.large.job import Job, JobSettings
from ..denoising.large.names import name_of
from ..denoising.large.order import View, VisibleFirst
from ..denoising.large.running import denoise_large
from ..errors import StoppedError
from ..image.blocks import Part
from ..image.format import find_channels
from ..image.planes import Planes, stack_axes
from ..io.image_file import FileArray, ImageFile
from ..io.lazily import open_image
from ..notes import Notes, note
from ..progress import Callback, Progress
from ..ui.calls import Subject, command_line
from ..ui.jobs import Outcome
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.running import OME_ZARR
from ..ui.parameters.values import changed, without
from .code_box import Code
from .job_widget import ActionWidget
from .source import variable_name

SIDE = 1024
"""Largest side of the picture in pixels. Of larger images every n-th pixel is shown."""
WRITING = {"independent_channels": False, "ome_zarr": OME_ZARR.default}
"""How results are written unless the user wants it otherwise."""
MOST_READ = 2**26
"""Pixels of a plane up to which its picture is read at once. That of a larger one appears block by block."""


@dataclass(frozen=True)
class Place:
    """Where the pixels of a large image come from.

    Attributes
    ----------
    name : str
        Path or URL; for an array that lies in neither, a name that tells it from others.
    code : str
        Python that opens it, if it is such an array.
    opened : mapping of str to callable
        As for `napari_rsmoe.denoising.large.job.JobSettings`.
    guessed : bool
        Whether the axes of such an array were guessed from its shape.
    """

    name: str
    code: str = ""
    opened: Mapping[str, Callable[[], ImageFile]] = field(default_factory=dict)
    guessed: bool = False

    @classmethod
    def of(cls, image: Any, axes: str | None = None, variable: str = "") -> Place:
        """The place of a path, a URL, an `ImageFile`, or an array of NumPy, Zarr or Dask in a variable."""
        if isinstance(image, str | os.PathLike):
            return cls(os.fspath(image))
        variable = variable or variable_name(image) or "image"
        if isinstance(image, ImageFile):
            image, axes, variable = image.data, axes or image.axes, f"{variable}.data"
        image = image.source if isinstance(image, FileArray) else image
        store = getattr(image, "store", None)
        root = getattr(store, "root", None) or getattr(store, "path", None)
        if root is not None:
            return cls("/".join(filter(None, [str(root).rstrip("/"), image.path])))
        letters = axes or stack_axes(image.shape)
        name = f"array {getattr(image, 'name', None) or _fingerprint(image)}"
        return cls(name, f"ImageFile({variable}, {letters!r})", {name: lambda: ImageFile(image, letters)}, not axes)

    def open(self, **reading: Any) -> ImageFile:
        """The image, whose pixels are read where they are indexed."""
        return self.opened[self.name]() if self.opened else open_image(self.name, **reading)


def _place_of_mask(mask: Any) -> Place:
    """The place of a mask; arrays, which may be of bool, become what a file can hold."""
    if not isinstance(getattr(mask, "dtype", None), np.dtype) or not hasattr(mask, "astype"):
        return Place.of(mask)
    return Place.of((mask != 0).astype(np.uint8), None, f"({variable_name(mask) or 'mask'} != 0).astype('uint8')")


def _fingerprint(array: Any) -> str:
    """A name for the pixels of an array in memory, the same for the same pixels."""
    digest = blake2b(digest_size=16)
    for rows in np.asarray(array):
        digest.update(np.ascontiguousarray(rows).view(np.uint8).data)
    return digest.hexdigest()


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
    def of(cls, source: Place, independent_channels: bool = False, **reading: Any) -> Overview:
        """Begin with the picture of an image, which is black if reading it would take long."""
        with source.open(**reading) as image:
            planes = Planes(image.data, image.axes, independent_channels=independent_channels)
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
            done = job.result.read(job.planes.index_of(0, *part))
            self.fill(self.before, part, job.planes.part(0, *part))
            self.fill(self.after, part, job.planes.arranged(done))
        return number == 0


class LargeDenoiseWidget(ActionWidget):
    """Denoise an image of any size block by block into a file or store, and show what is done.

    Blocks in view come first. It is what `DenoiseWidget` with a target makes. **Cancel** keeps the blocks that are
    done, and the next run with the same settings, also in another session, goes on there.

    Parameters
    ----------
    image : str, path, ImageFile or array
        The image: a path or URL, or an array of Zarr, Dask or NumPy, which is read where it is needed.
    target : str or path
        Where the result is written: OME-Zarr, TIFF or NPY.
    std : str or path, optional
        Where the error bar is written.
    axes : str, optional
        A letter for each axis, if the file does not declare its axes.
    mask : str, path or array, optional
        An image of the pixels that are left out: those that are not 0 there.
    independent_channels : bool
        Whether each channel is an image of its own.
    ome_zarr : {"0.5", "0.4"}
        Version of OME-Zarr that is written: 0.5 with shards, or 0.4 for older programs.
    **given
        Parameters of `napari_rsmoe.denoise` that differ from its defaults.

    Attributes
    ----------
    result : ImageFile or None
        The finished result, whose pixels are read where they are indexed.
    """

    action, run_label, title = "denoise", "Denoise", "denoised"

    def __init__(
        self,
        image: Any,
        target: Any,
        *,
        std: Any = None,
        axes: str | None = None,
        mask: Any = None,
        independent_channels: bool = False,
        ome_zarr: str = "0.5",
        **given: Any,
    ) -> None:
        self._place = Place.of(image, axes)
        self._mask = None if mask is None else _place_of_mask(mask)
        self._target, self._std = os.fspath(target), None if std is None else os.fspath(std)
        self._reading = {} if axes is None or self._place.opened else {"axes": axes}
        self._writing: dict[str, Any] = {
            "independent_channels": independent_channels,
            "ome_zarr": OME_ZARR.check(ome_zarr),
        }
        self._overview = Overview.of(self._place, independent_channels, **self._reading)
        super().__init__(self._overview.before, axes="YXC"[: self._overview.before.ndim], **given)

    def __repr__(self) -> str:
        return f"<LargeDenoiseWidget of {self._place.name} into {self._target}>"

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters but for those that only work on whole images."""
        return without(PARAMETERS["denoise_stack" if self._overview.stack else "denoise"], "checkpoint", "warm_start")

    def choose_region(self, region: tuple[slice, ...] | None) -> None:
        """Jobs always run on the whole image."""

    def code(self) -> Code:
        """Python code that does the same, or goes on with what was begun."""
        asked, arrays = self._asked(changed(self.parameters(), self._shown_settings())), self._arrays()
        words = [repr(asked.source), repr(asked.target), repr(dict(asked.settings))]
        words += [f"{name}={value!r}" for name in ("reading", "std", "mask") if (value := getattr(asked, name))]
        words += [f"{name}={value!r}" for name, value in self._writing.items() if value != WRITING[name]]
        words += [f"opened={{{', '.join(f'{each.name!r}: lambda: {each.code}' for each in arrays)}}}"] if arrays else []
        return Code(
            "from napari_rsmoe.denoising.large.job import JobSettings\n"
            "from napari_rsmoe.denoising.large.running import denoise_large\n"
            + ("from napari_rsmoe.io.image_file import ImageFile\n" if arrays else "")
            + f"\ndenoise_large(JobSettings({', '.join(words)}))"
        )

    def _arrays(self) -> list[Place]:
        """The image and the mask, if they are arrays."""
        return [each for each in (self._place, self._mask) if each is not None and each.opened]

    def command_line(self) -> Code:
        """The shell command that does the same, or goes on with what was begun; arrays must be saved first."""
        path = "image.ome.zarr" if self._place.opened else self._place.name
        masked = "" if self._mask is None else "mask.tif" if self._mask.opened else self._mask.name
        saved = zip(self._arrays(), [path] * bool(self._place.opened) + [masked], strict=False)
        notes = [f"save it first, in Python: napari_rsmoe.write_image({to!r}, {each.code})" for each, to in saved]
        subject = Subject(
            axes="YX", shape=(0, 0), path=path, target=self._target, mask_path=masked, notes=tuple(notes)
        )  # fmt: skip
        words = command_line(self.action, self._shown_settings(), subject).strip()
        more = ["--axes", self._reading["axes"]] if self._reading else []
        more += [] if self._std is None else ["--std", self._std]
        more += ["--independent-channels"] if self._writing["independent_channels"] else []
        more += ["--ome-zarr", self._writing["ome_zarr"]] if self._writing["ome_zarr"] != OME_ZARR.default else []
        return Code(" ".join([words, shlex.join(more)]).strip())

    def joined(self, results: list[Any]) -> ImageFile:
        """The result, opened."""
        return open_image(self._target)

    def summary(self, results: list[Job]) -> str:
        """The blocks and the noise level."""
        (job,) = results
        return f"{len(job)} blocks of {job.side} px, noise {job.found.noise:.4g}"

    def _asked(self, given: dict[str, Any]) -> JobSettings:
        opened = {name: open_ for each in self._arrays() for name, open_ in each.opened.items()}
        mask = None if self._mask is None else self._mask.name
        return JobSettings(
            self._place.name, self._target, given, self._reading, self._std, mask=mask, opened=opened, **self._writing
        )

    def _in_view(self) -> View | None:
        """The part of the first plane that the pane shows."""
        box = self.pane.view.get("box")
        if not box:
            return None
        y0, x0, y1, x1 = (max(0, int(each * self._overview.step)) for each in box)
        return 0, (slice(y0, y1), slice(x0, x1))

    def _run(self, given: dict[str, Any], callback: Callback) -> list[Any]:
        """Denoise block by block, on the thread of the job."""
        notes = Notes()

        def report(progress: Progress) -> bool:
            stop = bool(callback(progress))
            self._show_progress()
            return stop

        runner = VisibleFirst(self._in_view, self._show_begun, self._show_block)
        with notes.on(""):
            with self._place.open(**self._reading) as image:
                for each in image.notes:
                    note(each)
                if self._place.guessed and image.axes == "YXC":
                    find_channels(cast("np.ndarray", image.data), "auto")  # Says what was assumed.
            done = denoise_large(self._asked(given), runner=runner, callback=report)
        self.numbers, self.notes = [0], notes.lines()
        return [done]

    def _finish(self, given: dict[str, Any], outcome: Outcome) -> None:
        super()._finish(given, outcome)
        if isinstance(self.error, StoppedError):
            self.status.value = f"Stopped. {self.run_label} goes on with the blocks that are left."

    def _show_begun(self, job: Job) -> None:
        """Show what an earlier run has done."""
        finished = job.done()
        for task in range(len(job.plan)):
            if name_of(task) in finished:
                self._show_block(job, task)

    def _show_block(self, job: Job, task: int) -> None:
        if self._overview.add(job, task):
            self.pane.show(0, before=self._overview.before, after=self._overview.after)
            self.pane.choose_contrast()
