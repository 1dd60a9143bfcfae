"""The settings of this plugin in napari's preferences."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from ..preload import collector_paused, load_libraries
from .names import PLUGIN


@dataclass(frozen=True)
class Preferences:
    """Settings for all jobs, with the defaults of `napari.yaml`.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    threads : int
        Number of processor threads; 0 uses all cores.
    drawn_kernels : int
        Largest number of kernels that are drawn, the heaviest first.
    preview_interval : float
        Time between two previews in seconds.
    """

    device: str = "auto"
    threads: int = 0
    drawn_kernels: int = 2000
    preview_interval: float = 0.5


def preferences() -> Preferences:
    """The current preferences, or the defaults if napari is older than 0.9 and has no preferences for plugins."""
    with contextlib.suppress(ImportError, KeyError, AttributeError):
        from napari.settings import get_plugin_settings  # Here because napari before 0.9 lacks it.

        found = get_plugin_settings(PLUGIN)
        return Preferences(
            device=str(found.computing.device),
            threads=int(found.computing.threads),
            drawn_kernels=int(found.display.drawn_kernels),
            preview_interval=float(found.display.preview_interval),
        )
    return Preferences()


def use_threads(count: int) -> None:
    """Let torch use `count` threads, or all cores if `count` is 0. Loads torch."""
    import torch  # Imported here to save start-up time.

    torch.set_num_threads(count or os.cpu_count() or 1)


def load_engine() -> None:
    """Load torch and everything that jobs need; called from a thread, it does not stop the window."""
    load_libraries()
    with collector_paused():
        # Imported here to save start-up time.
        from ..denoising import denoise, stack  # noqa: F401
        from ..enlarging import deblur, upscale  # noqa: F401


def load_batch() -> None:
    """Load what jobs on files need besides; called as `load_engine`."""
    load_engine()
    with collector_paused():
        # Imported here to save start-up time.
        from ..batch import planes  # noqa: F401
        from ..denoising.large import job, running  # noqa: F401
