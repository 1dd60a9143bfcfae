"""Denoise a film while it is being written, frame by frame."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..denoising.large.names import folder_of
from ..errors import ImageError
from ..image.format import residual
from ..image.planes import Planes
from ..io.atomic import together
from ..io.growing import SETTLED, Frame, frames_of
from ..io.image_file import ImageFile
from ..io.writing import check_output, create_image
from ..progress import Progress
from ..ui.parameters.denoising import PLANE
from .files import Files
from .following import Following
from .listening import Listener
from .mask_file import read_mask
from .pairs import Pair, Place, Target


@dataclass(frozen=True)
class FollowFile:
    """Denoises the frames of a film as they arrive.

    Parameters
    ----------
    given : mapping
        Values of ``PARAMETERS["denoise_stack"]``.
    files : Files
        How files are read and written.
    further : sequence of Target
        Further outputs: the uncertainty and the residual.
    mask : Path or Location or None
        An image of the pixels that are left out of every frame.
    following : Following
        When the film ends.
    stopped : callable
        Whether the user has ended it.
    """

    given: Mapping[str, Any]
    files: Files = field(default_factory=Files)
    further: Sequence[Target] = ()
    mask: Place | None = None
    following: Following = field(default_factory=Following)
    stopped: Callable[[], bool] = lambda: False

    def __call__(self, pair: Pair, listener: Listener) -> dict[str, Any]:
        """Denoise a film; see `one_by_one.Work`."""
        # Imported here to save start-up time: torch takes seconds.
        from ..denoising.beside import planes_on_either_side
        from ..denoising.film import denoise_film

        settings = {each.name: self.given[each.name] for each in PLANE if each.name != "block"}
        more = {name: self.given[name] for name in ("average", "warm_start")}
        mask = None if self.mask is None else read_mask(self.mask, "YX", self.files)
        reach = planes_on_either_side(self.given["average"], self.given)
        listener.note(
            f"{pair.source} is followed: the result of a frame is there when {reach} further ones are complete, and "
            f"those of the last {reach} when the film ends. A frame is complete when the next one begins, or nothing "
            f"has changed for {SETTLED:g} s. The film ends {self._end()}, or by Ctrl-C"
        )
        waiting: deque[Frame] = deque()
        report, levels = listener.callback(), []
        with self._sinks(pair) as write:
            for result in denoise_film(self._arrived(Path(str(pair.source)), waiting), mask=mask, **more, **settings):
                frame = waiting.popleft()
                given = Planes(frame.image.data, frame.image.axes)[0].image
                made = {"std": result.std.astype(np.float32), "residual": residual(given, result.image)}
                write(frame, [result.image, *(made[name] for name in pair.extras)])
                levels.append(result.noise)
                report(Progress(f"frame {len(levels)}", 0, 1, None, lambda: given))  # noqa: B023
        if not levels:
            raise ImageError(f"no frame has come to {pair.source} for {self.following.idle:g} s.")
        return {
            "summary": f"{len(levels)} frames, noise {np.mean(levels):.4g}",
            "frames": len(levels),
            "latency": reach,
            "noise": float(np.mean(levels)),
        }

    def _end(self) -> str:
        count, idle = self.following.frames, f"{self.following.idle:g} s after the last new frame"
        return idle if count is None else f"after {count} frames, or {idle}"

    def _arrived(self, source: Path, waiting: deque[Frame]) -> Iterator[NDArray[Any]]:
        """The pixels of the frames, which wait for their results."""
        follow = self.following
        for frame in frames_of(
            source, self.files.reading(), idle=follow.idle, count=follow.frames, stopped=self.stopped
        ):
            if frame.image.alpha:
                raise ImageError(f"{source} has an opacity (alpha), which films that are followed may not have.")
            waiting.append(frame)
            yield Planes(frame.image.data, frame.image.axes)[0].image

    @contextlib.contextmanager
    def _sinks(self, pair: Pair) -> Iterator[Callable[[Frame, Sequence[NDArray[Any]]], None]]:
        """What writes the results of a frame: files in folders at once, or stacks at the end."""
        targets = [Target("OUTPUT", str(pair.target)), *self.further]
        if not any(each.names_file for each in targets):
            yield lambda frame, made: self._write_files(pair, targets, frame, made)
            return
        if not all(each.names_file for each in targets):
            raise ImageError("all outputs of a film must be folders, or all must be files.")
        film = _Film(pair, self.files, folder_of(str(pair.target)).path or Path())
        try:
            yield film.add
        finally:
            film.write()

    def _write_files(self, pair: Pair, targets: Sequence[Target], frame: Frame, made: Sequence[NDArray[Any]]) -> None:
        """Write a file for each result of a frame."""
        with together():
            for target, pixels in zip(targets, made, strict=True):
                target.path.mkdir(parents=True, exist_ok=True)
                path = target.path / f"{frame.name}.{self.files.format or 'tif'}"
                like = _like(frame, pixels, same=target.dtype is None)
                writing: dict[str, Any] = {"overwrite": self.files.overwrite, "maker": pair.maker}
                check_output(path, like, **writing)
                with create_image(path, like, quality=self.files.quality, **writing) as sink:
                    sink[(slice(None),) * len(like.shape)] = _stored(frame, pixels)


@dataclass
class _Film:
    """The results of a film, kept frame by frame until it ends.

    Attributes
    ----------
    pair : Pair
        The outputs.
    files : Files
        How files are written.
    folder : Path
        Where the results of frames are kept.
    """

    pair: Pair
    files: Files
    folder: Path
    first: Frame | None = None
    shapes: list[ImageFile] = field(default_factory=list)
    count: int = 0

    def add(self, frame: Frame, made: Sequence[NDArray[Any]]) -> None:
        """Keep the results of a frame."""
        if self.first is None:
            self.folder.mkdir(exist_ok=True)
            self.first = frame
            self.shapes = [_like(frame, pixels, same=k == 0) for k, pixels in enumerate(made)]
        for k, pixels in enumerate(made):
            np.save(self.folder / f"{k}-{self.count:06d}.npy", _stored(frame, pixels))
        self.count += 1

    def write(self) -> None:
        """Write the film, of as many frames as there are."""
        if self.first is None:
            return
        with together():
            for k, (path, like) in enumerate(zip(self.pair.targets, self.shapes, strict=True)):
                blank = np.broadcast_to(np.zeros((), like.dtype), (self.count, *like.shape))
                film = replace(like, data=blank, axes="T" + like.axes)
                with create_image(
                    str(path), film, quality=self.files.quality, overwrite=self.files.overwrite, maker=self.pair.maker
                ) as sink:
                    for number in range(self.count):
                        index = (number, *(slice(None),) * len(like.shape))
                        sink[index] = np.load(self.folder / f"{k}-{number:06d}.npy")
        folder_of(str(self.pair.target)).remove()


def _like(frame: Frame, pixels: NDArray[Any], *, same: bool) -> ImageFile:
    """The description of a result of a frame."""
    return frame.image.like(dtype=pixels.dtype, same_quantity=same)


def _stored(frame: Frame, pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels (Y, X) or (Y, X, C) in the order of the axes of the frame."""
    planes = Planes(frame.image.data, frame.image.axes)
    return planes.stored(pixels)
