"""Work on all planes of one image file, and write what becomes of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.planes import ArraySink, Plane, Planes
from ..io.files import check_output, create_image, read_image
from ..io.image_file import ImageFile
from ..model.raster import Raster
from ..progress import Callback
from .batch import Report
from .options import Files

WITHOUT_PIXEL_SIZE = (".png", ".jpg", ".jpeg", ".npy")


@dataclass(frozen=True)
class Output:
    """A file to be written.

    Parameters
    ----------
    path : Path
        Its name.
    dtype : str or None
        Its data type; None: that of the input.
    scale : float
        Its size in Y and X, as a multiple of the input's.
    opacity : bool
        Whether it has the opacity (alpha) of the input; else zeros stand there.
    """

    path: Path
    dtype: str | None = None
    scale: float = 1.0
    opacity: bool = True


@dataclass(frozen=True)
class Job:
    """One plane to be worked on.

    Parameters
    ----------
    pixels : ndarray, (Y, X) or (Y, X, C)
        The plane, without its opacity.
    plane : Plane
        Where it lies.
    stack : Planes
        All planes of the image.
    read : callable
        Gives the pixels of any plane, without opacity.
    callback : Callback
        To be called with the progress.
    source : ImageFile
        The image that the plane belongs to.
    """

    pixels: NDArray[Any]
    plane: Plane
    stack: Planes
    read: Callable[[Plane], NDArray[Any]]
    callback: Callback
    source: ImageFile

    @property
    def planes(self) -> int:
        """How many planes the image has."""
        return len(self.stack)

    @property
    def label(self) -> str:
        """Where the plane lies in the image, for people; empty for an image of one plane."""
        return self.plane.label

    @property
    def channel_axis(self) -> int | None:
        """Where the channels are in `pixels`."""
        return 2 if self.pixels.ndim == 3 else None


@dataclass(frozen=True)
class Result:
    """What became of one plane.

    Parameters
    ----------
    images : sequence of ndarray
        One for each output, (Y, X) or (Y, X, C).
    facts : dict
        What else is known, for --json.
    """

    images: Sequence[NDArray[Any]]
    facts: dict[str, Any]


def process_file(
    source: Path,
    outputs: Sequence[Output],
    files: Files,
    report: Report,
    function: Callable[[Job], Result],
) -> list[dict[str, Any]]:
    """Apply `function` to the planes of a file, and write its results.

    Parameters
    ----------
    source : Path
        The image.
    outputs : sequence of Output
        What to write; whether that is possible is checked before the work begins.
    files : Files
        Axes, channels, JPEG quality.
    report : Report
        Shows progress.
    function : callable
        Does one plane.

    Returns
    -------
    list of dict
        The facts of each plane, with its ``"plane"`` label.
    """
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(read_image(source, axes=files.axes, lazy=True))
        _say_notes(image, source, outputs, report)
        planes = Planes(image.data, image.axes, independent_channels=files.independent)
        height, width = planes.plane_shape[:2]
        for output in outputs:
            expected = Raster.plan((height, width), 1, scale=output.scale).shape
            check_output(output.path, image.like(size=expected, dtype=output.dtype))
        opacity = _Opacity(image, files.independent)
        sinks: list[ArraySink] = []
        made: list[tuple[tuple[int, int], np.dtype[Any]]] = []
        facts = []
        for plane in planes:
            if opacity.is_all_of(plane):
                for k, output in enumerate(outputs):
                    planes.store(sinks[k], plane, opacity.scaled(plane.image, output, *made[k]))
                continue
            callback = report.callback(plane.number, len(planes), plane.label)
            result = function(Job(opacity.removed(plane), plane, planes, opacity.removed, callback, image))
            if not sinks:
                made = [(pixels.shape[:2], pixels.dtype) for pixels in result.images]
                for output, (size, dtype) in zip(outputs, made, strict=True):
                    target = image.like(size=size, dtype=dtype, scale=output.scale)
                    sinks.append(stack.enter_context(create_image(output.path, target, quality=files.quality)))
            for sink, pixels, output in zip(sinks, result.images, outputs, strict=True):
                planes.store(sink, plane, opacity.restored(pixels, plane, output))
            facts.append({"plane": plane.label, **result.facts})
        return facts


def _say_notes(image: ImageFile, source: Path, outputs: Sequence[Output], report: Report) -> None:
    for note in image.notes:
        report.note(f"{source}: {note}.")
    losing = [output.path.name for output in outputs if output.path.suffix.lower() in WITHOUT_PIXEL_SIZE]
    if image.pixel_size and losing:
        report.note(f"the pixel size of {source} is not kept in {', '.join(losing)}; a .tif or .zarr file keeps it.")


class _Opacity:
    """Keeps the opacity (alpha) of an image out of the work, and puts it back.

    It is no measurement: as a channel it would, for example, halve the noise that is estimated.
    """

    def __init__(self, image: ImageFile, independent: bool) -> None:
        axis = "S" if "S" in image.axes else "C"
        present = image.alpha and not {"C", "S"} <= set(image.axes)
        self._last_channel = present and not independent
        self._own_plane = (image.axes.index(axis), image.sizes[axis] - 1) if present and independent else None

    def is_all_of(self, plane: Plane) -> bool:
        """Whether `plane` is the opacity itself, as it is where channels come one by one."""
        return self._own_plane is not None and plane.index[self._own_plane[0]] == self._own_plane[1]

    def removed(self, plane: Plane) -> NDArray[Any]:
        """Return the pixels of `plane` without opacity, and without a channel axis if one channel is left."""
        if not self._last_channel:
            return plane.image
        colours = plane.image[..., :-1]
        return colours[..., 0] if colours.shape[2] == 1 else colours

    def restored(self, pixels: NDArray[Any], plane: Plane, output: Output) -> NDArray[Any]:
        """Return a result for `plane` with its opacity."""
        if not self._last_channel:
            return pixels
        alpha = self.scaled(plane.image[..., -1], output, (pixels.shape[0], pixels.shape[1]), pixels.dtype)
        colours = pixels[..., None] if pixels.ndim == 2 else pixels
        return np.concatenate([colours, alpha[..., None]], axis=2)

    @staticmethod
    def scaled(alpha: NDArray[Any], output: Output, size: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Bring an opacity to the size of an output by linear interpolation."""
        if not output.opacity:
            return np.zeros(size, dtype)
        if alpha.shape == size:
            return alpha.astype(dtype)
        from scipy import ndimage

        factors = [new / old for new, old in zip(size, alpha.shape, strict=True)]
        smooth = ndimage.zoom(alpha.astype(np.float64), factors, order=1, mode="nearest", grid_mode=True)
        scaled: NDArray[Any] = (np.rint(smooth) if dtype.kind in "iu" else smooth).astype(dtype)
        return scaled
