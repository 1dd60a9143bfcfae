"""How much memory a job may take: the budget in force, what a job needs, and the refusal of what exceeds the budget.

Each stage says beforehand what it needs at its peak, as a `Need`, and calls `require` before it begins. The budget is
what the user gives as ``memory``, by default half of what is free. A front end sets it with `limited` for everything
that it calls, and so do the functions of the API that take ``memory``.
"""

from __future__ import annotations

import errno
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from .errors import DeviceError, NotEnoughMemoryError

DEFAULT_SHARE = 0.5
"""Fraction of the free memory that jobs may take by default. The rest is for other programs and for what is planned
too low; with a larger fraction a job may drive other programs out of memory, a smaller one refuses jobs that fit."""
LEAST = 2**20
"""Smallest budget in bytes that may be given; a smaller number is surely meant in another unit."""
WORTH_RELEASE = 16 * 2**20
"""Freed bytes from which they are returned to the system between short stages that are repeated. With fewer, jobs on
small images take 2 % more time; with more, they take more memory."""
UNLIMITED = 2**62
"""Bytes from which a control group has no limit. The first version of control groups has a number for that too."""
UNITS = "KMGT"
"""Prefixes of a unit, each 1024 times the one before."""
Memory = int | str | None
"""A budget: bytes as a whole number, a text such as "4G", or None for half of what is free."""

_given: ContextVar[int | None] = ContextVar("memory", default=None)


@dataclass(frozen=True)
class Need:
    """The memory that a job takes at its peak, in bytes, besides the arguments that the caller holds anyway.

    Attributes
    ----------
    per_pixel : float
        Bytes for each pixel of the image, or of the block of it that is worked on.
    fixed : float
        Bytes whatever the number of pixels.
    later : tuple of Need
        What later stages of the job take, after what the first one takes has been returned.
    """

    per_pixel: float
    fixed: float = 0.0
    later: tuple[Need, ...] = ()

    def bytes(self, pixels: int) -> int:
        """The peak for an image or a block of this many pixels."""
        own = math.ceil(self.fixed + self.per_pixel * pixels)
        return max(own, *(stage.bytes(pixels) for stage in self.later)) if self.later else own

    def pixels(self, budget: int) -> int:
        """Number of pixels of the largest block that fits into a budget; 0 if none does."""
        left = budget - self.fixed
        own = max(0, math.floor(left / self.per_pixel)) if self.per_pixel else (2**63 - 1 if left >= 0 else 0)
        return min(own, *(stage.pixels(budget) for stage in self.later)) if self.later else own

    def or_more(self, other: Need) -> Need:
        """The peak of two stages, one after the other: that of the larger one, which depends on the pixels."""
        return replace(self, later=(*self.later, other))

    def __add__(self, other: Need) -> Need:
        """The peak of two jobs that take their memory at the same time."""
        pairs = [(mine, its) for mine in self._stages for its in other._stages]
        first, *later = (Need(mine.per_pixel + its.per_pixel, mine.fixed + its.fixed) for mine, its in pairs)
        return replace(first, later=tuple(later))

    def __mul__(self, factor: float) -> Need:
        return Need(self.per_pixel * factor, self.fixed * factor, tuple(stage * factor for stage in self.later))

    @property
    def _stages(self) -> Iterator[Need]:
        yield Need(self.per_pixel, self.fixed)
        for stage in self.later:
            yield from stage._stages


def checked_memory(memory: Memory) -> int | None:
    """A budget in bytes; None for the default.

    Parameters
    ----------
    memory : int, str or None
        Bytes, or a text with a unit: "500M", "4G", "1.5 GB", "2 GiB". Units are powers of 1024.

    Raises
    ------
    ValueError
        If it is none of these, or below 1 MiB.

    Examples
    --------
    >>> checked_memory("1.5G") == 1536 * 2**20
    True
    """
    if memory is None:
        return None
    number: float = -1
    if isinstance(memory, str):
        found = re.fullmatch(rf"\s*(\d{{1,15}}(?:\.\d{{1,15}})?)\s*(?:([{UNITS}])(?:I?B)?|B?)\s*", memory.upper())
        if found is not None:
            number = float(found[1]) * 1024 ** (UNITS.index(found[2]) + 1 if found[2] else 0)
    elif isinstance(memory, int) and not isinstance(memory, bool):
        number = memory
    if not LEAST <= number < 2**63:
        raise ValueError(
            f"memory={memory!r} must be a size of at least 1 MiB: a number of bytes, or a text such as '500M' or '4G'."
        )
    return int(number)


@contextmanager
def limited(memory: Memory) -> Iterator[None]:
    """Set the budget for everything that is called within; None leaves the budget in force as it is."""
    given = checked_memory(memory)
    if given is None:
        yield
        return
    token = _given.set(given)
    try:
        yield
    finally:
        _given.reset(token)


@contextmanager
def less(held: int) -> Iterator[None]:
    """Subtract what the caller holds meanwhile from a budget that was given; free memory already lacks it."""
    given = _given.get()
    if given is None:
        yield
        return
    token = _given.set(max(LEAST, given - held))
    try:
        yield
    finally:
        _given.reset(token)


def budget() -> int:
    """The bytes that a job may take at its peak: as given, else half of what is free now."""
    given = _given.get()
    return int(DEFAULT_SHARE * available()) if given is None else given


def require(needed: int, what: str, remedy: str) -> None:
    """Refuse a job that does not fit into the budget, before it begins.

    Parameters
    ----------
    needed : int
        Bytes that it takes at its peak.
    what : str
        The job, as the subject of a sentence: "Denoising 4000 x 4000 px".
    remedy : str
        What to do instead, as a sentence without its end: "Process a part of the image".

    Raises
    ------
    NotEnoughMemoryError
        If the budget is smaller.
    """
    allowed = budget()
    if needed <= allowed:
        return
    if _given.get() is None:
        origin = f"{in_words(allowed)} may be used, half of what is free"
    else:
        origin = f"memory allows {in_words(allowed)}"
    more = f"{math.ceil(needed / 2**30)}G" if needed >= 2**30 else f"{math.ceil(needed / 2**20)}M"
    raise NotEnoughMemoryError(
        f"{what} would take about {in_words(needed)} of memory, and {origin}. {remedy}; or allow more with "
        f"memory='{more}' (--memory {more})."
    )


OUT_OF_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc", "out of memory")
"""What errors of torch, the engine and the operating system say when memory does not suffice; in lower case."""


def memory_error(error: BaseException) -> NotEnoughMemoryError | None:
    """What to tell the user about an error, if its reason is that memory did not suffice; None if it is another."""
    if isinstance(error, NotEnoughMemoryError):
        return error
    if isinstance(error, DeviceError):  # It says what to do about the memory of a device.
        return None
    system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    told = isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)
    if not (system or told or isinstance(error, MemoryError)):
        return None
    reason = f" ({error})".replace("\n", " ") if str(error) else ""
    return NotEnoughMemoryError(
        f"There is not enough memory{reason}. Process a part of the image or fewer planes, take fewer "
        "models or kernels, or close other programs."
    )


@contextmanager
def out_of_memory_named() -> Iterator[None]:
    """Turn whatever error says that memory did not suffice into a `NotEnoughMemoryError`."""
    try:
        yield
    except Exception as error:
        clear = memory_error(error)
        if clear is None or clear is error:
            raise
        raise clear from error


def in_words(size: float) -> str:
    """A number of bytes for people to read, with three digits: "3.42 GiB"."""
    for prefix in ("", *UNITS):
        if size < 1000 or prefix == UNITS[-1]:
            return f"{size:.3g} {prefix}iB" if prefix else f"{size:.0f} bytes"
        size /= 1024
    raise AssertionError


def available() -> int:
    """Bytes that this process could still take: free memory of the machine, its control groups and its own limit."""
    import psutil  # Imported here to save start-up time: only jobs ask.

    free = [psutil.virtual_memory().available, *_left_in_groups(Path("/"))]
    try:
        import resource  # here: Windows has none
    except ImportError:
        return max(0, min(free))
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        free.append(limit - psutil.Process().memory_info().vms)
    return max(0, min(free))


def release(least: int = 0) -> None:
    """Return freed memory to the system, at the end of a stage; else a job takes the sum of its stages, not the peak.

    The C library of Linux keeps what was freed for later requests. Elsewhere this does nothing. Fewer bytes than
    `least` stay with the process.
    """
    trim, kept = _heap()
    if trim is not None and (least == 0 or kept() >= least):
        trim(0)


@cache
def _heap() -> tuple[Callable[[int], int] | None, Callable[[], int]]:
    """What releases freed memory (None if there is nothing), and the freed bytes that the GNU C library keeps."""
    if sys.platform != "linux":
        return None, lambda: 0
    import ctypes  # Imported here to save start-up time: only jobs ask.

    library = ctypes.CDLL(None)
    trim, facts = getattr(library, "malloc_trim", None), getattr(library, "mallinfo2", None)
    if facts is None:  # Before version 2.33.
        return trim, lambda: sys.maxsize
    facts.restype = type("Heap", (ctypes.Structure,), {"_fields_": [("facts", ctypes.c_size_t * 10)]})
    return trim, lambda: int(facts().facts[8])  # fordblks


def _left_in_groups(root: Path) -> Iterator[int]:
    """Bytes left in each control group of Linux that holds this process, as containers and batch systems set them.

    `root` is the root of the file system. Pages of files that the kernel drops when memory is short count as free.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if number == "0":
            limit, usage, droppable = "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            mount /= "memory"
            limit, usage, droppable = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        group = mount / path.lstrip("/")
        # A container sees its own group as the root, whatever its path is called outside.
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(mount))):
            try:
                most = int((folder / limit).read_text("utf-8"))
                if most >= UNLIMITED:
                    continue
                used = int((folder / usage).read_text("utf-8"))
                statistics = dict(each.split() for each in (folder / "memory.stat").read_text("utf-8").splitlines())
            except (OSError, ValueError):  # The group has no limit ("max"), or is not to be seen from here.
                continue
            yield most - used + int(statistics.get(droppable, 0))
