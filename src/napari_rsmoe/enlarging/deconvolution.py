"""Models whose blurred drawing is the image: kernels are fitted through the point spread function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from .. import engine
from ..arrays import Floats
from ..fitting.fitter import Fitter
from ..fitting.settings import PRESETS
from ..fitting.starts.methods import make_start
from ..fitting.target import FitTarget
from ..image.format import ImageFormat
from ..model.model import Model

PIXELS_PER_KERNEL = 6
"""Pixels for each kernel of a model. With fewer it follows what is left of the noise, with more it loses detail."""
SHARP_START = 60
"""Iterations of Richardson and Lucy's method that make the start of half of the models."""
STEPS = {"blurred": 160, "sharp": 40}
"""Steps through the blur of models that begin with the image, and with its first deconvolution."""
FIRST_STEPS = 40
"""Steps of the latter towards their start before that. In the former case there are none."""
RELOCATION = 20
"""Steps between relocations of idle kernels."""
RELOCATED = 0.6
"""Fraction of the steps during which kernels are relocated."""
POWER = 1.5
"""Exponent of the correction that a target makes. Above 2 it diverges, below 1 it takes more steps."""
EXPERT_RATE = 0.02
"""Learning rate of the experts."""
DARK = 1e-4
"""Smallest light, as a fraction of the range, by which is divided."""
EACH = 2
"""Steps of the optimiser for each target."""


@dataclass(frozen=True)
class Blur:
    """A convolution of planes that are continued beyond their border by `margin` mirrored pixels.

    Attributes
    ----------
    transfer : ndarray of complex
        Transform of the point spread function.
    shape : (int, int)
        Pixels with the margin.
    margin : int
        Pixels on each side.
    width : float
        Standard deviation in pixels of the Gaussian with the same sum of squares as the point spread function.
    """

    transfer: NDArray[np.complexfloating]
    shape: tuple[int, int]
    margin: int
    width: float

    @classmethod
    def of(cls, psf: NDArray[np.float64], shape: tuple[int, int]) -> Blur:
        """The convolution of planes of this shape with a point spread function (odd, odd)."""
        margin = min(max(psf.shape) // 2 + 4, min(shape))
        height, width = (length + 2 * margin for length in shape)
        padded = np.zeros((height, width))
        rows, columns = (
            np.mod(np.arange(side) - side // 2, length) for side, length in zip(psf.shape, (height, width), strict=True)
        )
        np.add.at(padded, np.ix_(rows, columns), psf)
        sigma = math.sqrt(1 / (4 * math.pi * float(np.square(psf).sum())))
        return cls(rfft2(padded), (height, width), margin, sigma)

    def __call__(self, plane: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convolve a plane with margin."""
        return np.asarray(irfft2(self.transfer * rfft2(plane), self.shape))

    def back(self, plane: NDArray[np.floating]) -> NDArray[np.float64]:
        """Apply the adjoint."""
        return np.asarray(irfft2(np.conj(self.transfer) * rfft2(plane), self.shape))

    def padded(self, plane: NDArray[np.floating]) -> NDArray[np.float64]:
        """A plane with its margin."""
        return np.pad(plane.astype(np.float64), self.margin, mode="symmetric")

    def inner(self, plane: NDArray[np.floating]) -> NDArray[np.floating]:
        """A plane without its margin."""
        m = self.margin
        return plane[m:-m, m:-m]


def corrected(light: NDArray[np.float64], observed: NDArray[np.float64], blur: Blur) -> NDArray[np.float64]:
    """The factors of one iteration of Richardson [1]_ and Lucy [2]_, which raise the likelihood of photon counts.

    References
    ----------
    .. [1] W. H. Richardson. Bayesian-based iterative method of image restoration. Journal of the Optical Society of
       America 62, 1972. :doi:`10.1364/JOSA.62.000055`
    .. [2] L. B. Lucy. An iterative technique for the rectification of observed distributions. Astronomical Journal 79,
       1974. :doi:`10.1086/111605`
    """
    expected = np.maximum(blur(light), 0.1 * DARK)
    return np.maximum(blur.back(observed / expected), 0.0)


def richardson_lucy(observed: NDArray[np.float64], blur: Blur, iterations: int) -> NDArray[np.float64]:
    """Deconvolve a positive plane with margin, beginning with its mean."""
    light = np.full_like(observed, observed.mean())
    for _ in range(iterations):
        engine.pause()
        light = np.maximum(light * corrected(light, observed, blur), 0.01 * DARK)
    return light


Deconvolved = tuple[Floats, torch.Tensor, torch.Tensor]
"""The drawing of a model with margin, and its kernels."""


def deconvolved(
    observed: NDArray[np.float64],
    start: NDArray[np.float64],
    blur: Blur,
    kind: str,
    seed: int,
    report: Callable[[float], bool],
) -> Deconvolved:
    """Fit one model so that its blurred drawing is the observed plane.

    The gradient of the likelihood by the drawing, taken through the blur, is handed to the fit as a target for the
    drawing itself, renewed every few steps.

    Parameters
    ----------
    observed : ndarray of float64
        The plane with margin: light above 0, about [0, 1].
    start : ndarray of float64
        The plane that the kernels begin with, of the same shape.
    blur : Blur
        The convolution.
    kind : {"blurred", "sharp"}
        What the start is; see `STEPS`.
    seed : int
        Seed of the start.
    report : callable
        Called with the fraction that is done; where it returns True, the fit ends.

    Returns
    -------
    drawn : ndarray of float32
        The drawing, with margin.
    geometry, experts : torch.Tensor
        The kernels, in pixels with margin.
    """
    first = FIRST_STEPS if kind == "sharp" else 0
    total = first + STEPS[kind]
    settings = replace(PRESETS["upscale"], oversample=1, iterations=total, rate_expert=EXPERT_RATE)
    rng = np.random.default_rng(seed)
    pixels = np.ascontiguousarray(start[..., None], np.float32)
    kernels = max(1, start.size // PIXELS_PER_KERNEL)
    fitter = Fitter(pixels, make_start(settings.start, pixels, kernels, rng), settings, rng=rng)
    while fitter.step < first:
        fitter.chunk(total - fitter.step)
    cpu = torch.device("cpu")

    def draw() -> Floats:
        drawn: Floats = engine.render(fitter.geometry, fitter.experts, *blur.shape, tau=settings.tau)[0].numpy()
        return drawn

    while fitter.step < total and not report(fitter.step / total):
        engine.pause()
        light = np.maximum(draw().astype(np.float64), DARK)
        target = light * corrected(light, observed, blur) ** POWER
        fitter.target = FitTarget.of(np.ascontiguousarray(target[..., None], np.float32), None, 1, cpu)
        done = fitter.step - first
        if done and done % RELOCATION == 0 and done < RELOCATED * STEPS[kind]:
            fitter.relocate()
        fitter.advance(EACH, total - fitter.step)
    return draw(), fitter.geometry, fitter.experts


def as_model(
    geometry: torch.Tensor, experts: torch.Tensor, blur: Blur, shape: tuple[int, int], layout: ImageFormat
) -> Model:
    """Kernels in pixels with margin as a model of the image."""
    moved = geometry.clone()
    moved[:, :2] -= blur.margin
    return Model(moved, experts.clone(), shape, layout, mode="smoe")
