"""The state of a running fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch


class Best(NamedTuple):
    """The kernels with the smallest error so far, and that error."""

    loss: torch.Tensor
    geometry: torch.Tensor
    experts: torch.Tensor


@dataclass
class FitState:
    """The kernels, the moments of the optimiser, and the progress of the fit.

    The engine changes `geometry`, `experts` and `moments` in place. All other attributes are replaced, never modified.
    For several models at once every tensor has an additional first dimension.

    Attributes
    ----------
    geometry, experts : torch.Tensor
        (L, 6) and (L, C), linear (L, 3 C), in pixels of the raster that is drawn.
    moments : torch.Tensor
        (2, 6 + columns of experts, L), Adam's averages of the gradients and of their squares.
    loss : torch.Tensor
        () weighted sum of squared errors before the last step; infinite before the first.
    best : Best
        The kernels with the smallest error so far.
    had_room : torch.Tensor
        () bool, False once the engine's memory for tile lists did not suffice; see `run_ahead`.
    step : int
        Steps taken.
    fraction : float
        Share of the fit that is done, 0 to 1. Learning rates follow from it.
    """

    geometry: torch.Tensor
    experts: torch.Tensor
    moments: torch.Tensor
    loss: torch.Tensor
    best: Best
    had_room: torch.Tensor
    step: int = 0
    fraction: float = 0.0

    @classmethod
    def begin(cls, geometry: torch.Tensor, experts: torch.Tensor) -> FitState:
        """The state before the first step, on the device of the kernels."""
        loss = geometry.new_full((), math.inf)
        moments = geometry.new_zeros(2, 6 + experts.shape[1], len(geometry))
        had_room = geometry.new_ones((), dtype=torch.bool)
        return cls(geometry, experts, moments, loss, Best(loss, geometry, experts), had_room)

    @classmethod
    def stacked(cls, states: Sequence[FitState]) -> FitState:
        """Stack states with the same numbers of kernels and steps, for a fit of several models at once."""
        return replace(
            states[0],
            geometry=torch.stack([state.geometry for state in states]),
            experts=torch.stack([state.experts for state in states]),
            moments=torch.stack([state.moments for state in states]),
        )

    def copy(self) -> FitState:
        """A copy that later steps do not change."""
        return replace(self, geometry=self.geometry.clone(), experts=self.experts.clone(), moments=self.moments.clone())

    def note_best(self, *, wait: bool) -> None:
        """Keep a copy of the kernels if their error is the smallest so far.

        Without `wait` the choice is made on the device, and nothing is read back.
        """
        better = self.loss < self.best.loss
        if not wait:
            self.best = Best(
                torch.where(better, self.loss, self.best.loss),
                torch.where(better, self.geometry, self.best.geometry),
                torch.where(better, self.experts, self.best.experts),
            )
        elif better:
            self.best = Best(self.loss, self.geometry.clone(), self.experts.clone())
