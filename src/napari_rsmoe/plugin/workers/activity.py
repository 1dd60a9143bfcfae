"""The bar of a job in napari's activity dock, with its cancel button."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from napari.utils import cancelable_progress

from ...progress import Progress

PARTS = 1000
"""Steps of a progress bar."""


class ActivityBar:
    """A bar in napari's activity dock.

    Jobs do not run in napari's `thread_worker`: its signals queue up while the window is busy, so that previews would
    come late and a cancellation last; it knows no remaining time, and does not wait for its thread when Python ends.

    Parameters
    ----------
    title : str
        What is being done to which layer.
    cancel : callable
        Called when the user presses the cancel button of the bar.
    """

    def __init__(self, title: str, cancel: Callable[[], None]) -> None:
        self._bar = cancelable_progress(total=PARTS, desc=title, cancel_callback=cancel)

    def show(self, progress: Progress | None) -> None:
        """Show how far the job is."""
        if progress is not None:
            self._bar.update(round(PARTS * progress.fraction) - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        with suppress(RuntimeError):  # The window is closed.
            self._bar.close()
