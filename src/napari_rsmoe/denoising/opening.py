"""The beginning of a job: the image is checked while the progress is reported already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..image.beginning import READING, checked_attended
from ..image.format import ChannelAxis
from ..image.inputs import Inputs
from ..image.plane_source import plane_of
from ..noise.given import is_no_noise
from ..progress import Callback, Timetable
from .costs import expected_seconds
from .memory import check_denoising
from .options import Options
from .plans import REFERENCE_NOISE, Plan, plan_ensemble


def opened(
    image: Any, channel_axis: ChannelAxis, options: Options, callback: Callback | None, read: Callable[[], Inputs]
) -> tuple[Inputs, Timetable]:
    """The checked image, and the timetable of the job on it, which reports from before the image is read.

    Parameters
    ----------
    image, channel_axis
        As for `denoise`.
    options : Options
        Options of the job.
    callback : callable or None
        As for `denoise`.
    read : callable
        Checks and converts the image.

    Raises
    ------
    StoppedError
        If the callback has asked to stop meanwhile.
    NotEnoughMemoryError
        If the job would take more memory than it may; before anything is reported.
    """

    def planned(shape: tuple[int, ...]) -> list[Plan]:
        return plan_ensemble(shape, options.models, options.n_kernels, REFERENCE_NOISE)

    def stages(shape: tuple[int, ...]) -> dict[str, float]:
        plans = planned(shape)
        measured = isinstance(options.noise, str)
        return expected_seconds(shape, plans, options.settings.iterations, measured=measured)

    plane = None if callback is None else plane_of(image, channel_axis)
    if plane is None:
        inputs = read()
        return inputs, Timetable(callback, stages(inputs.pixels.shape), inputs.given)
    if not is_no_noise(options.noise):  # Without noise, the image is given back as it is.
        check_denoising(plane.shape, options, planned(plane.shape))
    times = Timetable(callback, stages(plane.shape), image)
    times.preview = lambda: np.asarray(image)
    if times.report(READING, 0.0):
        times.stopped = False  # A request to stop takes effect in the next stage.
    inputs = checked_attended(read, times.during(READING))
    times.preview = lambda: inputs.given
    return inputs, times
