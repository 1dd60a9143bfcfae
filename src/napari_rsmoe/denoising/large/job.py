"""A job on a large image, as it lies in a folder beside its result.

The folder ``NAME.rsmoe-job`` holds

* ``job.json``: the source, the settings, the blocks, and the survey of the image, exactly, with a checksum;
* ``image.ome.zarr``, ``std.ome.zarr``, ``residual.ome.zarr``: the results as far as they are done;
* ``margins/``: what blocks yield beyond their cores, into which their neighbours fade;
* ``done/``: a marker for each task that is done, with checksums of what it has written.

A job that was interrupted is taken up by the same call: tasks with a marker are not done again, and the others yield
the same bits, as all that they depend on lies in the folder. When all are done, the results get their names, and the
folder is removed. In an object store, which cannot rename, Zarr results are written under their names, and become
images when their metadata are written at the end. Files of other formats are put there when they are complete.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

import numpy as np

from ... import engine
from ...errors import CheckpointError, ImageError
from ...image.beginning import reading_report
from ...image.blocks import SIDES, BlockPlan
from ...image.planes import Planes
from ...image.seams import earlier, in_order
from ...io.block_store import BlockStore
from ...io.image_file import ImageFile
from ...io.lazily import open_image
from ...io.location import Location
from ...memory import limited
from ...progress import Callback
from ..blockwise import HALO, DenoiseBlocks, blocks_of, check_blocks, surveyed
from ..costs import expected_seconds
from ..options import EDITION, RESULTS, split_settings
from ..plans import REFERENCE_NOISE, plan_ensemble
from ..survey import Survey
from .masks import LazyMask
from .names import LOCK, folder_of
from .source import Source
from .trusted import UNSOUND, sealed, unsealed

SURVEYING = "survey of the image"
"""Name of the stage in which a sample of the image is measured."""
FURTHER = {"std": math.nan, "residual": 0.0}
"""Results besides the image, as float32, and their value where nothing is stored of the image."""
MULTIPLE = 128
"""Number of which the sides of blocks are multiples, so that chunks fill shards."""


@dataclass(frozen=True)
class JobSettings:
    """What the user asks for.

    Attributes
    ----------
    source : str
        Path or URL of the image.
    target : str
        Path or URL of the result.
    settings : mapping
        Keywords of `napari_rsmoe.denoise` that JSON can hold; `block` among them.
    reading : mapping
        Keywords of `napari_rsmoe.read_image`.
    std, residual : str or None
        Path or URL of the error bar, and of the image minus the result; None: it is not kept.
    independent_channels : bool
        Whether each channel is an image of its own.
    ome_zarr : {"0.5", "0.4"}
        Version of OME-Zarr.
    mask : str or None
        Path or URL of an image of the pixels that are left out: those that are not 0 there. (Y, X), or with the axes of
        the image without its channels.
    opened : mapping of str to callable
        Images that lie in no file, by the names that `source` and `mask` have; called for the image. The names must
        tell images apart: a job that is taken up takes it that the same name is the same image.
    """

    source: str
    target: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    std: str | None = None
    independent_channels: bool = False
    ome_zarr: str = "0.5"
    mask: str | None = None
    residual: str | None = None
    opened: Mapping[str, Callable[[], ImageFile]] = field(default_factory=dict, compare=False, repr=False)

    def image(self) -> ImageFile:
        """The source, whose pixels are read where they are indexed."""
        return self._opened(self.source, **self.reading)

    def read_from(self) -> Source:
        """The source and its mask, of which parts are read."""
        return Source.of(self.image(), self._mask_of, self.settings, independent_channels=self.independent_channels)

    def _mask_of(self, planes: Planes) -> LazyMask | None:
        """The mask of the planes of the source; None if there is none."""
        if self.mask is None:
            return None
        allow = {"allow_outside": self.reading.get("allow_outside", False), "as_stored": True}
        return LazyMask.of(partial(self._opened, self.mask, **allow), planes)

    def _opened(self, name: str, **reading: Any) -> ImageFile:
        return self.opened[name]() if name in self.opened else open_image(name, **reading)

    def _place_of(self, name: str | None) -> str | None:
        return name if name is None or name in self.opened else str(Location.of(name))

    @property
    def outputs(self) -> dict[str, str]:
        """Path or URL of each result that is kept, by its name in the folder of the job."""
        named = {"image": self.target, "std": self.std, "residual": self.residual}
        return {name: place for name, place in named.items() if place is not None}

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the bits of the result."""
        given = {name: value for name, value in self.settings.items() if name not in ("memory", "callback", "device")}
        further = {} if self.mask is None else {"mask": self._place_of(self.mask)}
        further |= {} if self.residual is None else {"residual": str(Location.of(self.residual))}
        return further | {
            "source": self._place_of(self.source),
            "std": None if self.std is None else str(Location.of(self.std)),
            "settings": json.loads(json.dumps(given)),
            "reading": json.loads(json.dumps(dict(self.reading))),
            "independent channels": self.independent_channels,
            "ome-zarr": self.ome_zarr,
            "edition": f"{EDITION}.{RESULTS}",
            "version of napari-rsmoe": version("napari-rsmoe"),
        }


@dataclass(frozen=True)
class Job:
    """A job whose image has been surveyed. Build it with `Job.begun` or `Job.opened`.

    Attributes
    ----------
    folder : Location
        The folder of the job.
    asked : JobSettings
        What the user asks for.
    side : int
        Side of the blocks, px.
    found : Survey
        The survey of the image.
    """

    folder: Location
    asked: JobSettings
    side: int
    found: Survey

    @classmethod
    def begun(cls, asked: JobSettings, workers: int = 1, callback: Callback | None = None) -> Job:
        """Survey the image and create the folder, or take up the job that is in it.

        Parameters
        ----------
        asked : JobSettings
            What the user asks for.
        workers : int
            Number of processes that share the memory.
        callback : callable, optional
            As for `napari_rsmoe.denoise`, for the survey.

        Raises
        ------
        StoppedError
            If the callback has asked to stop.
        CheckpointError
            If the folder holds another job.
        ImageError
            If the image cannot be read.
        NotEnoughMemoryError
            If even small blocks do not fit the memory.
        """
        folder = folder_of(asked.target)
        if (folder / "job.json").exists():
            return cls.opened(folder, asked)
        empty(folder)  # What a finished job had no time to remove.
        source = asked.read_from()
        try:
            if source.image.alpha:
                raise ImageError(f"{asked.source} has an opacity, which large images may not have; save it without.")
            planes = source.planes
            height, width = planes.plane_shape[:2]
            with limited(asked.settings.get("memory")):
                plan = cls._plan(asked, source, workers)
            options, selection = split_settings(asked.settings)
            work = engine.attended(
                lambda: surveyed(
                    source.part,
                    (height, width),
                    range(len(planes)),
                    options,
                    selection,
                    fill=asked.settings.get("fill", True),
                    dtype=asked.settings.get("dtype", "same"),
                    weight=source.left_out,
                    neighbours=source.neighbours,
                    present=source.stored.has,
                    parts=source.stored.parts if source.stored.sparse else None,
                ),
                reading_report(np.zeros((1, 1), np.uint8), callback, SURVEYING),
            )
            job = cls(folder, asked, min(plan.side, -(-max(height, width) // MULTIPLE) * MULTIPLE), work.found)
            for name, store in job.stores(source.image).items():
                store.create((source.stored.fill_value or 0) if name == "image" else FURTHER[name])
            job._write(source.image)
        finally:
            source.close()
        return job

    @staticmethod
    def _plan(asked: JobSettings, source: Source, workers: int) -> BlockPlan:
        """The blocks: as asked for, else the largest that fit the memory of each worker."""
        planes, options = source.planes, split_settings(asked.settings)[0]
        height, width, channels = (*planes.plane_shape, 1)[:3]
        shape, itemsize = (height, width, channels), np.dtype(planes.data.dtype).itemsize
        given, beside = asked.settings.get("block"), source.reach.bytes(planes)
        side = given if isinstance(given, int) else None
        plan = blocks_of(shape, options, itemsize, side, MULTIPLE, workers, beside=beside)
        plan = plan or BlockPlan((height, width), SIDES[-1], HALO)
        check_blocks(shape, options, itemsize, plan, beside=beside)
        return plan

    @classmethod
    def opened(cls, folder: Location, asked: JobSettings | None = None) -> Job:
        """The job in a folder; a CheckpointError if there is none, or another than the one that is asked for."""
        content = (folder / "job.json").read()
        if content is None:
            raise CheckpointError(f"{folder} holds no job.")
        try:
            known = unsealed(content)
            kept = JobSettings(**known["asked"])
            side, identity = known["side"], dict(known["identity"])
            if type(side) is not int or side < 1:
                raise ValueError(f"side={side!r}")
            job = cls(folder, kept, side, Survey.described(known["survey"]))
        except UNSOUND as error:
            raise CheckpointError(
                f"{folder / 'job.json'} is damaged ({error}); delete {folder} to begin again."
            ) from error
        if asked is not None and asked.identity != identity:
            differing = [
                name for name in {**identity, **asked.identity} if identity.get(name) != asked.identity.get(name)
            ]
            raise CheckpointError(
                f"{folder} holds a job on {asked.target} that was begun with other {', '.join(differing)}. Give what "
                "it was begun with, or delete that folder to begin again."
            )
        return job if asked is None else replace(job, asked=asked)

    def _write(self, image: ImageFile) -> None:
        asked = self.asked
        known = {
            "identity": asked.identity,
            "asked": {
                "source": asked.source, "target": asked.target, "settings": asked.identity["settings"],
                "reading": dict(asked.reading), "std": asked.std, "independent_channels": asked.independent_channels,
                "ome_zarr": asked.ome_zarr, "mask": asked.mask, "residual": asked.residual,
            },
            "side": self.side,
            "survey": self.found.description(),
            "axes": image.axes,
            "shape": list(image.shape),
            "began": time.time(),
        }  # fmt: skip
        (self.folder / "job.json").write(sealed(known))

    @cached_property
    def read_from(self) -> Source:
        """The source, whose pixels are read where they are indexed."""
        return self.asked.read_from()

    @property
    def image(self) -> ImageFile:
        """The image of the source."""
        return self.read_from.image

    @property
    def planes(self) -> Planes:
        """The planes of the source."""
        return self.read_from.planes

    @cached_property
    def plan(self) -> BlockPlan:
        """The blocks of a plane."""
        height, width = self.planes.plane_shape[:2]
        return BlockPlan((height, width), self.side, HALO)

    @cached_property
    def work(self) -> DenoiseBlocks:
        """How a block is denoised."""
        options, selection = split_settings(self.asked.settings)
        return DenoiseBlocks(options, self.found, selection, self.plan.shape, self.asked.settings.get("fill", True))

    def stores(self, image: ImageFile | None = None) -> dict[str, BlockStore]:
        """Where results are written, by the names of `JobSettings.outputs`."""
        image = self.image if image is None else image
        return {
            name: BlockStore(
                self.working(name, target),
                image.axes,
                tuple(image.shape),
                self.found.dtype if name == "image" else "float32",
                self.side,
                self.asked.ome_zarr,
            )
            for name, target in self.asked.outputs.items()
        }

    @property
    def result(self) -> BlockStore:
        """Where the denoised image is written."""
        return self.stores()["image"]

    def working(self, name: str, target: str) -> Location:
        """Where a result is written while it is not finished: an object store cannot rename a Zarr store."""
        final = Location.of(target)
        return final if final.path is None and final.is_zarr else self.folder / f"{name}.ome.zarr"

    def __len__(self) -> int:
        """Number of tasks of full resolution."""
        return len(self.planes) * len(self.plan)

    def tasks(self) -> Iterator[int]:
        """Numbers of all tasks, each after those that it depends on."""
        for plane in range(len(self.planes)):
            for block in in_order(self.plan):
                yield plane * len(self.plan) + block

    def needs(self, task: int) -> list[int]:
        """Tasks that must be done before a task, the latest phase first."""
        plane, block = divmod(task, len(self.plan))
        return [plane * len(self.plan) + each for each in earlier(self.plan, block)]

    def done(self) -> set[str]:
        """Names of the tasks that are done, of all levels."""
        return {name.removesuffix(".json") for name in (self.folder / "done").names() if name.endswith(".json")}

    @property
    def seconds(self) -> float:
        """Seconds that a block is expected to take on an idle machine."""
        options, _ = split_settings(self.asked.settings)
        rows, columns = self.plan[len(self.plan) // 2].shape
        shape = (rows, columns, (*self.planes.plane_shape, 1)[2])
        plans = plan_ensemble(shape, options.models, options.n_kernels, REFERENCE_NOISE)
        return sum(expected_seconds(shape, plans, options.settings.iterations, measured=False).values())

    def remove(self) -> None:
        """Remove the folder; first the file without which it holds no job, so that no half job is ever taken up."""
        (self.folder / "job.json").remove()
        self.folder.remove()

    def close(self) -> None:
        """Close the source."""
        if "read_from" in self.__dict__:
            self.read_from.close()


def empty(folder: Location) -> None:
    """Remove what is in the folder of a job, but for the lock."""
    for name in folder.names() - {LOCK}:
        (folder / name).remove()
