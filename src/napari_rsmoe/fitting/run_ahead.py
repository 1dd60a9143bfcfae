"""Queue work on a device without waiting for it, and repeat it if the engine had too little memory.

On CUDA the engine does not know the length of the tile lists before it has built them, and reading it after each call
would leave the device idle. So calls record a flag on the device that says whether their memory sufficed, and the host
reads the flag when results are needed. In the rare case that memory did not suffice, the host returns to the last valid
state and repeats everything since then, waiting after each call, which also allocates more memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from .state import FitState

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

REPORT_SECONDS = 0.05
"""Shortest time between two reports from a device, in seconds, as the device idles for a moment at each. Fewer reports
would make previews and the reaction to a stop slower, more of them the fit."""


class Action(Protocol[Result_co]):
    """A change of the state; without `wait` it only queues work on the device."""

    def __call__(self, state: FitState, /, *, wait: bool) -> Result_co:
        """Apply the change."""
        ...


class RunAhead:
    """The state of a fit, and the actions since it was last known to be valid.

    Parameters
    ----------
    state : FitState
        The initial state.
    rng : numpy.random.Generator
        Generator of the actions, which draw the same numbers again when they are repeated.
    active : bool
        False if every action is applied at once and waited for, as on the CPU.
    """

    def __init__(self, state: FitState, rng: np.random.Generator, active: bool) -> None:
        self.state = state
        self.active = active
        self._rng = rng
        self._since: list[Action[object]] = []
        self._restore: Callable[[], None] = lambda: None
        self._settled = -np.inf

    def anew(self, state: FitState) -> RunAhead:
        """A new object for another state."""
        return RunAhead(state, self._rng, self.active)

    def do(self, action: Action[Result]) -> Result:
        """Apply an action, or queue it on the device and remember how to repeat it."""
        if not self.active:
            return action(self.state, wait=True)
        if not self._since:
            self._restore = self._restorer()
        self._since.append(action)
        return action(self.state, wait=False)

    def settle(self) -> None:
        """Wait for the device; if the engine's memory did not suffice, repeat everything since the last call."""
        if self._since and not bool(self.state.had_room):
            self._restore()
            for action in self._since:
                action(self.state, wait=True)
        self._since = []
        self._settled = time.perf_counter()

    def due(self, *, finished: bool) -> bool:
        """Whether a report is due: on a device every `REPORT_SECONDS` and at the end."""
        if self.active:
            if not finished and time.perf_counter() - self._settled < REPORT_SECONDS:
                return False
            self.settle()
        return True

    def _restorer(self) -> Callable[[], None]:
        state, numbers = self.state.copy(), self._rng.bit_generator.state

        def restore() -> None:
            self.state, self._rng.bit_generator.state = state, numbers

        return restore
