"""The loop behind every fit: steps of Adam on the squared error, and kernels that move to where they are needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from . import engine
from .images import ImageFormat
from .metrics import default_data_range
from .model import Mode, Model, to_raster
from .relocation import relocate
from .settings import FitSettings
from .starts import Start

TILE = 16
CHUNK = 5  # steps between two reports; divides the intervals of the settings


class Fitter:
    """A fit in progress, on an image in the engine's form (H, W, C) float32.

    `advance` takes steps, `relocate` moves idle kernels, `chunk` does a little of both as the settings say.
    `geometry` and `experts` hold the kernels, in the pixels of the raster that is drawn: the image's, or finer by
    `oversample`. `fraction` is the share of the fit that is done.
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
        geometry, experts = start_tensors(start, self._image_shape)
        if settings.linear:
            experts = torch.cat([experts, torch.zeros(len(experts), 2 * pixels.shape[2])], 1)
        step = 1 / settings.oversample
        self.geometry, self.experts = to_raster(geometry, experts, (0, 0), (step, step), linear=settings.linear)
        self.state = torch.zeros(2, 6 + self.experts.shape[1], len(self.geometry))
        self.step = 0
        self.fraction = 0.0
        self.mean_squared_error = math.inf
        self._best: tuple[float, torch.Tensor, torch.Tensor] | None = None

    @property
    def remaining(self) -> int:
        """Steps that the settings have left."""
        return max(0, self.settings.iterations - self.step)

    def advance(self, steps: int, remaining: int | None = None) -> torch.Tensor:
        """Take steps of the optimiser, at most as many as remain.

        Parameters
        ----------
        steps : int
            How many.
        remaining : int, optional
            How many remain, these among them: the learning rates decay accordingly. Default: what the settings
            have left.

        Returns
        -------
        torch.Tensor
            (3,) float32, seconds that went into tile lists, tiles and optimiser.
        """
        s = self.settings
        remaining = self.remaining if remaining is None else remaining
        steps = min(steps, remaining)
        if steps < 1:
            return torch.zeros(3)
        share = (1 - self.fraction) / remaining
        rates = learning_rates(s, self.fraction + share * np.arange(steps))
        self.fraction += share * steps
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
            linear=s.linear,
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
                self._rng, block=self.settings.oversample, linear=self.settings.linear,
            )  # fmt: skip

    def chunk(self, remaining: int | None = None) -> None:
        """Relocate if it is time to, then take the steps up to the next report."""
        s = self.settings
        due = self.step % s.relocate_interval == 0 and self.step >= 2 * s.relocate_interval
        if self.mode == "smoe" and due and self.fraction < s.relocate_until:
            self.relocate()
        self.advance(CHUNK, remaining)
        if self._best is None or self.mean_squared_error < self._best[0]:
            self._best = (self.mean_squared_error, self.geometry.clone(), self.experts.clone())

    def keep_best(self) -> None:
        """Go back to the kernels with the least error so far; for a fit that ends early."""
        if self._best is not None:
            self.mean_squared_error, self.geometry, self.experts = self._best

    def psnr(self, layout: ImageFormat) -> float:
        """PSNR in dB of the model before the last step, by the data range that `metrics.psnr` would take."""
        error = self.mean_squared_error * layout.span**2
        peak = default_data_range(np.dtype(layout.dtype), layout.low, layout.high)
        return math.inf if error == 0 or peak == 0 else 10 * math.log10(peak**2 / error)

    def model(self, layout: ImageFormat, metadata: dict[str, Any]) -> Model:
        """The model as it is now."""
        step = self.settings.oversample
        geometry, experts = to_raster(self.geometry, self.experts, (0, 0), (step, step), linear=self.settings.linear)
        return Model(
            geometry,
            experts.clone(),
            self._image_shape,
            layout,
            mode=self.mode,
            linear=self.settings.linear,
            confidence=self.settings.confidence,
            metadata=metadata | {"steps": self.step},
        )


def learning_rates(settings: FitSettings, fraction: np.ndarray) -> torch.Tensor:
    """Rates of position, steering, logit and expert, (steps, 4) float32, at shares of the fit in [0, 1)."""
    names = ("position", "steering", "logit", "expert")
    first = np.array([getattr(settings, f"rate_{name}") for name in names])
    final = np.array([getattr(settings, f"final_{name}") for name in names])
    return torch.from_numpy((first * final ** fraction[:, None]).astype(np.float32))


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
