"""Process all planes of one image file, and write the results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoppedError
from ..image.each_plane import PlaneResult, each_plane
from ..image.inputs import Inputs
from ..image.masks import Selection
from ..image.opacity import Opacity
from ..image.plane_source import UnreadPlanes
from ..image.planes import Plane, Planes
from ..io.atomic import together
from ..io.image_file import ImageFile
from ..io.units import spacing_of
from ..io.writing import check_output, create_image, lost_metadata
from ..model.raster import Raster
from ..notes import Notes
from ..progress import Callback
from ..roomy import bytes_of, in_memory
from ..ui.parameters.common import LEFT_OUT
from .files import Files
from .listening import Listener
from .mask_file import MaskFile
from .pairs import Pair, Place, Target


def outputs_of(pair: Pair, further: Sequence[Target], scale: float = 1.0, dtype: str = "same") -> list[Output]:
    """OUTPUT and the further images of a job, in the order of their options; models are saved by the verb itself.

    `dtype` is that of OUTPUT as the user chose it; with "auto" it is known only when the first plane is finished.
    """
    images = [each for each in further if each.suffix != ".rsmoe"]
    return [
        Output(pair.target, None if dtype in ("same", "auto") else dtype, scale, maker=pair.maker),
        *(
            Output(pair.extras[each.name], each.dtype, scale, opacity=each.dtype is None, maker=pair.maker)
            for each in images
        ),
    ]


def planes_text(facts: Sequence[Mapping[str, Any]]) -> str:
    """The start of a summary: the number of planes, if there are several."""
    return f"{len(facts)} planes, " if len(facts) > 1 else ""


@dataclass(frozen=True)
class Output:
    """An output file.

    Parameters
    ----------
    path : Path or Location
        The file.
    dtype : str or None
        Data type; None for that of the input.
    scale : float
        Size in Y and X, relative to the input.
    opacity : bool
        Whether the opacity (alpha) of the input is copied; otherwise it is zero.
    maker : str
        As of `Pair`.
    """

    path: Place
    dtype: str | None = None
    scale: float = 1.0
    opacity: bool = True
    maker: str = ""

    @property
    def same_quantity(self) -> bool:
        """Whether its values mean the same as those of the input; those of an uncertainty do not."""
        return self.opacity


@dataclass(frozen=True)
class Job:
    """One plane to be processed.

    Attributes
    ----------
    plane : Plane
        The plane, without its opacity.
    stack : Planes
        All planes of the image.
    opacity : Opacity
        Opacity of the image.
    callback : Callback
        Callback for the progress.
    source : ImageFile
        The image that the plane belongs to.
    mask : ndarray of bool or None
        (Y, X) pixels that are left out, and keep their value.
    """

    plane: Plane
    stack: Planes
    opacity: Opacity
    callback: Callback
    source: ImageFile
    mask: NDArray[np.bool_] | None = None

    @property
    def pixels(self) -> NDArray[Any]:
        """The plane, (Y, X) or (Y, X, C)."""
        return self.plane.image

    @property
    def planes(self) -> int:
        """Number of planes of the image."""
        return len(self.stack)

    @property
    def label(self) -> str:
        """The position of the plane in the image as text; empty for an image of one plane."""
        return self.plane.label

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels in `pixels`, or None."""
        return 2 if self.pixels.ndim == 3 else None

    def left_out(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options that leave pixels out; the value of missing ones is that of the file unless it was given."""
        own = {parameter.name: given[parameter.name] for parameter in LEFT_OUT}
        declared = self.source.details.nodata
        return own | ({"nodata": declared} if own["nodata"] == "auto" and declared is not None else {})

    def inputs(self, given: Mapping[str, Any]) -> Inputs:
        """The pixels for a fit, without those that are left out; the callback hears of it, and may stop it."""
        # Imported here to save start-up time: torch takes seconds.
        from ..image.beginning import checked_attended, reading_report

        selection = Selection.of(self.left_out(given))
        return checked_attended(
            lambda: Inputs.of(self.pixels, self.channel_axis, selection, outside=self.mask),
            reading_report(self.pixels, self.callback),
        )


Result = PlaneResult[dict[str, Any]]
"""The images of one plane, one for each output, and the facts of the plane for --json."""


def process_file(
    source: Place,
    outputs: Sequence[Output],
    files: Files,
    report: Listener,
    function: Callable[[Job], Result],
    *,
    unread: bool = False,
    mask: Place | None = None,
) -> list[dict[str, Any]]:
    """Apply `function` to the planes of a file, and write its results.

    Parameters
    ----------
    source : Path or Location
        The image.
    outputs : sequence of Output
        Outputs, which are checked before the work begins.
    files : Files
        Options about axes, channels and JPEG quality.
    report : Listener
        Hears of the progress and of what was found. If it asks to stop, no file is written.
    function : callable
        Processes one plane.
    unread : bool
        Whether `function` reads large planes part by part: they are then a `PlaneView`. Those with opacity never are.
    mask : Path or Location, optional
        An image of the pixels that are left out.

    Returns
    -------
    list of dict
        The facts of each plane, with its ``"plane"`` label.

    Raises
    ------
    StoppedError
        If the report has asked to stop before all planes were done.
    """
    with together(), contextlib.ExitStack() as stack:
        image = stack.enter_context(files.read(source))
        for note in image.notes:
            report.note(f"{source}: {note}.")
        how: dict[str, Any] = {
            "independent_channels": files.independent_channels, "spacing": spacing_of(image.pixel_size)
        }  # fmt: skip
        planes = Planes(image.data, image.axes, **how)
        if unread and mask is None and not image.alpha and not in_memory(bytes_of(planes.plane_shape, image.dtype)):
            planes = UnreadPlanes(image.data, image.axes, **how)
        opacity = Opacity(planes, present=image.alpha)
        report.detail(f"{source}: {_described(image, planes)}")
        height, width = planes.plane_shape[:2]
        for output in outputs:
            expected = Raster.plan((height, width), 1, scale=output.scale).shape
            like = image.like(size=expected, dtype=output.dtype, scale=output.scale, same_quantity=output.same_quantity)
            check_output(str(output.path), like, overwrite=files.overwrite, maker=output.maker)
            for line in lost_metadata(str(output.path), like) if output.same_quantity else ():
                report.note(f"{line}.")

        # Imported here to save start-up time, and before `function` imports torch itself: the engine loads it sooner.
        from .. import engine  # noqa: F401

        notes = Notes()
        left_out = MaskFile(mask, image.axes, files)

        def work(plane: Plane, callback: Callback) -> Result:
            with notes.on(plane.label):
                done = function(Job(plane, planes, opacity, callback, image, left_out.of(plane, planes)))
            return PlaneResult(done.images, {"plane": plane.label, **done.value})

        def create(number: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
            size = (shape[planes.axes.index("Y")], shape[planes.axes.index("X")])
            output = outputs[number]
            target = image.like(size=size, dtype=dtype, scale=output.scale, same_quantity=output.same_quantity)
            options: dict[str, Any] = {"quality": files.quality, "overwrite": files.overwrite, "maker": output.maker}
            return stack.enter_context(create_image(str(output.path), target, **options))

        opaque = [output.opacity for output in outputs]
        progress = report.callback()
        try:
            with notes.on(""):
                done = each_plane(planes, work, opacity=opacity, opaque=opaque, create=create, callback=progress)
        finally:
            for line in notes.lines():
                report.note(line)
        if done.stopped:
            raise StoppedError()  # Leaves no file: one that lacks planes would look like a complete one.
        return done.values


def _described(image: ImageFile, planes: Planes) -> str:
    """What was read, in one line."""
    sizes = ", ".join(f"{axis} {size.value:.4g} {size.unit or '(no unit)'}" for axis, size in image.pixel_size.items())
    return (
        f"{image.kind}, axes {image.axes}, {' x '.join(map(str, image.shape))}, {image.dtype}, "
        f"{len(planes)} plane{'s' if len(planes) > 1 else ''}, pixel size {sizes or 'unknown'}"
    )
