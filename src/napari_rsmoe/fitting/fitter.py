"""The loop behind every fit of one model: steps of the optimiser, and kernels that move to where they are needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ..arrays import Floats
from ..image.bands import bands
from ..image.blocks import ALIGNMENT
from ..image.format import ImageFormat
from ..model.experts import Mode
from ..model.model import Model
from ..model.raster import to_raster
from .costs import expected_seconds
from .optimiser import Optimiser
from .relocation import Moves, relocate
from .run_ahead import RunAhead
from .settings import FitSettings
from .starts.placed import PlacedKernels
from .starts.start import Start
from .state import Best, FitState
from .target import FitTarget
from .tensors import shared_out, start_tensors

CHUNK = 5
"""Steps between two reports; it divides the intervals of the settings. Fewer steps slow down the fit, more delay the
reaction to a stop."""
UNFOLLOWED_SECONDS = 0.1
"""Expected time of the steps that are taken at once if nobody follows the fit. Beside other programs the engine's
threads wait for each other at the end, so shorter times slow down the fit; in longer ones Python hears of no signal."""


class Fitter(Optimiser):
    """A fit of one model in progress.

    `chunk` takes the next steps according to the settings. `advance` takes steps and `relocate` moves idle kernels, for
    callers that need another order.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The image for the engine, with values about [0, 1].
    start : Start or (torch.Tensor, torch.Tensor)
        Initial kernels; or their geometry and experts as `start_tensors` returns them, in pixels of the image.
    settings : FitSettings
        Settings of the fit.
    mode : {"smoe", "rbf"}
        As for `napari_rsmoe.fit`.
    weight : ndarray of float32, shape (H, W), optional
        Weight of each pixel; by default all count the same.
    rng : numpy.random.Generator, optional
        Generator for the positions of relocated kernels; by default with the seed 0.
    device : torch.device, optional
        Where to compute; by default the CPU.
    runs_ahead : bool, optional
        Whether results are read back only when somebody asks for them, after `settle`. By default so on every device
        but the CPU.
    place : PlacedKernels, optional
        Where the image lies in a larger one, by which places of relocated kernels are drawn instead.
    """

    def __init__(
        self,
        pixels: Floats,
        start: Start | tuple[torch.Tensor, torch.Tensor],
        settings: FitSettings,
        *,
        mode: Mode = "smoe",
        weight: Floats | None = None,
        rng: np.random.Generator | None = None,
        device: torch.device | None = None,
        runs_ahead: bool | None = None,
        place: PlacedKernels | None = None,
    ) -> None:
        device = device or torch.device("cpu")
        height, width, channels = pixels.shape
        self._image_shape = (height, width)
        self._rng = rng or np.random.default_rng(0)
        if isinstance(start, Start):
            geometry, experts = start_tensors(start, self._image_shape)
            if mode == "rbf":
                experts = shared_out(geometry, experts, self._image_shape)
        else:
            geometry, experts = start
        if settings.linear:
            experts = torch.cat([experts, experts.new_zeros(len(experts), 2 * channels)], 1)
        step = 1 / settings.oversample
        geometry, experts = to_raster(geometry, experts, (0, 0), (step, step), linear=settings.linear)
        state = FitState.begin(geometry.to(device), experts.to(device))
        ahead = RunAhead(state, self._rng, device.type != "cpu" if runs_ahead is None else runs_ahead)
        super().__init__(FitTarget.of(pixels, weight, settings.oversample, device), settings, mode, ahead)
        self._find_best: Callable[[], Best] | None = None  # Takes steps again, after which the error was smallest.
        self._place = place
        if place is not None:
            return
        # One exponential draw for each pixel, shifted at random for each relocation. New draws would have to come from
        # the host every time, as those of a device differ from the host's.
        chances = np.empty(math.prod(self.shape), np.float32)
        for band in bands(len(chances), 1):
            self._rng.standard_exponential(dtype=np.float32, out=chances[band])
        self._chances = torch.from_numpy(chances).to(device)

    def chunk(self, remaining: int | None = None, *, followed: bool = True) -> None:
        """Relocate kernels if it is due, then take the next few steps; `remaining` as for `advance`.

        With `followed` false, many may be taken at once. The kernels are the same.
        """
        s = self.settings
        due = self.step % s.relocate_interval == 0 and self.step >= 2 * s.relocate_interval
        if self.mode == "smoe" and due and self.fraction < s.relocate_until:
            self.relocate()
        remaining = self.remaining if remaining is None else remaining
        if not followed and (chunks := self._chunks_at_once(remaining)) > 1:
            self._take(chunks, remaining)
            return
        self.advance(max(CHUNK, s.relocate_interval) if self.ahead.active else CHUNK, remaining)
        self._note_best()

    def _chunks_at_once(self, remaining: int) -> int:
        """Chunks that may be taken at once: until kernels may be relocated, and not for long."""
        s, (height, width) = self.settings, self.shape
        if self.ahead.active or math.gcd(s.list_interval, CHUNK) != min(s.list_interval, CHUNK):
            return 1
        steps = remaining
        if self.mode == "smoe" and self.fraction < s.relocate_until:
            steps = min(steps, s.relocate_interval - self.step % s.relocate_interval)
        shape = (height, width, self.target.tiles.shape[-2])
        one = expected_seconds(shape, len(self.geometry), 1) - expected_seconds(shape, len(self.geometry), 0)
        return int(min(steps, UNFOLLOWED_SECONDS / one)) // CHUNK

    def _take(self, chunks: int, remaining: int) -> None:
        """Take the steps of several chunks at once, and find out after which of them the error was smallest."""
        before = self.state.copy()
        losses, _ = self._advance([CHUNK] * chunks, remaining, self.state, wait=True)
        ends = losses[CHUNK - 1 :: CHUNK].nan_to_num(nan=math.inf, posinf=math.inf)
        best = int(ends.argmin())
        if best == chunks - 1:
            self._note_best()
        elif ends[best] < self.state.best.loss:

            def find() -> Best:
                self._advance([CHUNK] * (best + 1), remaining, before, wait=True)
                return Best(before.loss, before.geometry, before.experts)

            self._find_best = find
            self.state.best = self.state.best._replace(loss=ends[best])

    def _note_best(self) -> None:
        if not self.ahead.active and self.state.loss < self.state.best.loss:
            self._find_best = None
        self.ahead.do(FitState.note_best)

    def relocate(self) -> None:
        """Move the least needed kernels to the largest errors, according to the settings; see `relocation`."""
        kernels, pixels = len(self.geometry), math.prod(self.shape)
        count = min(round(self.settings.relocate * kernels), kernels - 1, pixels)
        if count > 0:
            self.ahead.do(partial(self._relocate, count))

    def _relocate(self, count: int, state: FitState, *, wait: bool) -> None:
        moves: int | Moves = count
        if self._place is None:
            arrivals = self._chances.roll(int(self._rng.integers(len(self._chances))))
        else:
            side = ALIGNMENT * self.settings.oversample
            moves = Moves.within(state.geometry, self.shape, side, self.settings.relocate)
            drawn = self._place.arrivals(state.step, self.shape, self.settings.oversample)
            arrivals = torch.from_numpy(drawn).to(state.geometry.device)
        had_room = relocate(state, self.target, moves, arrivals, self.settings, wait=wait)
        if not wait:
            state.had_room = state.had_room & had_room

    def keep_best(self) -> None:
        """Return to the kernels with the smallest error so far, because a kernel may diverge just before the end."""
        self.settle()
        if self._find_best is not None:
            self.state.best, self._find_best = self._find_best(), None
        self.state.loss, self.state.geometry, self.state.experts = self.state.best

    def model(self, layout: ImageFormat, metadata: dict[str, Any]) -> Model:
        """The current model, in pixels of the image."""
        self.settle()
        step, linear = self.settings.oversample, self.settings.linear
        geometry, experts = to_raster(self.geometry, self.experts, (0, 0), (step, step), linear=linear)
        return Model(
            geometry,
            experts.clone(),
            self._image_shape,
            layout,
            mode=self.mode,
            linear=linear,
            confidence=self.settings.confidence,
            metadata=metadata | {"steps": self.step},
        )
