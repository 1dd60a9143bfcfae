"""The Fit widget."""

from __future__ import annotations

from typing import Any

from ...ui.jobs import Job
from ...ui.parameters.fitting import DRAWN
from ...ui.parameters.outputs import OUTPUTS
from .curve import Curve
from .job_widget import JobWidget


class FitWidget(JobWidget):
    """Fit steered kernels to an image layer, and show them."""

    def __init__(self, napari_viewer: Any) -> None:
        self.curve = Curve()
        super().__init__(
            napari_viewer,
            "fit",
            DRAWN,
            OUTPUTS["fit"],
            "Fit",
        )
        self.append_native(self.curve)

    def on_progress(self, job: Job) -> None:
        """Update the curve."""
        self.curve.show_points(list(job.history))
