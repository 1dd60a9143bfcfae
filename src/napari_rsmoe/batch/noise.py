"""Estimate the noise of each plane of an image file, of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..image.plane_source import PlaneView
from ..image.planes import Planes
from ..io.location import Location
from ..ui.parameters.common import LEFT_OUT
from .files import Files
from .listening import Listener
from .planes import Job, Result, process_file


def noise_of_file(
    path: Path | Location, given: Mapping[str, Any], files: Files, report: Listener, said: Callable[[str, str], None]
) -> list[dict[str, Any]]:
    """Estimate the noise of each plane; of a plane that does not fit the memory only a sample is read.

    Parameters
    ----------
    path : Path or Location
        The image, by its path or URL.
    given : mapping
        Values of the options that leave pixels out.
    files : Files
        How the file is read.
    report : Listener
        Hears of the progress and of what was found.
    said : callable
        Is told what was found in each plane: where the plane lies, and the noise, as text.

    Returns
    -------
    list of dict
        The facts of each plane, with its ``"plane"`` label.
    """
    # Imported here to save start-up time: torch takes seconds.
    from ..memory import budget
    from ..noise.estimate import estimate_noise
    from ..noise.memory import memory_of_noise

    def measured(image: Any, place: str, **more: Any) -> dict[str, Any]:
        found = estimate_noise(image, **more)
        said(place, str(found))
        return {
            "sigma": found.sigma,
            "sigma_error": found.sigma_error,
            "white": found.model.white,
            "correlation": found.correlation,
            "correlation_error": found.correlation_error,
            "shared": found.shared,
            "shared_error": found.shared_error,
            "channels": [asdict(channel) for channel in found.channels],
        }

    def in_memory(job: Job) -> Result:
        return Result([], measured(job.inputs(given), job.label or str(path), callback=job.callback))

    with files.read(path) as image:
        planes = Planes(image.data, image.axes, independent_channels=files.independent_channels)
        height, width, channels = (*planes.plane_shape, 1)[:3]
        if image.alpha or memory_of_noise(channels).bytes(height * width) <= budget():
            return process_file(path, [], files, report, in_memory)
        left_out = {parameter.name: given[parameter.name] for parameter in LEFT_OUT}
        if left_out["nodata"] == "auto" and image.details.nodata is not None:
            left_out["nodata"] = image.details.nodata
        axis = 2 if planes.channels else None
        return [
            {"plane": label} | measured(PlaneView(planes, number), label or str(path), channel_axis=axis, **left_out)
            for number, label in ((number, planes.label(number)) for number in range(len(planes)))
        ]
