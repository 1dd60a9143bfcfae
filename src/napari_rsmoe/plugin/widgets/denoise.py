"""The Denoise widget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...errors import ImageError
from ...ui.parameters.files import MASK
from ...ui.parameters.functions import PARAMETERS
from ...ui.parameters.outputs import OUTPUTS
from ..source import Source
from .job_widget import JobWidget
from .layer_choice import LayerChoice


class DenoiseWidget(JobWidget):
    """Remove the noise of an image layer, with an error bar for each pixel."""

    def __init__(self, napari_viewer: Any) -> None:
        self.mask = LayerChoice(
            napari_viewer, "Labels", label=MASK.label, nothing="nothing", follows=False,
            tooltip="A labels layer, such as of dead pixels and gaps: pixels with a label are left out.",
        )  # fmt: skip
        super().__init__(
            napari_viewer,
            "denoise",
            PARAMETERS["denoise_stack"],
            dict(zip(("uncertainty", "residual"), OUTPUTS["denoise"], strict=True)),
            "Denoise",
        )

    def more_fields(self) -> list[Any]:
        """The field for the mask."""
        return [self.mask]

    def masked(self, source: Source) -> Source:
        """The image with the labels as its mask. Raises ImageError if their shapes do not match."""
        layer = self.mask.value
        if layer is None:
            return source
        shape = tuple(n for axis, n in enumerate(source.data.shape[: source.ndim]) if axis != source.channel_axis)
        labels = layer.data[0] if layer.multiscale else layer.data
        if labels.shape not in (shape, shape[-2:]):
            raise ImageError(
                f"The labels {layer.name!r} have shape {labels.shape}; the image needs {shape} or {shape[-2:]}."
            )
        path = str(layer.source.path or "")
        return replace(source, mask=labels, mask_name=str(layer.name), mask_path=path)
