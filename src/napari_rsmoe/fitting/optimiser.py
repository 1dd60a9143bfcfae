"""Steps of Adam on the squared error of one model, or of several at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .. import engine
from ..engine.limits import Limits
from ..model.experts import Mode
from .run_ahead import RunAhead
from .settings import FitSettings
from .state import FitState
from .target import FitTarget
from .tensors import learning_rates


class Optimiser:
    """A fit in progress with a fixed number of kernels.

    Parameters
    ----------
    target : FitTarget
        The image to fit.
    settings : FitSettings
        Settings of the fit.
    mode : {"smoe", "rbf"}
        As for `napari_rsmoe.fit`.
    ahead : RunAhead
        The state; if active, nothing is read back from the device until `settle`.
    """

    def __init__(self, target: FitTarget, settings: FitSettings, mode: Mode, ahead: RunAhead) -> None:
        self.target = target
        self.settings = settings
        self.mode: Mode = mode
        self.ahead = ahead

    @property
    def state(self) -> FitState:
        """The state: kernels, moments, error and progress."""
        return self.ahead.state

    @property
    def geometry(self) -> torch.Tensor:
        """(L, 6), or (models, L, 6), in the pixels of the raster that is drawn."""
        return self.state.geometry

    @property
    def experts(self) -> torch.Tensor:
        """(L, C), linear (L, 3 C); or with a first dimension more, as `geometry`."""
        return self.state.experts

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the raster that is drawn."""
        return self.target.shape

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.state.step

    @property
    def fraction(self) -> float:
        """Share of the fit that is done, 0 to 1; it may be set before the first step."""
        return self.state.fraction

    @fraction.setter
    def fraction(self, fraction: float) -> None:
        self.state.fraction = fraction

    @property
    def mean_squared_error(self) -> float:
        """Mean squared error of the model before the last step (the mean over models); infinite before the first."""
        self.settle()
        return float(self.state.loss.mean()) / self.target.values

    @property
    def remaining(self) -> int:
        """Number of remaining steps according to the settings."""
        return max(0, self.settings.iterations - self.step)

    def advance(self, steps: int, remaining: int | None = None) -> torch.Tensor:
        """Take steps of the optimiser, at most as many as remain.

        Parameters
        ----------
        steps : int
            Number of steps.
        remaining : int, optional
            Number of remaining steps, including these, over which the learning rates decay. By default that of the
            settings.

        Returns
        -------
        torch.Tensor
            (3,) float32, seconds that went into tile lists, tiles and optimiser.
        """
        remaining = self.remaining if remaining is None else remaining
        steps = min(steps, remaining)
        if steps < 1:
            return torch.zeros(3, dtype=torch.float32, device="cpu")
        return self.ahead.do(lambda state, *, wait: self._advance([steps], remaining, state, wait=wait)[1])

    def _advance(
        self, parts: Sequence[int], remaining: int, state: FitState, *, wait: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take so many steps, then so many and so on, with the bits of one call for each part.

        Returns the losses (steps,), or (models, steps), and the seconds as `advance` does.
        """
        s, (height, width) = self.settings, self.shape
        fractions = []
        for steps in parts:
            share = (1 - state.fraction) / remaining
            fractions.append(state.fraction + share * np.arange(steps))
            state.fraction += share * steps
            remaining -= steps
        losses, seconds = engine.fit_steps(
            state.geometry,
            state.experts,
            state.moments,
            self.target.tiles,
            self.target.tile_weight,
            learning_rates(s, np.concatenate(fractions)),
            height,
            width,
            block=s.oversample,
            first_step=state.step,
            tau=s.tau,
            normalised=self.mode == "smoe",
            confidence=s.confidence,
            linear=s.linear,
            whitened=s.whitened,
            list_interval=s.list_interval if len(parts) == 1 else min(s.list_interval, parts[0]),
            list_margin=s.list_margin,
            betas=s.betas,
            limits=Limits.of_raster(height, width),
            wait=wait,
        )
        state.step += sum(parts)
        state.loss = losses[..., -1]
        if not wait:
            state.had_room = state.had_room & state.loss.isfinite().all()
        return losses, seconds

    def settle(self) -> None:
        """Wait until the device has finished; see `run_ahead`."""
        self.ahead.settle()

    def due(self) -> bool:
        """Whether a report is due: always on the CPU, and at intervals on a device, which then settles."""
        return self.ahead.due(finished=self.remaining == 0)


def together(fits: Sequence[Optimiser]) -> Optimiser:
    """One fit of several models, which take their steps at once.

    Parameters
    ----------
    fits : sequence of Optimiser
        At least one, settled. They may differ in nothing but the values of their tensors: neither in the number of
        kernels, the shape of the raster, the settings nor the steps taken.

    Returns
    -------
    Optimiser
        A fit whose tensors have an additional first dimension; `fits` do not change.
    """
    first = fits[0]
    state = FitState.stacked([fit.state for fit in fits])
    target = FitTarget.stacked([fit.target for fit in fits])
    return Optimiser(target, first.settings, first.mode, first.ahead.anew(state))
