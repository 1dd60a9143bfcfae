"""What the user has set in napari's preferences for this plugin."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from .names import PLUGIN


@dataclass(frozen=True)
class Preferences:
    """Settings for all jobs; the defaults are those of `napari.yaml`.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    threads : int
        Processor threads; 0 takes all cores.
    drawn_kernels : int
        How many kernels are drawn at most, the heaviest first.
    preview_interval : float
        Seconds between two previews.
    """

    device: str = "auto"
    threads: int = 0
    drawn_kernels: int = 2000
    preview_interval: float = 0.5


def preferences() -> Preferences:
    """The preferences as they are now; the defaults where napari has no preferences for plugins (before 0.9)."""
    with contextlib.suppress(ImportError, KeyError, AttributeError):
        from napari.settings import get_plugin_settings

        found = get_plugin_settings(PLUGIN)
        return Preferences(
            device=str(found.computing.device),
            threads=int(found.computing.threads),
            drawn_kernels=int(found.display.drawn_kernels),
            preview_interval=float(found.display.preview_interval),
        )
    return Preferences()


def use_threads(count: int) -> None:
    """Let torch use `count` threads; 0: all cores. This loads torch."""
    import os

    import torch

    torch.set_num_threads(count or os.cpu_count() or 1)


def load_engine() -> None:
    """Load torch and the engine, which takes seconds the first time."""
    from .. import engine  # noqa: F401
