"""The Deblur widget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox

from ...io.units import canonical_unit, unit_ratio
from ...ui.parameters.enlarging import DEBLUR
from ...ui.parameters.outputs import STD
from ..source import Source, Spread
from .job_widget import JobWidget
from .layer_choice import LayerChoice

WIDTH, LENS, IMAGE, BEADS = "a Gaussian", "a lens", "an image of a point", "beads in an image"
NANOMETRE = "nanometer"


class DeblurWidget(JobWidget):
    """Undo the blur of a lens whose point spread function is known or measured, with an error bar for each pixel."""

    def __init__(self, napari_viewer: Any) -> None:
        self.spread = ComboBox(
            choices=[WIDTH, LENS, IMAGE, BEADS], label="Point spread",
            tooltip="How the blur is known. With a wrong one results look sharp and are wrong.",
        )  # fmt: skip
        self.sigma = FloatSpinBox(
            value=1.5, min=0.1, max=64, step=0.1, label="Width",
            tooltip="Standard deviation of the blur in pixels, about 0.42 of its full width at half maximum.",
        )  # fmt: skip
        self.aperture = FloatSpinBox(
            value=1.4, min=0.01, max=1.99, step=0.05, label="Aperture", tooltip="Numerical aperture of the lens."
        )
        self.wavelength = FloatSpinBox(
            value=520.0,
            min=1,
            max=1e6,
            step=10,
            label="Wavelength, nm",
            tooltip="Wavelength of the light that is seen.",
        )
        self.pixel = FloatSpinBox(
            value=100.0, min=0.01, max=1e9, step=5, label="Pixel size, nm",
            tooltip="Side of a pixel in the object; taken from the image if it has a length unit.",
        )  # fmt: skip
        self.of_layer = LayerChoice(
            napari_viewer, "Image", label="Layer", follows=False, accepts=lambda each: each.ndim == 2 and not each.rgb,
            tooltip="An image (Y, X) of one point in its middle without background, or of at least three single beads "
            "that are smaller than a pixel or two, taken in the same way.",
        )  # fmt: skip
        super().__init__(
            napari_viewer, "deblur", DEBLUR, [replace(STD, shown=True)], "Deblur",
            hidden=("device", "psf"),
        )  # fmt: skip
        self.spread.changed.connect(self._show_spread)
        self.layer.changed.connect(self._take_pixel_size)
        self._show_spread()
        self._take_pixel_size()

    def more_fields(self) -> list[Any]:
        """The fields of the point spread function."""
        return [self.spread, self.sigma, self.aperture, self.wavelength, self.pixel, self.of_layer]

    def given(self) -> dict[str, Any]:
        """The settings of the form, and the point spread function if it is one of numbers."""
        psf: Any = ""
        if self.spread.value == WIDTH:
            psf = float(self.sigma.value)
        elif self.spread.value == LENS:
            psf = (float(self.aperture.value), float(self.wavelength.value), float(self.pixel.value))
        return {**self.form.get(), "psf": psf}

    def show_given(self, given: dict[str, Any]) -> None:
        """Show settings."""
        self.form.set(given)
        psf = given.get("psf")
        if isinstance(psf, int | float) and self.sigma.min <= psf <= self.sigma.max:
            self.spread.value, self.sigma.value = WIDTH, psf
        elif isinstance(psf, list | tuple) and len(psf) == len(LENS_FIELDS):
            self.spread.value = LENS
            for name, value in zip(LENS_FIELDS, psf, strict=True):
                getattr(self, name).value = value

    def masked(self, source: Source) -> Source:
        """The image with the layer of its point spread function. Raises ValueError if none is chosen."""
        if self.spread.value in (WIDTH, LENS):
            return source
        layer = self.of_layer.value
        if layer is None:
            raise ValueError(
                f"Choose in Layer which image shows {'beads' if self.spread.value == BEADS else 'a point'}."
            )
        values = layer.data[0] if layer.multiscale else layer.data
        path = str(layer.source.path or "")
        return replace(source, spread=Spread(values, str(layer.name), path, beads=self.spread.value == BEADS))

    def _show_spread(self, *_: Any) -> None:
        kind = self.spread.value
        self.sigma.visible = kind == WIDTH
        for name in LENS_FIELDS:
            getattr(self, name).visible = kind == LENS
        self.of_layer.visible = kind in (IMAGE, BEADS)

    def _take_pixel_size(self, *_: Any) -> None:
        """Take the pixel size of the image, if it is a length."""
        layer = self.layer.value
        if layer is None:
            return
        unit = canonical_unit(str(layer.units[-1]))
        ratio = None if unit is None else unit_ratio(unit, NANOMETRE)
        size = abs(float(layer.scale[-1])) * (ratio or 0.0)
        if self.pixel.min <= size <= self.pixel.max:
            self.pixel.value = size


LENS_FIELDS = ("aperture", "wavelength", "pixel")
