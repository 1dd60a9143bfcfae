"""Finished blocks of an image in memory, kept in a folder so that an interrupted job goes on with the same bits.

The folder holds for each kind of work, such as ``upscale``,

* ``job.json``: what determines the bits, and the side of the blocks, with a checksum;
* ``blocks/`` and ``margins/``: what is done, and what neighbours fade into;
* ``done/``: a marker for each block that is done, with checksums of what it was made from and of what it has yielded.

A block is taken from there if both checksums are right, and else it is done anew.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...image.blocks import BlockPlan, Part
from ...image.seams import Strip
from ...io.atomic import alone
from ...io.location import Location
from .names import LOCK, name_of
from .trusted import UNSOUND, check_links, checksum, marked, packed, sealed, unpacked, unsealed

_folder: ContextVar[Location | None] = ContextVar("kept blocks", default=None)


@contextlib.contextmanager
def keeping(folder: str | PathLike[str]) -> Iterator[None]:
    """Keep the finished blocks of what is denoised or enlarged block by block within, or take those that are kept.

    Parameters
    ----------
    folder : str or path
        A path or URL of a folder, which is made if a job is done in blocks. The same job with the same folder goes on
        where it was interrupted. Remove the folder when the result is safe.

    Raises
    ------
    CheckpointError
        If the folder holds another job.
    """
    token = _folder.set(Location.of(folder))
    try:
        yield
    finally:
        _folder.reset(token)


class Made(NamedTuple):
    """What a block has yielded: its core, finished, and its margin, as `image.seams` has it."""

    image: NDArray[Any]
    std: NDArray[Any]
    strips: list[Strip]
    notes: list[str]


@dataclass(frozen=True)
class Kept:
    """The blocks of a job that are kept.

    Attributes
    ----------
    folder : Location or None
        Where; None: nowhere.
    plan : BlockPlan
        The blocks of the job, which are those with which it was begun.
    """

    folder: Location | None
    plan: BlockPlan

    def take(self, number: int, given: Sequence[Any], parts: Sequence[Part]) -> Made | None:
        """A block that is kept, if it was made from what is given now; its strips lie at `parts`."""
        if self.folder is None:
            return None
        facts = marked(self._file("done", number, "json").read()) or {}
        if not facts or facts.get("given") != checksum(given):
            return None
        contents = [self._file(kind, number, "npz").read() for kind in ("blocks", "margins")]
        if None in contents or facts.get("made") != checksum([bytearray(each or b"") for each in contents]):
            return None
        try:
            with np.load(io.BytesIO(contents[0] or b""), allow_pickle=False) as arrays:
                image, std = arrays["image"], arrays["std"]
            return Made(image, std, unpacked(contents[1] or b"", parts), list(map(str, facts.get("notes", ()))))
        except UNSOUND:
            return None

    def keep(self, number: int, given: Sequence[Any], made: Made) -> None:
        """Keep a block; its marker is written last."""
        if self.folder is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, image=made.image, std=made.std)
        contents = {"blocks": buffer.getvalue(), "margins": packed(made.strips)}
        for kind, content in contents.items():
            self._file(kind, number, "npz").write(content)
        made_of = checksum([bytearray(each) for each in contents.values()])
        facts = {"given": checksum(given), "made": made_of, "notes": made.notes}
        self._file("done", number, "json").write(json.dumps(facts).encode())

    def _file(self, kind: str, number: int, ending: str) -> Location:
        assert self.folder is not None
        return self.folder / kind / f"{name_of(number)}.{ending}"


@contextlib.contextmanager
def kept_blocks(kind: str, identity: Mapping[str, Any], plan: BlockPlan) -> Iterator[Kept]:
    """The kept blocks of a job, where `keeping` names a folder; no other process of this machine takes them meanwhile.

    Parameters
    ----------
    kind : str
        The work.
    identity : mapping
        All that determines the bits but the pixels and the blocks, in values that JSON can hold.
    plan : BlockPlan
        The blocks, unless the job was begun with others.
    """
    folder = _folder.get()
    if folder is None:
        yield Kept(None, plan)
        return
    folder = folder / kind
    check_links(folder)
    with contextlib.ExitStack() as stack:
        if folder.path is not None:
            folder.path.mkdir(parents=True, exist_ok=True)
            busy = f"another process works on {folder} now; wait for it, or stop it."
            stack.enter_context(alone(folder.path / LOCK, busy))
        yield Kept(folder, replace(plan, side=_side(folder, identity, plan)))


def _side(folder: Location, identity: Mapping[str, Any], plan: BlockPlan) -> int:
    """The side of the blocks with which a job was begun; it begins if the folder holds none."""
    content = (folder / "job.json").read()
    identity = json.loads(json.dumps(identity))
    if content is None:
        known = {"identity": identity, "side": plan.side, "blocks": len(plan)}
        (folder / "job.json").write(sealed(known))
        return plan.side
    try:
        found = unsealed(content)
        side, before = found["side"], dict(found["identity"])
        if type(side) is not int or side < 1:
            raise ValueError(f"side={side!r}")
    except UNSOUND as error:
        raise CheckpointError(f"{folder / 'job.json'} is damaged ({error}); delete {folder} to begin again.") from error
    # Compared as text, as NaN is equal to nothing.
    differing = sorted(
        name for name in {**before, **identity} if json.dumps(before.get(name)) != json.dumps(identity.get(name))
    )
    if differing:
        raise CheckpointError(
            f"{folder} holds a job that was begun with other {', '.join(differing)}. Give what it was begun with, or "
            "delete that folder to begin again."
        )
    return side


def progress_of(folder: Location) -> tuple[int, int]:
    """How many blocks of the jobs in a folder and its folders are done, and how many there are; 0 of 0 without any."""
    content = (folder / "job.json").read()
    if content is not None:
        with contextlib.suppress(*UNSOUND):
            done = sum(name.endswith(".json") for name in (folder / "done").names())
            return done, int(unsealed(content)["blocks"])
        return 0, 0
    inside = [progress_of(folder / name) for name in sorted(folder.names()) if name != LOCK]
    return sum(done for done, _ in inside), sum(total for _, total in inside)
