"""What a pixel of a model is made of: the kernels that are mixed there, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..editing import EditableKernels

NEGLIGIBLE = 0.01
"""Share of a pixel below which a kernel is not named."""
MOST_NAMED = 3
"""Kernels that are named at most; more would not be read while the mouse moves."""


@dataclass(frozen=True)
class Mixture:
    """The kernels of one pixel, the strongest first.

    Attributes
    ----------
    rows : numpy.ndarray
        (n,) rows of the kernels.
    share : numpy.ndarray
        (n,) in an SMoE the gates, which add up to 1; in a sum of Gaussians the height of each, relative to its centre.
    value : numpy.ndarray
        (n, C) what each kernel says about the pixel, in units of the image.
    summed : bool
        Whether the model is a sum of Gaussians.
    """

    rows: np.ndarray
    share: np.ndarray
    value: np.ndarray
    summed: bool

    @property
    def result(self) -> np.ndarray:
        """(C,) the value of the pixel; of a sum of Gaussians, above the lowest value of the image."""
        total: np.ndarray = self.share @ self.value
        return total


def mixture_at(table: EditableKernels, plane: int, y: float, x: float) -> Mixture:
    """The kernels that are mixed at a place of a plane, in pixels.

    The place counts as drawn from all kernels; the engine leaves out those whose gates are below a thousandth.
    """
    rows, kernels = table.rows(plane), table.kernels(plane)
    offset = np.array([y, x]) - kernels.center[rows]
    # Distance in standard deviations, along the axes of each kernel.
    along = np.stack([np.sin(kernels.angle[rows]), np.cos(kernels.angle[rows])], 1)  # Direction of the long axis.
    long = (offset * along).sum(1) / kernels.axes[rows, 0]
    short = (offset[:, 0] * along[:, 1] - offset[:, 1] * along[:, 0]) / kernels.axes[rows, 1]
    exponent = np.log(kernels.weight[rows]) - (long**2 + short**2) / 2
    summed = table.summed(plane)
    share = np.exp(exponent if summed else exponent - exponent.max())
    share = share if summed else share / share.sum()
    value = kernels.expert[rows]
    if kernels.slope is not None:
        value = value + np.einsum("lca,la->lc", kernels.slope[rows], offset)
    order = np.argsort(-share * (np.abs(value).max(1) if summed else 1.0), kind="stable")
    return Mixture(rows[order], share[order], value[order], summed)


def explained(table: EditableKernels, plane: int, y: float, x: float, pixel: tuple[float, str]) -> str:
    """A pixel of a model in words.

    Parameters
    ----------
    table : EditableKernels
        The kernels.
    plane : int
        Number of the plane.
    y, x : float
        The place in pixels.
    pixel : (float, str)
        Size of a pixel and its unit; "px" if it has none.
    """
    mixture, kernels = mixture_at(table, plane, y, x), table.kernels(plane)
    counted = mixture.share > NEGLIGIBLE
    lines = []
    if mixture.summed:
        lines.append(f"y {y:.0f}, x {x:.0f}: a sum of {counted.sum()} Gaussians, {_numbers(mixture.result)}")
    else:
        lines.append(f"y {y:.0f}, x {x:.0f}: value {_numbers(mixture.result)}, a mean of {counted.sum()} kernels")
    for row, share, value in list(zip(mixture.rows, mixture.share, mixture.value, strict=True))[:MOST_NAMED]:
        if share <= NEGLIGIBLE:
            break
        counts = f"{_numbers(share * value)} of" if mixture.summed else f"{share:.0%}"
        shape = f"{_size(kernels.axes[row], pixel)}, {np.degrees(kernels.angle[row]):.0f}°".replace(" ", "\u00a0")
        lines.append(f"{counts} kernel {row}: value {_numbers(value)}, {shape}")
    if counted.sum() > MOST_NAMED:
        lines.append(f"and {counted.sum() - MOST_NAMED} weaker")
    return "\n".join(lines)


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _size(axes: np.ndarray, pixel: tuple[float, str]) -> str:
    size, unit = pixel
    return f"{axes[0] * size:.3g} x {axes[1] * size:.3g} {unit}"
