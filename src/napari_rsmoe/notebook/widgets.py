"""The widgets for fitting and denoising."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..denoising.denoise import denoise
from ..denoising.result import Denoised
from ..denoising.stack import Series
from ..fitting.fit import fit
from ..image.planes import CHANNEL_AXES, Plane
from ..model.model import Model
from ..progress import Callback
from ..ui.calls import Subject
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.denoising import PLANE, STACK
from ..ui.parameters.functions import PARAMETERS
from .job_widget import ActionWidget
from .large import LargeDenoiseWidget
from .source import variable_name
from .views import view_of


class FitWidget(ActionWidget):
    """Fit steered kernels to an image: `result` is a `Model`. Arguments as for `ActionWidget`."""

    action, run_label, title = "fit", "Fit", "fit"

    def compute(self, image: Any, given: dict[str, Any], **more: Any) -> Model:
        """Fit a model."""
        return fit(image, **given, **more)

    def pictures(self, result: Model) -> dict[str, Any]:
        """The rendered model and its kernels."""
        return view_of(result, self._device)

    @property
    def _device(self) -> str:
        return str((self._ran or self.form.values)["device"])

    def summary(self, results: list[Model]) -> str:
        """PSNR and number of kernels."""
        figures = [model.metadata["psnr"] for model in results if "psnr" in model.metadata]
        span = max(model.metadata["data_range"] for model in results)
        quality = f"{np.mean(figures):.2f} dB in a range of {span:.6g}, " if figures else ""
        return f"{quality}{sum(model.n_kernels for model in results)} kernels"


class DenoiseWidget(ActionWidget):
    """Remove noise, with an error bar for each pixel: `result` is a `Denoised`.

    For a stack the form has the parameters of `napari_rsmoe.denoise_stack` too.

    Parameters
    ----------
    image, axes, **given
        As for `ActionWidget`.
    mask : array-like, optional
        Pixels where it is not 0 are left out: (Y, X), or all axes of a stack but the channels.
    target : str or path, optional
        Where the result is written block by block, for an image of any size in a file or a Zarr store; then this makes
        a `napari_rsmoe.notebook.large.LargeDenoiseWidget`, which shows what is done and can be resumed.
    """

    action, run_label, title = "denoise", "Denoise", "denoised"

    def __new__(cls, image: Any = None, *, target: Any = None, **given: Any) -> Any:
        """Make the widget for the place where the result goes: memory, or a file or store."""
        return super().__new__(cls) if target is None else LargeDenoiseWidget(image, target, **given)

    def __init__(self, image: Any, *, axes: str | None = None, mask: Any = None, **given: Any) -> None:
        self._mask = mask
        super().__init__(image, axes=axes, **given)

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters; for a stack also those of neighbouring planes."""
        return PARAMETERS["denoise" if self._source.single else "denoise_stack"]

    def compute(self, image: Any, given: dict[str, Any], **more: Any) -> Denoised:
        """Denoise the image."""
        return denoise(image, **given, mask=self._cropped_mask(), **more)

    def _cropped_mask(self) -> Any:
        """The mask of the region that the job is run on."""
        if self._mask is None or self._region is None:
            return self._mask
        mask = np.asarray(self._mask)
        letters = [letter for letter in self._source.axes if letter not in CHANNEL_AXES] if mask.ndim > 2 else "YX"
        own = dict(zip("YX", self._region, strict=True))
        return mask[tuple(own.get(letter, slice(None)) for letter in letters)]

    def subject(self) -> Subject:
        """The image, and the mask if there is one."""
        subject = super().subject()
        if self._mask is None:
            return subject
        name = variable_name(self._mask) or "mask"
        if self._region is not None:
            rows, columns = self._region
            name = f"{name}[..., {rows.start}:{rows.stop}, {columns.start}:{columns.stop}]"
        note = f"save the mask first, in Python: napari_rsmoe.write_image('mask.tif', ({name} != 0).astype('uint8'))"
        return replace(subject, mask=name, mask_path="mask.tif", notes=(*subject.notes, note))

    def worker(self, given: dict[str, Any]) -> Callable[[Plane, Callback], Denoised]:
        """For a stack, a function that starts each plane from the kernels of the previous one."""
        if self._source.single:
            return super().worker(given)
        settings = {parameter.name: given[parameter.name] for parameter in PLANE}
        own = {parameter.name: given[parameter.name] for parameter in STACK}
        return Series(self._source.planes, settings, mask=self._cropped_mask(), **own).denoise

    def pictures(self, result: Denoised) -> dict[str, Any]:
        """The denoised image, its uncertainty, and the kernels of one of its models."""
        return view_of(result)

    def summary(self, results: list[Denoised]) -> str:
        """The noise level."""
        return f"noise {np.mean([each.noise for each in results]):.4g}"
