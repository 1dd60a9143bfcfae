"""The Denoise widget."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ...errors import ImageError, StoppedError
from ...ui.jobs import Job
from ...ui.parameters.files import MASK
from ...ui.parameters.functions import PARAMETERS
from ...ui.parameters.outputs import OUTPUTS
from ...ui.wording import in_form_words
from ..notes import in_sentences, summary
from ..source import Source
from ..stored import Filling, Stored, fill
from .job_widget import JobWidget
from .layer_choice import LayerChoice
from .run import Run
from .storing import FillingLayer, Storing
from .working import FULL


class DenoiseWidget(JobWidget):
    """Remove the noise of an image layer, with an error bar for each pixel."""

    def __init__(self, napari_viewer: Any) -> None:
        self._filling: FillingLayer | None = None
        self.mask = LayerChoice(
            napari_viewer, "Labels", label=MASK.label, nothing="nothing", follows=False,
            tooltip="A labels layer, such as of dead pixels and gaps: pixels with a label are left out.",
        )  # fmt: skip
        super().__init__(
            napari_viewer,
            "denoise",
            PARAMETERS["denoise_stack"],
            OUTPUTS["denoise"],
            "Denoise",
        )

        self.layer.changed.connect(self.storing.layer_changed)

    def more_fields(self) -> list[Any]:
        """The fields for the mask, and for the place of the result."""
        self.storing = Storing(self.layer)
        return [self.mask, self.storing.place, self.storing.path]

    def start_on(self, source: Source, given: dict[str, Any]) -> None:
        """Start the job, or that on an OME-Zarr."""
        if not self.storing.on_disk:
            self._filling = None
            super().start_on(source, given)
            return
        if not self.ready:
            return
        try:
            target = self.storing.target(source, alone=not self.selected.several)
        except ValueError as error:
            self.refuse(str(error))
            return
        self.trying.close()
        filling = Filling(source, target, given, std=bool(self.outputs["std"].value))
        self._filling = FillingLayer(self._viewer, filling)
        self.begin(f"Denoise: {source.name}", partial(fill, filling))

    def on_progress(self, job: Job) -> None:
        """Show what has been stored."""
        if self._filling is not None:
            self._filling.tick()

    def take(self, run: Run, result: Any) -> None:
        """Show the results, which may lie on disk."""
        if not isinstance(result, Stored):
            super().take(run, result)
            return
        layers = FillingLayer(self._viewer, result.filling) if self._filling is None else self._filling
        added = layers.finish(result)
        target, done = result.filling.target, result.filling.done
        metrics = result.record["metrics"]
        if metrics["stopped"]:
            self.status.value = (
                f"Stopped. {done} of {result.total} blocks of {target.name} are done; Denoise goes on from there."
                if result.total
                else str(StoppedError())
            )
            return
        self.progress.value = FULL
        said = [in_form_words(note, self._parameters) for note in metrics["notes"]]
        left_out = ["The residual is not made of images on disk"] if self.outputs["residual"].value else []
        self.status.value = in_sentences([summary(result.record), f"Saved {target}", *left_out, *said])
        if added:
            self._viewer.layers.selection.active = added[0]

    def masked(self, source: Source) -> Source:
        """The image with the labels as its mask. Raises ImageError if their shapes do not match."""
        layer = self.mask.value
        if layer is None:
            return source
        shape = tuple(n for axis, n in enumerate(source.data.shape[: source.ndim]) if axis != source.channel_axis)
        labels = layer.data[0] if layer.multiscale else layer.data
        fitting = dict.fromkeys((shape, shape[-2:]))
        if labels.shape not in fitting:
            accepted = " or ".join(str(each) for each in fitting)
            raise ImageError(f"The labels {layer.name!r} have shape {labels.shape}; the image needs {accepted}.")
        path = str(layer.source.path or "")
        return replace(source, mask=labels, mask_name=str(layer.name), mask_path=path)
