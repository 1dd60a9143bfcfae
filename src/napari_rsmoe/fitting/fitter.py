"""The loop behind every fit: steps of Adam on the squared error, and kernels that move to where they are needed."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

from .. import engine
from ..image.format import ImageFormat
from ..image.metrics import default_data_range
from ..model.experts import Mode
from ..model.model import Model
from ..model.raster import to_raster
from .relocation import relocate
from .settings import FitSettings
from .starts.start import Start

TILE = 16
Result = TypeVar("Result")
CHUNK = 5  # steps between two reports; divides the intervals of the settings
REPORT_SECONDS = 0.05  # between two reports from a device, which each make it idle for a moment

CHANGING = ("step", "fraction", "_loss", "_best", "_had_room")
CHANGED_IN_PLACE = ("geometry", "experts", "state")


class Fitter:
    """A fit in progress, on an image in the engine's form (H, W, C) float32, from a start or its `start_tensors`.

    `advance` takes steps, `relocate` moves idle kernels, `chunk` does a little of both as the settings say.
    `geometry` and `experts` hold the kernels, in the pixels of the raster that is drawn: the image's, or finer by
    `oversample`, and live on the device, as does all that the steps need. `fraction` is the share of the fit that is
    done.

    With `runs_ahead`, the default on a device other than the CPU, nothing is read back until somebody asks for results,
    after `settle`. Should the engine's memory for tile lists not have sufficed in between, all since the last time is
    done again.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        start: Start | tuple[torch.Tensor, torch.Tensor],
        settings: FitSettings,
        *,
        mode: Mode = "smoe",
        weight: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
        device: torch.device | None = None,
        runs_ahead: bool | None = None,
    ) -> None:
        self.settings = settings
        self.device = device or torch.device("cpu")
        self.runs_ahead = self.device.type != "cpu" if runs_ahead is None else runs_ahead
        self.mode: Mode = mode
        self._image_shape = (pixels.shape[0], pixels.shape[1])
        pixels = enlarge(pixels, settings.oversample)
        self._rng = rng or np.random.default_rng(0)
        self.shape = (pixels.shape[0], pixels.shape[1])
        self.target = to_tiles(pixels).to(self.device)
        self._image = torch.from_numpy(np.moveaxis(pixels, 2, 0)).to(self.device)
        self.weight = self._image_weight = None
        total = float(self.shape[0] * self.shape[1])
        if weight is not None:
            weight = enlarge(weight, settings.oversample)
            self.weight = to_tiles(weight[..., None])[:, 0].contiguous().to(self.device)
            self._image_weight = torch.from_numpy(weight).to(self.device)
            total = float(weight.sum(dtype=np.float64))
        self._values = total * pixels.shape[2]
        if isinstance(start, Start):
            geometry, experts = start_tensors(start, self._image_shape)
            if mode == "rbf":
                experts = shared_out(geometry, experts, self._image_shape)
        else:
            geometry, experts = start
        if settings.linear:
            experts = torch.cat([experts, torch.zeros(len(experts), 2 * pixels.shape[2])], 1)
        step = 1 / settings.oversample
        self.geometry, self.experts = to_raster(geometry, experts, (0, 0), (step, step), linear=settings.linear)
        self.geometry, self.experts = self.geometry.to(self.device), self.experts.to(self.device)
        self.state = torch.zeros(2, 6 + self.experts.shape[1], len(self.geometry), device=self.device)
        self.step = 0
        self.fraction = 0.0
        self._loss = torch.full((), math.inf, device=self.device)
        self._best = (self._loss, self.geometry, self.experts)
        self._had_room = torch.ones((), dtype=torch.bool, device=self.device)
        self._since: list[Callable[..., object]] = []  # what was done since `settle`
        self._before: dict[str, Any] = {}  # and how things stood then
        self._settled = -math.inf
        # An exponential draw for each pixel. Shifted at random they serve again and again: new ones would have to come
        # from the host, and the same ones on every device.
        chances = self._rng.standard_exponential(self._image[0].numel(), np.float32)
        self._chances = torch.from_numpy(chances).to(self.device)

    @property
    def mean_squared_error(self) -> float:
        """Of the model before the last step, infinite before the first; the mean over models."""
        self.settle()
        return float(self._loss.mean()) / self._values

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
        remaining = self.remaining if remaining is None else remaining
        steps = min(steps, remaining)
        if steps < 1:
            return torch.zeros(3)
        return self._do(partial(self._advance, steps, remaining))

    def _advance(self, steps: int, remaining: int, *, wait: bool) -> torch.Tensor:
        s = self.settings
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
            wait=wait,
        )
        self.step += len(rates)
        self._loss = losses[..., -1]
        if not wait:
            self._had_room = self._had_room & self._loss.isfinite().all()
        return seconds

    def relocate(self) -> None:
        """Move the least needed kernels to the largest errors, as the settings say; see `relocation`."""
        kernels, pixels = len(self.geometry), self._image[0].numel()
        count = min(round(self.settings.relocate * kernels), kernels - 1, pixels)
        if count > 0:
            self._do(partial(self._relocate, count))

    def _relocate(self, count: int, *, wait: bool) -> None:
        had_room = relocate(
            self.geometry, self.experts, self.state, self._image, self._image_weight, count, self.settings.tau,
            self._chances.roll(int(self._rng.integers(len(self._chances)))), block=self.settings.oversample,
            linear=self.settings.linear, wait=wait,
        )  # fmt: skip
        if not wait:
            self._had_room = self._had_room & had_room

    def chunk(self, remaining: int | None = None) -> None:
        """Relocate if it is time to, then take the next few steps."""
        s = self.settings
        due = self.step % s.relocate_interval == 0 and self.step >= 2 * s.relocate_interval
        if self.mode == "smoe" and due and self.fraction < s.relocate_until:
            self.relocate()
        self.advance(max(CHUNK, s.relocate_interval) if self.runs_ahead else CHUNK, remaining)
        self._do(self._note_best)

    def _note_best(self, *, wait: bool) -> None:
        now = (self._loss, self.geometry, self.experts)
        better = self._loss < self._best[0]
        if wait:
            self._best = (now[0], now[1].clone(), now[2].clone()) if better else self._best
        else:  # chosen where the loss is
            loss, geometry, experts = (torch.where(better, *pair) for pair in zip(now, self._best, strict=True))
            self._best = (loss, geometry, experts)

    def keep_best(self) -> None:
        """Go back to the kernels with the least error so far: a kernel may go astray just before the end."""
        self.settle()
        self._loss, self.geometry, self.experts = self._best

    def due(self) -> bool:
        """Whether it is time for a report: always on the CPU; on a device now and then, and it settles then."""
        if self.runs_ahead:
            if self.remaining and time.perf_counter() - self._settled < REPORT_SECONDS:
                return False
            self.settle()
        return True

    def _do(self, action: Callable[..., Result]) -> Result:
        """Do it now; on a device without waiting for it, and keep in mind how to do it again."""
        if not self.runs_ahead:
            return action(wait=True)
        if not self._since:
            self._before = {name: getattr(self, name) for name in CHANGING}
            self._before |= {name: getattr(self, name).clone() for name in CHANGED_IN_PLACE}
            self._before["rng"] = self._rng.bit_generator.state
        self._since.append(action)
        return action(wait=False)

    def settle(self) -> None:
        """Wait until the device has done what it was given; where the engine had too little room, do it again."""
        if self._since and not bool(self._had_room):
            self._rng.bit_generator.state = self._before.pop("rng")
            for name, value in self._before.items():
                setattr(self, name, value)
            for action in self._since:
                action(wait=True)
        self._since = []
        self._settled = time.perf_counter()

    def psnr(self, layout: ImageFormat) -> float:
        """PSNR in dB of the model before the last step, by the data range that `metrics.psnr` would take."""
        error = self.mean_squared_error * layout.span**2
        peak = default_data_range(np.dtype(layout.dtype), layout.low, layout.high)
        return math.inf if error == 0 or peak == 0 else 10 * math.log10(peak**2 / error)

    def model(self, layout: ImageFormat, metadata: dict[str, Any]) -> Model:
        """The model as it is now."""
        self.settle()
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


def together(fitters: Sequence[Fitter]) -> Fitter:
    """One fit of several models, which take their steps at once; nothing else can be done with it.

    Parameters
    ----------
    fitters : sequence of Fitter
        At least one, settled, with as many steps done, and alike in all but the numbers in their tensors.

    Returns
    -------
    Fitter
        Its tensors have a first dimension more.
    """
    batch = copy.copy(fitters[0])
    for name in ("geometry", "experts", "state", "target", "weight"):
        parts = [getattr(fitter, name) for fitter in fitters]
        setattr(batch, name, None if parts[0] is None else torch.stack(parts))
    return batch


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


def shared_out(geometry: torch.Tensor, experts: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Experts that add up to what they were where kernels overlap: sums of Gaussians begin as bright as gates."""
    total = engine.render(geometry, torch.ones(len(geometry), 1), *shape, normalised=False)[0]
    y, x = (geometry[:, axis].round().long().clamp(0, length - 1) for axis, length in enumerate(shape))
    return experts / total[y, x, None].clamp_min(1)


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
