"""Kernels that can be edited, with undo: the models behind a kernels layer."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..model.experts import ExpertColours, ExpertUnits
from ..model.kernels import Kernels, steering_of

if TYPE_CHECKING:
    from ..model.model import Model

Trial = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The arguments of `EditableKernels.place`: rows (n,), centres (n, 2), covariances (n, 2, 2)."""
MOST_STEPS_BACK = 50
"""Number of edits that can be undone. Each keeps the arrays of the planes that it changed."""


@dataclass(frozen=True)
class _State:
    """The kernels of one plane. The arrays are replaced, never modified."""

    geometry: np.ndarray  # (L, 6) float32, like Model.geometry.
    experts: np.ndarray  # (L, C), or (L, 3 C) if linear, float32, like Model.experts.
    alive: np.ndarray  # (L,) bool, False for deleted kernels.


@dataclass(frozen=True)
class _Moment:
    """What undo and redo return to: the kernels of all planes, and which rows the layer showed of them."""

    states: list[_State]
    drawn: list[np.ndarray]


class EditableKernels:
    """The kernels of one or more planes, and which of them a layer shows.

    A kernel keeps its row: deleted kernels stay as dead rows, and new ones are appended. Kernels that are not edited
    keep their values, bit by bit.

    Parameters
    ----------
    models : sequence of Model
        One model for each plane.
    planes : sequence of tuple
        Index of each plane along the axes before Y and X; empty for an image of one plane.
    errors : sequence of numpy.ndarray, optional
        For each plane (L,) the root mean square of image minus model near each kernel; NaN if unknown.
    """

    def __init__(
        self, models: Sequence[Model], planes: Sequence[tuple[int, ...]], errors: Sequence[np.ndarray] | None = None
    ) -> None:
        self._models = list(models)
        self.planes = list(planes)
        self.errors = [np.full(m.n_kernels, np.nan) for m in models] if errors is None else list(errors)
        self._states = [_State(m.geometry.numpy(), m.experts.numpy(), np.ones(m.n_kernels, bool)) for m in self._models]
        self._units = [ExpertUnits.of(m.mode, m.layout) for m in self._models]
        self._colours = [
            ExpertColours.of(m.mode, m.layout, self.kernels(plane).expert) for plane, m in enumerate(self._models)
        ]
        self.drawn: list[np.ndarray] = [self.rows(plane) for plane in range(len(self._models))]
        """Rows that the layer shows in each plane."""
        self._undo: list[_Moment] = []
        self._redo: list[_Moment] = []

    def __len__(self) -> int:
        return len(self._models)

    def copy(self) -> EditableKernels:
        """The same kernels, to be edited on their own, with the same edits to undo and redo."""
        other = copy(self)
        other.errors, other.drawn, other._states = list(self.errors), list(self.drawn), list(self._states)
        other._undo, other._redo = list(self._undo), list(self._redo)
        return other

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to redo."""
        return bool(self._redo)

    @property
    def channels(self) -> int:
        """Number of channels of the experts."""
        return self._models[0].channels

    def summed(self, plane: int) -> bool:
        """Whether the model of a plane is a sum of Gaussians, whose kernels are not mixed by gates."""
        return self._models[plane].mode == "rbf"

    def size(self, plane: int) -> tuple[int, int]:
        """(height, width) of the image of a plane, in pixels."""
        height, width = self._models[plane].shape
        return height, width

    def count(self, plane: int) -> int:
        """Number of kernels of a plane, without deleted ones."""
        return int(self._states[plane].alive.sum())

    def rows(self, plane: int) -> np.ndarray:
        """Rows of the kernels of a plane, without deleted ones."""
        rows: np.ndarray = np.flatnonzero(self._states[plane].alive)
        return rows

    def model(self, plane: int, trial: Trial | None = None) -> Model:
        """The current model of a plane, or the model after ``place(plane, *trial)``."""
        import torch  # here, to save the time of loading it when the window opens

        state = self._states[plane]
        geometry = state.geometry if trial is None else _placed(state.geometry, *trial)
        model = self._models[plane].with_tensors(
            torch.from_numpy(geometry[state.alive]), torch.from_numpy(state.experts[state.alive])
        )
        if self._undo:
            model.metadata["edited"] = True
        return model

    def kernels(self, plane: int) -> Kernels:
        """The kernel table of a plane, including deleted rows."""
        state = self._states[plane]
        value, slope = self._units[plane].to_image(state.experts, linear=self._models[plane].linear)
        return Kernels.from_geometry(state.geometry, value, slope)

    def colours(self, plane: int) -> np.ndarray:
        """RGB in [0, 1] by which each row is shown, (L, 3); see `ExpertColours`."""
        return self._colours[plane].rgb(self.kernels(plane).expert)

    # ------------------------------------------------------------------ edits

    def place(self, plane: int, rows: np.ndarray, center: np.ndarray, covariance: np.ndarray) -> None:
        """Change the centre and shape of kernels.

        Parameters
        ----------
        plane : int
            Number of the plane.
        rows : numpy.ndarray
            (n,) rows of the kernels.
        center : numpy.ndarray
            (n, 2), (y, x) in pixels.
        covariance : numpy.ndarray
            (n, 2, 2), rows and columns (y, x), px^2, positive definite.
        """
        self._edit(plane, geometry=_placed(self._states[plane].geometry, rows, center, covariance))

    def recolour(self, plane: int, rows: np.ndarray, expert: Sequence[float] | np.ndarray) -> None:
        """Change the expert of kernels, in the units of the image, one value for each channel."""
        experts = self._states[plane].experts.copy()
        experts[rows, : self.channels] = self._units[plane].to_engine(np.asarray(expert, np.float64))
        self._edit(plane, experts=experts)

    def expert_of_colour(self, plane: int, colour: Sequence[float]) -> np.ndarray:
        """The expert (C,), in the units of the image, that `colours` shows as this RGB."""
        return self._colours[plane].expert(np.asarray(colour, np.float64), self.channels)

    def delete(self, plane: int, rows: np.ndarray) -> None:
        """Delete kernels. Raises ValueError if no kernel would be left."""
        alive = self._states[plane].alive.copy()
        alive[rows] = False
        if not alive.any():
            raise ValueError("A model needs at least one kernel, so these kernels were not deleted.")
        self._edit(plane, alive=alive)

    def add(self, plane: int, center: np.ndarray, covariance: np.ndarray, colour: Sequence[float]) -> np.ndarray:
        """Add kernels of median weight, with arguments as for `place` and `expert_of_colour`, and return their rows."""
        state = self._states[plane]
        count, before = len(center), len(state.geometry)
        logit = np.median(state.geometry[state.alive, 5])
        fresh = np.column_stack([center, steering_of(covariance), np.full(count, logit)]).astype(np.float32)
        expert = np.zeros(state.experts.shape[1], np.float32)  # The slopes of a linear expert stay 0.
        expert[: self.channels] = self._units[plane].to_engine(self.expert_of_colour(plane, colour))
        self.errors[plane] = np.concatenate([self.errors[plane][:before], np.full(count, np.nan)])
        self._edit(
            plane,
            geometry=np.concatenate([state.geometry, fresh]),
            experts=np.concatenate([state.experts, np.repeat(expert[None], count, 0)]),
            alive=np.concatenate([state.alive, np.ones(count, bool)]),
        )
        return np.arange(before, before + count)

    def undo(self) -> bool:
        """Undo the last edit; returns False if there is none."""
        return self._swap(self._undo, self._redo)

    def redo(self) -> bool:
        """Redo the edit that was undone last; returns False if there is none."""
        return self._swap(self._redo, self._undo)

    def _edit(self, plane: int, **fields: np.ndarray) -> None:
        self._undo = [*self._undo[-MOST_STEPS_BACK + 1 :], self._moment()]
        self._redo = []
        self._states[plane] = replace(self._states[plane], **fields)

    def _moment(self) -> _Moment:
        return _Moment(list(self._states), list(self.drawn))

    def _swap(self, source: list[_Moment], target: list[_Moment]) -> bool:
        if not source:
            return False
        target.append(self._moment())
        moment = source.pop()
        self._states, self.drawn = list(moment.states), list(moment.drawn)
        return True


def _placed(geometry: np.ndarray, rows: np.ndarray, center: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """A copy of the geometry (L, 6) with new centres and covariances in some rows."""
    changed = geometry.copy()
    changed[rows, :2], changed[rows, 2:5] = center, steering_of(covariance)
    return changed
