"""Work on a device that the host does not wait for, and repeat it where the engine had too little memory.

On CUDA the engine cannot know how long the lists of the tiles get before it has built them. To ask after each call
would leave the device idle meanwhile. So calls only note on the device whether their memory sufficed, and the host
looks at this note when somebody wants results. In the rare case that it did not suffice, the host goes back to the last
state that was sound and repeats everything since, waiting after each call, which also sets more memory aside.
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
    """Something that changes a state; without `wait` it only hands its work to the device."""

    def __call__(self, state: FitState, /, *, wait: bool) -> Result_co:
        """Do it."""
        ...


class RunAhead:
    """The state of a fit, and what was done to it since it was last known to be sound.

    Parameters
    ----------
    state : FitState
        At the beginning.
    rng : numpy.random.Generator
        Which the actions draw from; when actions are repeated they draw the same numbers again.
    active : bool
        False: every action is done at once and waited for, as on the CPU.
    """

    def __init__(self, state: FitState, rng: np.random.Generator, active: bool) -> None:
        self.state = state
        self.active = active
        self._rng = rng
        self._since: list[Action[object]] = []
        self._restore: Callable[[], None] = lambda: None
        self._settled = -np.inf

    def anew(self, state: FitState) -> RunAhead:
        """The same for another state."""
        return RunAhead(state, self._rng, self.active)

    def do(self, action: Action[Result]) -> Result:
        """Do an action now, or hand it to the device and remember how to repeat it."""
        if not self.active:
            return action(self.state, wait=True)
        if not self._since:
            self._restore = self._restorer()
        self._since.append(action)
        return action(self.state, wait=False)

    def settle(self) -> None:
        """Wait for the device; where the engine's memory did not suffice, repeat everything since the last time."""
        if self._since and not bool(self.state.had_room):
            self._restore()
            for action in self._since:
                action(self.state, wait=True)
        self._since = []
        self._settled = time.perf_counter()

    def due(self, *, finished: bool) -> bool:
        """Whether it is time for a report. On a device that is so every `REPORT_SECONDS`, and at the end."""
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
