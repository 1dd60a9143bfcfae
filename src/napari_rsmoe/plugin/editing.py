"""Kernels that can be edited, with undo: the models behind a kernels layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..model.kernels import Kernels

if TYPE_CHECKING:
    from ..model.model import Model

MOST_STEPS_BACK = 50


@dataclass(frozen=True)
class _State:
    """The kernels of one plane; the arrays are never written to."""

    geometry: np.ndarray  # (L, 6) float32, as Model.geometry
    experts: np.ndarray  # (L, C) or linear (L, 3 C) float32, as Model.experts
    alive: np.ndarray  # (L,) bool, False for deleted ones


class EditableKernels:
    """The kernels of one or more planes.

    A kernel keeps its row for good: deleted ones stay as dead rows, new ones come last. What is not edited keeps its
    exact values.

    Parameters
    ----------
    models : sequence of Model
        One for each plane.
    planes : sequence of tuple
        Where each plane lies along the axes before Y and X; empty for an image of one plane.
    errors : sequence of numpy.ndarray, optional
        For each plane (L,), how far image and model are apart at each kernel; NaN where unknown.
    """

    def __init__(
        self, models: Sequence[Model], planes: Sequence[tuple[int, ...]], errors: Sequence[np.ndarray] | None = None
    ) -> None:
        self._models = list(models)
        self.planes = list(planes)
        self.errors = [np.full(m.n_kernels, np.nan) for m in models] if errors is None else list(errors)
        self._states = [_State(m.geometry.numpy(), m.experts.numpy(), np.ones(m.n_kernels, bool)) for m in self._models]
        self.drawn: list[np.ndarray] = [self.rows(plane) for plane in range(len(self._models))]
        """Rows that the layer shows, for each plane."""
        self._undo: list[list[_State]] = []
        self._redo: list[list[_State]] = []

    def __len__(self) -> int:
        return len(self._models)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether an edit was taken back."""
        return bool(self._redo)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._models[0].channels

    def count(self, plane: int) -> int:
        """Kernels that a plane has now."""
        return int(self._states[plane].alive.sum())

    def rows(self, plane: int) -> np.ndarray:
        """Rows of the kernels that a plane has now."""
        rows: np.ndarray = np.flatnonzero(self._states[plane].alive)
        return rows

    def model(self, plane: int, trial: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None) -> Model:
        """The model of a plane as it is now, or as it would be after ``place(plane, *trial)``."""
        import torch

        from ..model.model import Model

        state, base = self._states[plane], self._models[plane]
        geometry = state.geometry if trial is None else _placed(state.geometry, *trial)
        return Model(
            torch.tensor(geometry[state.alive]), torch.tensor(state.experts[state.alive]), base.shape,
            base.layout, mode=base.mode, linear=base.linear, confidence=base.confidence,
            metadata=base.metadata | ({"edited": True} if self._undo else {}),
        )  # fmt: skip

    def kernels(self, plane: int) -> Kernels:
        """All rows of a plane in user terms, dead ones included."""
        state, base = self._states[plane], self._models[plane]
        experts, span = state.experts.astype(np.float64), base.layout.span
        slope = None
        if base.linear:
            slope = experts[:, base.channels :].reshape(-1, 2, base.channels).swapaxes(1, 2) * span
        value = experts[:, : base.channels] * span + base.layout.low
        return Kernels.from_geometry(state.geometry, value, slope)

    def colours(self, plane: int) -> np.ndarray:
        """RGB of each row, (L, 3) in [0, 1]: three or more channels as they are, else grey."""
        experts = np.clip(self._states[plane].experts[:, : self.channels], 0, 1)
        if experts.shape[1] >= 3:
            return experts[:, :3]
        return np.repeat(experts.mean(1, keepdims=True), 3, 1)

    # ------------------------------------------------------------------ edits

    def place(self, plane: int, rows: np.ndarray, center: np.ndarray, covariance: np.ndarray) -> None:
        """Give kernels another centre and shape.

        Parameters
        ----------
        plane : int
            Number of the plane.
        rows : numpy.ndarray
            (n,) which kernels.
        center : numpy.ndarray
            (n, 2), (y, x) in pixels.
        covariance : numpy.ndarray
            (n, 2, 2), rows and columns (y, x), px^2, positive definite.
        """
        self._edit(plane, geometry=_placed(self._states[plane].geometry, rows, center, covariance))

    def recolour(self, plane: int, rows: np.ndarray, expert: Sequence[float] | np.ndarray) -> None:
        """Give kernels another expert, in the units of the image, one value for each channel."""
        layout = self._models[plane].layout
        experts = self._states[plane].experts.copy()
        experts[rows, : self.channels] = (np.asarray(expert, float) - layout.low) / layout.span
        self._edit(plane, experts=experts)

    def expert_of_colour(self, plane: int, colour: Sequence[float]) -> np.ndarray:
        """The expert that `colours` shows as this RGB."""
        layout = self._models[plane].layout
        rgb = np.asarray(colour, float)[:3]
        values = np.full(self.channels, rgb.mean())
        if self.channels >= 3:
            values[:3] = rgb
        return values * layout.span + layout.low

    def delete(self, plane: int, rows: np.ndarray) -> None:
        """Remove kernels. Raises ValueError if none were left."""
        alive = self._states[plane].alive.copy()
        alive[rows] = False
        if not alive.any():
            raise ValueError("A model needs at least one kernel; the last ones were not deleted.")
        self._edit(plane, alive=alive)

    def add(self, plane: int, center: np.ndarray, covariance: np.ndarray, colour: Sequence[float]) -> np.ndarray:
        """Add kernels of median weight; arguments as for `place` and `expert_of_colour`. Returns their rows."""
        state, layout = self._states[plane], self._models[plane].layout
        count, before = len(center), len(state.geometry)
        logit = np.median(state.geometry[state.alive, 5])
        fresh = np.column_stack([_steering(center, covariance), np.full(count, logit)]).astype(np.float32)
        expert = np.zeros(state.experts.shape[1], np.float32)  # the slopes of a linear one stay 0
        expert[: self.channels] = (self.expert_of_colour(plane, colour) - layout.low) / layout.span
        self.errors[plane] = np.concatenate([self.errors[plane][:before], np.full(count, np.nan)])
        self._edit(
            plane,
            geometry=np.concatenate([state.geometry, fresh]),
            experts=np.concatenate([state.experts, np.repeat(expert[None], count, 0)]),
            alive=np.concatenate([state.alive, np.ones(count, bool)]),
        )
        return np.arange(before, before + count)

    def undo(self) -> bool:
        """Take the last edit back; False if there is none."""
        return self._swap(self._undo, self._redo)

    def redo(self) -> bool:
        """Do again what was taken back last; False if there is nothing."""
        return self._swap(self._redo, self._undo)

    def _edit(self, plane: int, **fields: np.ndarray) -> None:
        self._undo = [*self._undo[-MOST_STEPS_BACK + 1 :], list(self._states)]
        self._redo = []
        self._states[plane] = replace(self._states[plane], **fields)

    def _swap(self, source: list[list[_State]], target: list[list[_State]]) -> bool:
        if not source:
            return False
        target.append(list(self._states))
        self._states = source.pop()
        return True


def _placed(geometry: np.ndarray, rows: np.ndarray, center: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """A copy of (L, 6) geometry in which some rows lie elsewhere."""
    changed = geometry.copy()
    changed[rows, :5] = _steering(center, covariance)
    return changed


def _steering(center: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Columns (y, x, r11, r12, r22) of the engine, (n, 5); see `Kernels.geometry`."""
    c_yy, c_xy, c_xx = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    determinant = c_xx * c_yy - c_xy**2
    r11 = np.sqrt(c_yy / determinant)
    return np.column_stack([center, r11, -c_xy / determinant / r11, 1 / np.sqrt(c_yy)])
