"""How films are followed that are being written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Following:
    """The options about films that are being written; see `napari_rsmoe.ui.parameters.running.FOLLOWING`.

    Parameters
    ----------
    follow : bool
        Whether the input is followed.
    frames : int or None
        Frames after which the film has ended; None: when nothing comes.
    idle : float
        Seconds without a new frame after which it has ended.
    """

    follow: bool = False
    frames: int | None = None
    idle: float = 60.0
