"""Denoise an image layer of any size, block by block, into an OME-Zarr that can be looked at while it fills.

Everything here but `Filling.overview` runs on the thread of the job; nothing needs a window.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoppedError
from ..notes import Notes
from ..progress import Callback
from ..ui.parameters.common import CHECKPOINT
from ..ui.parameters.denoising import PLANE, STACK
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.values import values
from .as_image import fingerprint, image_of, known_as, mask_of
from .preferences import preferences, use_threads
from .record import make_record
from .source import Source

if TYPE_CHECKING:
    from ..denoising.large.job import Job, JobSettings
    from ..denoising.large.order import View

OVERVIEW = 1 << 26
"""Values of the coarser levels that are kept in memory while a store fills: 128 MB of uint16."""
COARSEST = 512
"""Longest side in pixels of the coarsest level at most."""
MOST_COARSE = 128
"""Largest factor between levels; the corners of blocks lie at multiples of it."""
ENDING = ".ome.zarr"
UNCERTAINTY = "_uncertainty"


class Arranged:
    """An array with its axes in another order, and of axes with one entry fewer or more, that is read when indexed.

    Parameters
    ----------
    array : array-like
        As it is stored.
    order : tuple of int
        Axis k of the result is axis ``order[k]`` of the array.
    """

    def __init__(self, array: Any, order: tuple[int, ...]) -> None:
        self._array, self._order = array, order
        self.shape = tuple(int(array.shape[k]) for k in order)
        self.dtype = np.dtype(array.dtype)
        self.ndim = len(order)
        self.size = math.prod(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        given = whole_index(index, self.ndim)
        stored: list[Any] = [slice(None)] * self.ndim
        for k, entry in zip(self._order, given, strict=True):
            stored[k] = entry if isinstance(entry, slice) else slice(int(entry), int(entry) + 1)
        moved = np.asarray(self._array[tuple(stored)]).transpose(self._order)
        return moved[tuple(slice(None) if isinstance(entry, slice) else 0 for entry in given)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)


class SpreadOut:
    """An array with blank entries between those of its first axes, that is read when indexed.

    Parameters
    ----------
    array : array-like
        As it is stored.
    positions : sequence of (sequence of int or None)
        For each of the first axes, where its entries lie; None: one after the other.
    blank : float
        The value of all other entries.
    """

    def __init__(self, array: Any, positions: Sequence[Sequence[int] | None], blank: float = 0) -> None:
        self._array, self._blank = array, blank
        at = [*positions, *[None] * (len(array.shape) - len(positions))]
        self._entries = [{} if each is None else {place: i for i, place in enumerate(each)} for each in at]
        self.shape = tuple(n if each is None else each[-1] + 1 for each, n in zip(at, array.shape, strict=True))
        self.dtype, self.ndim, self.size = np.dtype(array.dtype), len(self.shape), math.prod(self.shape)
        self._even = [each is None for each in at]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        given = whole_index(index, self.ndim)
        for axis, entry in enumerate(given):
            if self._even[axis]:
                continue
            if isinstance(entry, slice):
                one = [(*given[:axis], i, *given[axis + 1 :]) for i in range(*entry.indices(self.shape[axis]))]
                at = sum(isinstance(each, slice) for each in given[:axis])
                return np.stack([self[each] for each in one], at)
            if int(entry) % self.shape[axis] not in self._entries[axis]:
                sizes = [
                    len(range(*e.indices(n))) for e, n in zip(given, self.shape, strict=True) if isinstance(e, slice)
                ]
                return np.full(sizes, self._blank, self.dtype)
        stored = [
            entry if self._even[axis] else self._entries[axis][int(entry) % self.shape[axis]]
            for axis, entry in enumerate(given)
        ]
        return np.asarray(self._array[tuple(stored)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)


def spread_out(array: Any, source: Source, blank: float = 0) -> Any:
    """An array with the axes of a source, with its planes where they lie in the layer; see `Source.spread_out`."""
    uneven = any(at is not None for at in source.positions)
    return SpreadOut(array, source.positions, blank) if uneven else array


def whole_index(index: Any, ndim: int) -> tuple[Any, ...]:
    """An index with an entry for each axis."""
    given = index if isinstance(index, tuple) else (index,)
    if Ellipsis in given:
        at = given.index(Ellipsis)
        given = (*given[:at], *[slice(None)] * (ndim - len(given) + 1), *given[at + 1 :])
    return (*given, *[slice(None)] * (ndim - len(given)))


@dataclass
class Filling:
    """A store that is being filled, as the window sees it.

    Attributes
    ----------
    source : Source
        The image.
    target : Path
        The store.
    given : mapping
        Settings of the form.
    std : bool
        Whether the error bar is stored too, beside it.
    view : (int, (slice, slice)) or None
        What is in view, of the planes of the source; set by the window.
    job : Job or None
        The job, when it has been begun.
    levels : list
        What the result layer shows: the store, and coarser levels in memory.
    done : int
        Blocks that are done.
    """

    source: Source
    target: Path
    given: Mapping[str, Any]
    std: bool = False
    view: View | None = None
    job: Job | None = None
    levels: list[Any] = field(default_factory=list)
    done: int = 0
    _overview: list[tuple[int, NDArray[Any]]] = field(default_factory=list)

    def settings(self) -> JobSettings:
        """The job as it is known on disk."""
        from ..denoising.large.job import JobSettings  # here: torch takes seconds

        chosen = values(PARAMETERS["denoise_stack"], {"device": preferences().device, **self.given})
        names = {parameter.name for parameter in (*PLANE, *STACK)} - {CHECKPOINT.name, "warm_start"}
        source = self.source
        name = known_as(source)
        opened = {name: lambda: image_of(source)}
        mask = None
        if source.mask is not None:
            marked = mask_of(source)
            mask = f"{source.mask_name} ({fingerprint(marked.data, marked.axes)})"
            opened[mask] = lambda: marked
        return JobSettings(
            name,
            str(self.target),
            {key: value for key, value in chosen.items() if key in names},
            std=str(beside(self.target)) if self.std else None,
            mask=mask,
            opened=opened,
        )

    def begun(self, job: Job) -> None:
        """Called when the job is known, before its first block."""
        store = job.result
        fine = stored_levels(store.location.store(), ["0"], store.stored, store.axes)[0]
        self._overview = _overview_of(fine.shape, store.axes, fine.dtype)
        self.levels = [fine, *(level for _, level in self._overview)]
        names = {int(name.split("-")[1]) for name in job.done() if name.startswith("0-")}
        for task in sorted(names):
            self._take(job, task)
        self.job = job

    def took(self, job: Job, task: int) -> None:
        """Called when a block is done."""
        self._take(job, task)

    def _take(self, job: Job, task: int) -> None:
        """Draw a block that is done into the coarser levels."""
        if self._overview:
            number, k = divmod(task, len(job.plan))
            rows, columns = job.plan[k].core
            values_ = job.result.read(job.planes.index_of(number, rows, columns))
            whole = job.planes.index_of(number, rows, columns)
            kept = [letter for letter, entry in zip(job.planes.axes, whole, strict=True) if isinstance(entry, slice)]
            for factor, level in self._overview:
                coarse = (slice(rows.start // factor, -(-rows.stop // factor)),
                          slice(columns.start // factor, -(-columns.stop // factor)))  # fmt: skip
                step = tuple(slice(None, None, factor) if letter in "YX" else slice(None) for letter in kept)
                level[job.planes.index_of(number, *coarse)] = values_[step]
        self.done += 1


@dataclass(frozen=True)
class Stored:
    """What a run on a store has come to.

    Attributes
    ----------
    filling : Filling
        The store.
    record : dict
        See `record`.
    total : int
        Number of blocks.
    levels, std : list
        Levels of the image and of the error bar, from the finished stores; empty if the job was stopped.
    """

    filling: Filling
    record: dict[str, Any]
    total: int
    levels: list[Any]
    std: list[Any]


def beside(target: Path) -> Path:
    """Where the error bar lies."""
    return target.with_name(target.name.removesuffix(ENDING) + UNCERTAINTY + ENDING)


def fill(filling: Filling, callback: Callback) -> Stored:
    """Denoise into a store, or go on; a request to stop keeps the blocks that are done."""
    # Imported here to save start-up time: torch takes seconds.
    from ..denoising.large.order import VisibleFirst
    from ..denoising.large.running import denoise_large
    from ..memory import limited

    use_threads(preferences().threads)
    asked, began, notes = filling.settings(), time.perf_counter(), Notes()
    stopped = False
    runner = VisibleFirst(lambda: filling.view, filling.begun, filling.took)
    try:
        with limited(filling.given.get("memory")), notes.on(""):
            denoise_large(asked, runner=runner, maker=f"napari-rsmoe denoise {asked.source}", callback=callback)
    except StoppedError:
        stopped = True
    job = filling.job
    total = 0 if job is None else len(job)
    # The same blocks in memory give the same values.
    block = {} if job is None or len(job.plan) == 1 else {"block": job.side}
    chosen = values(PARAMETERS["denoise_stack"], {"device": preferences().device, **filling.given} | block)
    metrics = {
        "seconds": round(time.perf_counter() - began, 3), "planes": 1, "planes_done": 1, "stopped": stopped,
        "notes": notes.lines(), "store": str(filling.target),
    } | ({} if job is None else {"noise": job.found.noise})  # fmt: skip
    record = make_record("denoise", filling.source, chosen, metrics)
    levels = [] if stopped else finished_levels(filling.target, image_of(filling.source).axes)
    std = [] if stopped or not filling.std else finished_levels(
        beside(filling.target), image_of(filling.source).axes
    )  # fmt: skip
    return Stored(filling, record, total, levels, std)


def finished_levels(target: Path, axes: str) -> list[Any]:
    """The levels of a finished store, with the axes of the source."""
    import zarr  # here: it takes a tenth of a second

    from ..io.location import Location  # here: it is needed for this alone
    from ..io.ngff.writing import axes_in_store

    store = Location.of(target).store(read_only=True)
    names = sorted((name for name in zarr.open_group(store, mode="r").array_keys() if name.isdecimal()), key=int)
    return stored_levels(store, names, axes_in_store(axes), axes)


def stored_levels(store: Any, names: list[str], stored: str, axes: str) -> list[Any]:
    """Arrays of a store with their axes in the order of the source."""
    import zarr  # here: it takes a tenth of a second

    own = axes if "C" in axes else axes.replace("S", "C")
    order = tuple(stored.index(letter) for letter in own)
    return [Arranged(zarr.open_array(store, path=name, mode="r"), order) for name in names]


def _overview_of(shape: tuple[int, ...], axes: str, dtype: Any) -> list[tuple[int, NDArray[Any]]]:
    """Empty coarser levels, as far as they fit the memory, with their factors."""
    sizes, found = dict(zip(axes, shape, strict=True)), []
    factor, left = 1, OVERVIEW
    while max(sizes["Y"], sizes["X"]) > COARSEST * factor and factor < MOST_COARSE:
        factor *= 2
        own = tuple(-(-n // factor) if letter in "YX" else n for letter, n in sizes.items())
        if math.prod(own) <= left:
            left -= math.prod(own)
            found.append((factor, np.zeros(own, dtype)))
    return found
