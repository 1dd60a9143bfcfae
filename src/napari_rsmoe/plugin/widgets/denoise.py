"""The Denoise widget."""

from __future__ import annotations

from typing import Any

from ...parameters import DENOISE
from .job_widget import JobWidget


class DenoiseWidget(JobWidget):
    """Remove the noise of an image layer, with an error bar for each pixel."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(
            napari_viewer,
            "denoise",
            DENOISE,
            {
                "uncertainty": ("Uncertainty", "A layer that tells how far the models are apart.", True),
                "residual": ("Residual", "A layer with what was taken away.", False),
            },
            "Denoise",
        )
