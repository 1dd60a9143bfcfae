"""Fit a model to an image: start, then steps of Adam on the squared error."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from . import engine
from .errors import ImageError
from .images import ChannelAxis, ImageFormat, prepare_image
from .metrics import default_data_range
from .model import Mode, Model, raster_geometry
from .progress import Callback, Progress
from .relocation import relocate
from .settings import FitSettings
from .settings import preset as named_preset
from .starts import Start, make_start

TILE = 16
CHUNK = 5  # steps between two reports; divides the intervals of the settings


def fit(
    image: Any,
    n_kernels: int = 2000,
    *,
    preset: str = "default",
    start: str | None = None,
    iterations: int | None = None,
    mode: Mode = "smoe",
    rasterized: bool = True,
    weight: Any = None,
    seed: int = 0,
    device: str = "auto",
    channel_axis: ChannelAxis = "auto",
    callback: Callback | None = None,
) -> Model:
    """Model an image with steered Gaussian kernels.

    Parameters
    ----------
    image : array-like
        (Y, X), or (Y, X, C) with colour last; see `channel_axis`. Integers or floats of any size, finite.
    n_kernels : int
        How many kernels, at least 1.
    preset : {"default", "fast", "best", "paper"}
        Settings of the fit; "paper" repeats the published experiments.
    start : {"content", "random", "segmentation"}, optional
        Where kernels begin; default: the preset's.
    iterations : int, optional
        Optimiser steps; default: the preset's.
    mode : {"smoe", "rbf"}
        Soft gates that sum to one (paper eq. 3), or a plain sum of Gaussians (eq. 1), which is GaussianImage.
    rasterized : bool
        True: each 16x16 tile sees only the kernels that matter to it. False: every kernel at every pixel, exact and
        slow (global SMoE, global RBF).
    weight : array-like, optional
        (Y, X) non-negative weights of the pixels; 0 ignores a pixel.
    seed : int
        Same seed, same machine: the same model to the bit, for any number of threads.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    channel_axis : int, None or "auto"
        Which axis holds channels; "auto" takes a last axis of length 3 or 4.
    callback : callable, optional
        Called with a `Progress` every few steps; returning True stops, and the best model so far is returned.

    Returns
    -------
    Model

    Raises
    ------
    ImageError
        If the image or the weights cannot be used.
    ValueError
        If a parameter is out of range.
    """
    settings = named_preset(preset)
    settings = replace(settings, start=start or settings.start)
    if iterations is not None:
        settings = replace(settings, iterations=int(iterations))
    if not rasterized:
        settings = replace(settings, tau=math.inf, confidence=0.0, list_interval=CHUNK)
    n_kernels = checked_count(n_kernels, "n_kernels")
    checked_count(settings.iterations, "iterations", smallest=0)
    if mode not in ("smoe", "rbf"):
        raise ValueError(f"mode={mode!r} is not known; use 'smoe' or 'rbf'.")
    engine.resolve_device(device)
    pixels, layout = prepare_image(image, channel_axis)
    checked = checked_weight(weight, pixels.shape[:2])
    if checked is not None:
        pixels = fill_ignored(pixels, checked)
    rng = np.random.default_rng(seed)
    fitter = Fitter(
        pixels,
        make_start(settings.start, pixels, n_kernels, rng),
        settings,
        mode=mode,
        weight=checked,
        rng=rng,
    )
    metadata = {
        "made_by": f"napari-rsmoe {version('napari-rsmoe')}",
        "seed": seed,
        "preset": preset,
        "settings": asdict(settings),
    }
    fitter.run(callback, layout, metadata)
    return fitter.model(layout, metadata)


class Fitter:
    """A fit in progress, on an image in the engine's form (H, W, C) float32.

    `advance` takes steps, `relocate` moves idle kernels, `run` does both to the end and reports. `geometry` and
    `experts` hold the kernels, in the pixels of the raster that is drawn: the image's, or finer by `oversample`.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        start: Start,
        settings: FitSettings,
        *,
        mode: Mode = "smoe",
        weight: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.settings = settings
        self.mode: Mode = mode
        self._image_shape = (pixels.shape[0], pixels.shape[1])
        self._pixels = enlarge(pixels, settings.oversample)
        self._pixel_weight = None if weight is None else enlarge(weight, settings.oversample)
        self._rng = rng or np.random.default_rng(0)
        self.shape = (self._pixels.shape[0], self._pixels.shape[1])
        self.target = to_tiles(self._pixels)
        self.weight = None
        total = float(self.shape[0] * self.shape[1])
        if self._pixel_weight is not None:
            self.weight = to_tiles(self._pixel_weight[..., None])[:, 0].contiguous()
            total = float(self._pixel_weight.sum(dtype=np.float64))
        self._values = total * pixels.shape[2]
        geometry, self.experts = start_tensors(start, self._image_shape)
        self.geometry = raster_geometry(geometry, (0, 0), (1 / settings.oversample,) * 2)
        self.state = torch.zeros(2, 6 + pixels.shape[2], len(self.geometry))
        self.step = 0
        self.mean_squared_error = math.inf
        self._best: tuple[float, torch.Tensor, torch.Tensor] | None = None
        self._rates = _rates(settings)

    def advance(self, steps: int) -> torch.Tensor:
        """Take steps of the optimiser, at most as many as the settings have left.

        Returns the seconds that went into tile lists, tiles and optimiser, (3,) float32.
        """
        s = self.settings
        rates = self._rates[self.step : self.step + steps]
        if not len(rates):
            return torch.zeros(3)
        reach = float(max(self.shape))
        losses, seconds = engine.fit_steps(
            self.geometry,
            self.experts,
            self.state,
            self.target,
            self.weight,
            rates,
            *self.shape,
            block=s.oversample,
            first_step=self.step,
            tau=s.tau,
            normalised=self.mode == "smoe",
            confidence=s.confidence,
            whitened=s.whitened,
            list_interval=s.list_interval,
            list_margin=s.list_margin,
            betas=s.betas,
            limits=(20.0, 8.0, 0.25, max(200.0, 2 * reach), 8.0),
        )
        self.step += len(rates)
        self.mean_squared_error = float(losses[-1]) / self._values
        return seconds

    def relocate(self) -> None:
        """Move the least needed kernels to the largest errors, as the settings say; see `relocation`."""
        count = min(
            round(self.settings.relocate * len(self.geometry)), len(self.geometry) - 1, self._pixels[..., 0].size
        )
        if count > 0:
            relocate(
                self.geometry, self.experts, self.state, self._pixels, self._pixel_weight, count, self.settings.tau,
                self._rng, block=self.settings.oversample,
            )  # fmt: skip

    def _relocates_now(self) -> bool:
        s = self.settings
        inside = 2 * s.relocate_interval <= self.step < s.relocate_until * s.iterations
        return self.mode == "smoe" and inside and self.step % s.relocate_interval == 0

    def run(self, callback: Callback | None, layout: ImageFormat, metadata: dict[str, Any]) -> None:
        """Take all remaining steps; after each list interval report, and on request stop at the best so far."""
        total = self.settings.iterations
        while self.step < total:
            if self._relocates_now():
                self.relocate()
            self.advance(CHUNK)
            if callback is None:
                continue
            if self._best is None or self.mean_squared_error < self._best[0]:
                self._best = (self.mean_squared_error, self.geometry.clone(), self.experts.clone())
            stop = callback(
                Progress("fit", self.step, total, self.psnr(layout), lambda: self.model(layout, metadata).render())
            )
            if stop and self.step < total:
                _, self.geometry, self.experts = self._best
                return

    def psnr(self, layout: ImageFormat) -> float:
        """PSNR in dB of the model before the last step, by the data range that `metrics.psnr` would take."""
        error = self.mean_squared_error * layout.span**2
        peak = default_data_range(np.dtype(layout.dtype), layout.low, layout.high)
        return math.inf if error == 0 or peak == 0 else 10 * math.log10(peak**2 / error)

    def model(self, layout: ImageFormat, metadata: dict[str, Any]) -> Model:
        """The model as it is now."""
        return Model(
            raster_geometry(self.geometry, (0, 0), (self.settings.oversample,) * 2),
            self.experts.clone(),
            self._image_shape,
            layout,
            mode=self.mode,
            confidence=self.settings.confidence,
            metadata=metadata | {"steps": self.step},
        )


def _rates(settings: FitSettings) -> torch.Tensor:
    """Learning rates (position, steering, logit, expert) of every step, (iterations, 4) float32."""
    names = ("position", "steering", "logit", "expert")
    first = np.array([getattr(settings, f"rate_{name}") for name in names])
    final = np.array([getattr(settings, f"final_{name}") for name in names])
    done = np.arange(settings.iterations)[:, None] / max(settings.iterations, 1)
    return torch.from_numpy((first * final**done).astype(np.float32))


def start_tensors(start: Start, shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Geometry (L, 6) and experts (L, C) of a start, in the order of the tiles, which keeps neighbours in cache."""
    tile = np.clip(start.centers, 0, np.array(shape) - 1) // TILE
    order = np.lexsort((tile[:, 1], tile[:, 0]))
    geometry = np.zeros((len(order), 6), np.float32)
    geometry[:, :2] = start.centers[order]
    geometry[:, [2, 4]] = 1 / start.sigmas[order, None]
    return torch.from_numpy(geometry), torch.from_numpy(np.ascontiguousarray(start.experts[order]))


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Repeat every pixel of (H, W) or (H, W, C) `factor` times along y and x."""
    return image if factor == 1 else image.repeat(factor, 0).repeat(factor, 1)


def to_tiles(pixels: np.ndarray) -> torch.Tensor:
    """Cut (H, W, C) into (tiles, C, 256), tiles in row-major order, edge tiles filled with the nearest pixels."""
    height, width, channels = pixels.shape
    padded = np.pad(pixels, ((0, -height % TILE), (0, -width % TILE), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // TILE, padded.shape[1] // TILE
    tiles = padded.reshape(rows, TILE, columns, TILE, channels).transpose(0, 2, 4, 1, 3)
    return torch.from_numpy(np.ascontiguousarray(tiles, np.float32).reshape(rows * columns, channels, TILE * TILE))


def checked_count(value: Any, name: str, smallest: int = 1) -> int:
    """An integer of at least `smallest`, or a ValueError that says so."""
    if isinstance(value, bool) or int(value) != value or value < smallest:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {smallest}.")
    return int(value)


def checked_weight(weight: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Pixel weights as float32 (H, W), or an ImageError."""
    if weight is None:
        return None
    array = np.ascontiguousarray(weight, np.float32)
    if array.shape != tuple(shape):
        raise ImageError(f"weight has shape {array.shape}; the image needs {tuple(shape)}.")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() == 0:
        raise ImageError("weight must be finite and not negative, with at least one positive value.")
    return array


def fill_ignored(pixels: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Pixels of weight 0 take the value of the nearest other pixel, so that no kernel starts from theirs."""
    ignored = weight == 0
    if not ignored.any():
        return pixels
    nearest = distance_transform_edt(ignored, return_distances=False, return_indices=True)
    filled: np.ndarray = pixels[tuple(nearest)]
    return filled
