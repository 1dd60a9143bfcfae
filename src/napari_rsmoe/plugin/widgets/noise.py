"""The Noise widget: how strong the noise of an image is, and what the estimate rests on."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, PushButton
from napari.utils.notifications import show_error, show_info
from PIL import Image
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QApplication, QFileDialog

from ...errors import ImageError
from ...image.opacity import Opacity
from ...io.atomic import replacing_file
from ...progress import Callback
from ..source import Source, from_layer, plane_in_view
from .form import column_of, row_of
from .layer_choice import LayerChoice
from .plot import COLOURS, Plot, Series
from .regions import box_in_view
from .run import Run
from .working import FULL, WorkingWidget

if TYPE_CHECKING:
    from ...noise.estimate import NoiseEstimate
    from ...noise.report import NoiseReport

WHOLE, VIEW = "the plane in view", "what is in view"
CHANNEL_COLOURS = {3: (6, 3, 1)}
"""Colours of the channels in the plots, by their number: red, green and blue for three."""
EMPTY = "Choose an image and press Measure."


class NoiseWidget(WorkingWidget):
    """Measure the noise of an image layer, and plot variance against brightness and power against frequency."""

    def __init__(self, napari_viewer: Any) -> None:
        self.report: NoiseReport | None = None
        self.layer = LayerChoice(
            napari_viewer, "Image", label="Image",
            tooltip="The image layer to measure: the one that is selected in the list of layers, until you choose one.",
        )  # fmt: skip
        super().__init__(
            napari_viewer, "Measure", "Stop. Noise that is known already is shown without its standard errors."
        )
        self.status.value = EMPTY
        self.append_native(self.variance)
        self.append_native(self.spectrum)
        self.use.changed.connect(self.use_in_denoise)
        self.copy.changed.connect(lambda: QApplication.clipboard().setText(self.status.value))
        self.save.changed.connect(self._choose_file)
        self.layer.changed.connect(self._forget)

    def rows(self) -> list[Any]:
        """The image, the numbers, and what can be done with them; the plots follow below."""
        self.region = ComboBox(
            choices=[WHOLE, VIEW], label="Part", tooltip="Of a stack, the plane in view is measured, or a part of it."
        )
        self.use = PushButton(
            text="Use in Denoise", enabled=False, tooltip="Enter this noise in the Denoise widget, for this and others."
        )
        self.copy = PushButton(text="Copy", enabled=False, tooltip="Copy the numbers as text.")
        self.save = PushButton(
            text="Save report…", enabled=False, tooltip="A picture of the plots (PNG) or a table of their points (CSV)."
        )
        self.variance = Plot(
            "brightness", "variance", "Variance against brightness: a rising line is photon noise.", within=(0,)
        )  # fmt: skip
        self.spectrum = Plot(
            "cycles per pixel", "power relative to white noise",
            "Power against frequency: level for white noise, falling where neighbours share their noise.",
            within=(0, 2),
        )  # fmt: skip
        lines = [[self.run, self.cancel], [self.progress], [self.status], [self.use, self.copy, self.save]]
        return [column_of(self.layer, self.region), *(row_of(*line) for line in lines)]

    def source(self) -> Source:
        """The chosen plane or part. Raises ImageError, or ValueError if nothing is chosen."""
        layer = self.layer.value
        if layer is None:
            raise ValueError("There is no image layer; open an image first.")
        source = from_layer(layer)
        if source.ndim > 2:
            source = source.plane_at(plane_in_view(layer, self._viewer.dims.point))
        return source.crop(*box_in_view(layer)) if self.region.value == VIEW else source

    def start(self) -> None:
        """Measure, unless a measurement runs."""
        if not self.ready:
            return
        try:
            source = self.source()
        except ValueError as error:
            self.refuse(str(error))
            return
        self._forget()
        self.begin(f"Noise: {source.name}", partial(_measure, source))

    def take(self, run: Run, result: NoiseReport) -> None:
        """Show the report."""
        self.progress.value = FULL
        self.report = result
        self._show_report(result)

    # ------------------------------------------------------------------ the report

    def _show_report(self, report: NoiseReport) -> None:
        estimate = report.estimate
        found = str(estimate).replace(" +- ", "\u00a0±\u00a0")  # Which stays in one line.
        lines = [line.strip() for line in found.splitlines()]  # Wrapped lines would not be indented.
        self.status.value = "\n".join([self.layer.value.name, *lines, *explained(estimate)])
        count = len(report.curves)
        colours = CHANNEL_COLOURS.get(count) or tuple(1 + c % (len(COLOURS) - 1) for c in range(count))
        names = [f"channel {c}, " if count > 1 else "" for c in range(count)]
        series = []
        for curve, colour, name in zip(report.curves, colours, names, strict=True):
            series.append(Series(f"{name}measured", curve.brightness, curve.variance, points=True, colour=colour))
            series.append(Series(f"{name}model", curve.line_brightness, curve.line_variance, colour=colour))
        self.variance.show_series(series)
        spectra = [
            Series(f"{name}measured", each.frequency, each.power, colour=colour)
            for each, colour, name in zip(report.spectra, colours, names, strict=False)
        ]
        if spectra:
            level = np.array([0.0, float(report.spectra[0].frequency[-1])])
            spectra.append(Series("white noise", level, np.ones(2), colour=0))
        self.spectrum.show_series(spectra)
        self.use.enabled = _as_setting(estimate) is not None
        self.copy.enabled = self.save.enabled = True

    def _forget(self, *_: Any) -> None:
        """Show nothing of another image."""
        if not self.ready:
            return
        self.report = None
        self.status.value, self.progress.value = EMPTY, 0
        self.variance.show_series([])
        self.spectrum.show_series([])
        self.use.enabled = self.copy.enabled = self.save.enabled = False

    def use_in_denoise(self) -> None:
        """Open the Denoise widget, and enter this noise there."""
        noise = None if self.report is None else _as_setting(self.report.estimate)
        if noise is None:
            return
        _, widget = self._viewer.window.add_plugin_dock_widget("napari-rsmoe", "Denoise")
        widget.form.set({"noise": noise})
        widget.raise_dock()
        show_info("The noise level is entered in Denoise. It holds for all images of the same camera and settings.")

    def save_to(self, path: str | Path) -> None:
        """Write the plots as a picture (.png), or their points as a table (.csv)."""
        if self.report is None:
            return
        try:
            if Path(path).suffix.lower() == ".csv":
                _write_table(Path(path), self.report)
            else:
                self._write_picture(Path(path))
        except OSError as error:
            show_error(f"The report was not saved: {error}")
            return
        show_info(f"Saved {path}.")

    def _write_picture(self, path: Path) -> None:
        pictures = [_pixels(widget) for widget in (self.status.native, self.variance, self.spectrum)]
        wide = max(picture.width for picture in pictures)
        whole = Image.new("RGB", (wide, sum(picture.height for picture in pictures)))
        top = 0
        for picture in pictures:
            whole.paste(picture, (0, top))
            top += picture.height
        with replacing_file(path) as target:
            whole.save(target, "PNG")

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save report", "noise.png", "Pictures (*.png);;Tables (*.csv)"
        )
        if path:
            self.save_to(path if Path(path).suffix else f"{path}.png")


def explained(estimate: NoiseEstimate) -> list[str]:
    """What the numbers mean for what to do next, in sentences."""
    if estimate.sigma == 0:
        return ["No noise was found; denoising would leave the image as it is."]
    found = []
    if any(channel.gain for channel in estimate.channels):
        found.append("The noise grows with brightness, as of photons: each photon counts as many units as the gain.")
    else:
        found.append("The noise is the same at all brightnesses, as of electronics or after processing.")
    if not estimate.model.white:
        found.append(
            "Neighbouring pixels share their noise, as after a camera's or a microscope's own processing. Leave the "
            "Noise level of Denoise to the estimate, which takes this into account."
        )
    if any(share for channel in estimate.channels for share in channel.clipped):
        found.append("Values are cut off at an end of the range; there the true brightness is not known.")
    return found


def _as_setting(estimate: NoiseEstimate) -> float | tuple[float, float, float] | None:
    """The noise as the field of Denoise takes it; None if the field cannot say it."""
    if estimate.sigma == 0 or not estimate.model.white:
        return None
    if not any(channel.gain for channel in estimate.channels):
        return float(f"{estimate.sigma:.4g}")
    if len(estimate.channels) > 1:
        return None
    (channel,) = estimate.channels
    return float(f"{channel.gain:.4g}"), float(f"{channel.offset:.6g}"), float(f"{channel.read:.4g}")


def _measure(source: Source, callback: Callback) -> NoiseReport:
    """The report of the plane of a source, on the thread of the job."""
    from ...noise.report import noise_report  # here, as it loads torch

    planes = source.planes()
    if len(planes) != 1:
        raise ImageError("The noise of one plane at a time can be measured.")
    plane = Opacity(planes, present=source.has_alpha).removed(planes[0])
    return noise_report(plane.image, channel_axis=2 if plane.image.ndim == 3 else None, callback=callback)


def _write_table(path: Path, report: NoiseReport) -> None:
    """Write the points of both plots."""
    with replacing_file(path) as target, target.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["plot", "channel", "x", "y"])
        for channel, curve in enumerate(report.curves):
            _write_rows(table, "variance against brightness, measured", channel, curve.brightness, curve.variance)
            line = curve.line_brightness, curve.line_variance
            _write_rows(table, "variance against brightness, model", channel, *line)
        for channel, spectrum in enumerate(report.spectra):
            name = "power against cycles per pixel"
            _write_rows(table, name, channel, spectrum.frequency, spectrum.power)


def _write_rows(table: Any, plot: str, channel: int, x: np.ndarray, y: np.ndarray) -> None:
    table.writerows([plot, channel, float(a), float(b)] for a, b in zip(x, y, strict=True))


def _pixels(widget: Any) -> Any:
    """What a Qt widget shows, on its own background, as a picture."""
    canvas = QPixmap(widget.size())
    canvas.fill(widget.palette().window().color())
    widget.render(canvas)
    image = canvas.toImage().convertToFormat(QImage.Format.Format_RGB888)
    data = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    rows = data.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    return Image.fromarray(rows.reshape(image.height(), image.width(), 3).copy())
