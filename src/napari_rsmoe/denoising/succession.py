"""Planes that are denoised one after the other, each with the help of those around it and of the result before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import engine
from ..checks import checked_flag
from ..image.beginning import reading_report
from ..memory import less, limited, release
from ..progress import Callback
from .beside import offsets, planes_on_either_side
from .denoise import denoise
from .memory import check_planes
from .result import Denoised
from .surroundings import Seen, Surroundings

Place = tuple[int, ...]


class Succession:
    """Denoises planes in their order.

    Parameters
    ----------
    settings : mapping
        Keywords of `napari_rsmoe.denoise`, the same for all planes.
    average : int or "auto"
        Number of planes on either side that help each plane; "auto": as many as the preset says.
    warm_start : bool
        Each plane begins with the kernels of the plane before it, moved along with what they show.
    depth : bool
        Whether planes lie one above the other, not one after the other in time; see `Neighbour`.
    step : float, optional
        Distance of planes that lie one above the other, in pixels; None: unknown.

    Attributes
    ----------
    reach : int
        Number of planes on either side that help.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        average: Any,
        warm_start: Any,
        *,
        depth: bool = False,
        step: float | None = None,
    ) -> None:
        self.settings = dict(settings)
        self._memory = self.settings.pop("memory", None)
        self._warm_start = checked_flag(warm_start, "warm_start")
        self.reach = planes_on_either_side(average, self.settings, step)
        self._around = Surroundings(self.settings, 2 * self.reach + 1, depth=depth)
        self._before: dict[Place, Denoised] = {}

    def offsets(self, present: Callable[[int], bool]) -> list[int]:
        """Places of the planes that help, as of `beside.offsets`."""
        return offsets(self.reach, present, depth=self._around.depth)

    def denoise(
        self,
        number: int,
        seen: Seen,
        others: Iterable[tuple[int, int, Callable[[], Seen]]],
        *,
        place: Place = (),
        checkpoint: Path | None = None,
        callback: Callback | None = None,
    ) -> Denoised:
        """Denoise a plane.

        Parameters
        ----------
        number : int
            Number of the plane.
        seen : Seen
            The plane.
        others : iterable of (int, int, callable)
            Number, offset and pixels of each plane that helps, the nearest first.
        place : tuple of int
            What the planes of one succession have in common, where several take turns.
        checkpoint, callback
            As for `napari_rsmoe.denoise`.
        """
        with limited(self._memory):
            held = check_planes(seen.image, 2 * self.reach + 1, measured=self._around.measured)
            noise, neighbours = engine.attended(
                lambda: self._around.around(number, seen, others), reading_report(seen.image, callback)
            )
            release()
        with limited(self._memory), less(held):
            result = denoise(
                seen.image,
                **self.settings | ({} if noise is None else {"noise": noise}),
                weight=seen.weight,
                mask=seen.mask,
                warm_start=self._before.get(place),
                neighbours=neighbours,
                checkpoint=checkpoint,
                channel_axis=2 if seen.image.ndim == 3 else None,
                callback=callback,
            )
        if self._warm_start and result.models:  # Planes that are denoised in blocks have none.
            self._before[place] = result
        if self.settings.get("dtype") == "auto":  # All planes have the type of the first.
            self.settings["dtype"] = "same" if result.image.dtype == seen.image.dtype else "float32"
        return result
