"""The widgets for super-resolution and for deconvolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..batch.deblur import spread_of
from ..enlarging.deblur import deblur
from ..enlarging.enlargement import Enlargement
from ..enlarging.psf import point_spread
from ..enlarging.restored import Restored
from ..enlarging.upscale import enlargement_of, result_of
from ..image.other_arrays import plain
from ..model.model import Model
from ..progress import Callback
from ..ui.calls import Subject
from ..ui.jobs import Latest, Outcome
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.values import without
from .job_widget import ActionWidget
from .source import variable_name
from .views import view_of


@dataclass(frozen=True)
class Enlarged:
    """An enlarged plane and its error bar, and the models that they were drawn from."""

    image: np.ndarray
    std: np.ndarray
    enlargement: Enlargement

    @property
    def models(self) -> list[Model]:
        """The models."""
        return self.enlargement.models


def _draw(enlargement: Enlargement, given: dict[str, Any], callback: Callback | None = None) -> Enlarged:
    """Draw an enlargement with other settings than before."""
    done = result_of(enlargement, given["scale"], given["sharpen"], given["dtype"], callback)
    return Enlarged(done.image, done.std, enlargement)


class SuperResolutionWidget(ActionWidget):
    """Upscale an image by any factor (super-resolution), with an error bar for each pixel: `result` is an array.

    Arguments are those of `ActionWidget`. The sharpness can be changed after the run: the result is rendered again
    without a new fit.

    Attributes
    ----------
    std : ndarray of float32 or None
        The estimated standard deviation of the error of `result`, of the same shape.
    """

    action, run_label, title = "upscale", "Upscale", "upscaled"

    def __init__(self, image: Any, *, axes: str | None = None, **given: Any) -> None:
        self.std: Any = None
        super().__init__(image, axes=axes, **given)
        self._enlarged: list[Enlarged] = []
        self._redrawing = Latest(self._show_redrawn)
        self.form.fields["sharpen"].control.observe(self._on_sharpen, "value")

    @property
    def busy(self) -> bool:
        """Whether a job runs or the result is rendered again."""
        return super().busy or self._redrawing.busy

    def compute(self, image: Any, given: dict[str, Any], **more: Any) -> Enlarged:
        """Fit models finer than the pixels, and render them."""
        fitting = {name: value for name, value in given.items() if name not in ("sharpen", "dtype")}
        enlargement, refining = enlargement_of(image, **fitting, **more)
        return _draw(enlargement, given, refining)

    def pictures(self, result: Enlarged) -> dict[str, Any]:
        """The enlarged image, its uncertainty, and the kernels of the first model."""
        after, std = map(self._source.plane_of, (result.image, result.std))
        return {"after": after, "uncertainty": std, "models": result.models[0]}

    def summary(self, results: list[Enlarged]) -> str:
        """The size of the result."""
        height, width = self.pictures(results[0])["after"].shape[:2]
        return f"{height} x {width} px"

    def joined(self, results: list[Enlarged]) -> np.ndarray:
        """One array with the axes of the image; planes that were not processed are zero, and their error bars NaN."""
        self._enlarged = results
        self.std = self._together([each.std for each in results], np.nan)
        return self._together([each.image for each in results], 0)

    def _together(self, images: list[np.ndarray], blank: float) -> np.ndarray:
        """The results of the planes as one array."""
        if self._source.single:
            return images[0]
        planes = self._source.planes
        array = np.full(planes.result_shape(images[0].shape[:2]), blank, np.result_type(*images))
        for number, image in zip(self.numbers, images, strict=True):
            planes.store(array, planes[number], image.astype(array.dtype, copy=False))
        return array

    def choose_region(self, region: tuple[slice, ...] | None) -> None:
        """See `ActionWidget`."""
        super().choose_region(region)
        if not self.busy:
            self.std, self._enlarged = None, []

    # ------------------------------------------------------------------ sharpness

    def _on_sharpen(self, change: Any) -> None:
        if self._ran is not None and not super().busy:
            self._redrawing.ask(partial(self._redraw, {**self._ran, "sharpen": change["new"]}))

    def _redraw(self, given: dict[str, Any]) -> tuple[dict[str, Any], list[Enlarged]]:
        return given, [_draw(each.enlargement, given) for each in self._enlarged]

    def _show_redrawn(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._show_error(outcome.error)
            return
        self._ran, enlarged = outcome.result
        self.result = self.joined(enlarged)
        pictures = [self.pictures(each) for each in enlarged]
        self.pane.show(
            after=[each["after"] for each in pictures], uncertainty=[each["uncertainty"] for each in pictures]
        )


class DeblurWidget(ActionWidget):
    """Undo a known blur (deconvolution), with an error bar for each pixel: `result` is a `Restored`.

    Parameters
    ----------
    image, axes, **given
        As for `ActionWidget`.
    psf : float, (float, float, float), str or array-like
        The point spread function, as for `napari_rsmoe.deblur`, or the name of an image file of a point. An array, such
        as `measure_psf` returns, takes the place of the field.
    """

    action, run_label, title = "deblur", "Deblur", "deblurred"

    def __init__(self, image: Any, psf: Any = "", *, axes: str | None = None, **given: Any) -> None:
        self._psf = psf if hasattr(psf, "shape") and np.ndim(psf) == 2 else None
        if self._psf is None:
            given["psf"] = psf
        else:
            point_spread(psf)  # Raises an error now if it is none.
        super().__init__(image, axes=axes, **given)

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters; without the point spread function if that is an array."""
        return PARAMETERS["deblur"] if self._psf is None else without(PARAMETERS["deblur"], "psf")

    def compute(self, image: Any, given: dict[str, Any], **more: Any) -> Restored:
        """Deconvolve the image."""
        psf = spread_of(given["psf"]) if self._psf is None else self._psf
        return deblur(plain(image), **{**given, "psf": psf}, **more)

    def subject(self) -> Subject:
        """The image, and the point spread function if it is an array."""
        subject = super().subject()
        if self._psf is None:
            return subject
        name = variable_name(self._psf) or "psf"
        note = f"save the point spread function, in Python: napari_rsmoe.write_image('psf.tif', {name})"
        return replace(subject, psf=name, psf_path="psf.tif", notes=(*subject.notes, note))

    def pictures(self, result: Restored) -> dict[str, Any]:
        """The sharper image, its uncertainty, and the kernels of the first model."""
        return view_of(result)

    def summary(self, results: list[Restored]) -> str:
        """The noise level."""
        return f"noise {np.mean([each.noise for each in results]):.4g}"
