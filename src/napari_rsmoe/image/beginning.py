"""The beginning of a job: a large image is checked for a second, and the user hears of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import engine
from ..notes import gathered, note
from ..progress import Callback, Progress
from .format import ChannelAxis, check_type, find_channels
from .inputs import Inputs
from .other_arrays import unwrapped

Value = TypeVar("Value")
READING = "reading"
"""Name of the stage in which the image is checked and converted."""


def checked_attended(check: Callable[[], Value], report: Callable[[float | None], bool] | None) -> Value:
    """Check an image on a thread of its own, with reports meanwhile; its notes are made on the calling thread.

    Parameters
    ----------
    check : callable
        Checks the image.
    report : callable or None
        As for `engine.attended`.

    Raises
    ------
    StoppedError
        If the report has asked to stop.
    """
    if report is None:
        return check()
    with gathered() as notes:
        checked = engine.attended(check, report)
    for text in notes:  # Here, so that a warning is about the line of the user.
        note(text)
    return checked


def shape_beforehand(image: Any, channel_axis: ChannelAxis) -> tuple[int, int, int] | None:
    """The shape (H, W, C) of an image that is not checked yet; None of what is no array, or has been checked."""
    opened = unwrapped(image)
    array, channel_axis = opened.array, opened.channel_axis(channel_axis)
    if isinstance(array, Inputs) or not all(hasattr(array, name) for name in ("shape", "dtype", "ndim", "size")):
        return None
    check_type(array)
    with gathered():  # What is assumed about the channels is said by the check.
        axis = find_channels(array, channel_axis)
    channels = 1 if axis is None else array.shape[axis]
    height, width = (side for at, side in enumerate(array.shape) if at != axis)
    return height, width, channels


def reading_report(
    image: Any, callback: Callback | None, stage: str = READING, seconds: float | None = None
) -> Callable[[float | None], bool] | None:
    """What reports to a callback that an image is being checked, or looked at in another stage before the work.

    Parameters
    ----------
    image : array-like or Inputs
        The preview meanwhile.
    callback : callable or None
        The callback of the job.
    stage : str
        Name of the stage.
    seconds : float, optional
        Time that the whole job is expected to take.
    """
    if callback is None:
        return None

    def preview() -> np.ndarray:
        return image.given if isinstance(image, Inputs) else np.asarray(image)

    progress = Progress(stage, 0, 1, None, preview, seconds)
    return lambda share: bool(callback(progress))
