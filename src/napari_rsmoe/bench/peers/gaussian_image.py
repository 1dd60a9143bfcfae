"""GaussianImage (Zhang et al., ECCV 2024), the rasterized RBF, with the settings of its authors' release.

A pixel is the sum of Gaussians times their colours (no gates), clipped to [0, 1]. Covariances are L L^T, with the
Cholesky factor L as parameters; centres are the tanh of their parameters. Adan (Xie et al., 2022) minimises the mean
squared error with a learning rate of 1e-3 that halves every 20 000 steps, for 50 000 steps as published, or 10 000 as
in the R-SMoE paper. Kernels are initialised at random positions with random colours and standard deviations of 0.5 to
1.5 px. A tile evaluates the kernels whose square of 3 standard deviations meets it. The engine of this package renders
the kernels.

References
----------
X. Zhang et al., "GaussianImage: 1000 FPS image representation and compression by 2D Gaussian splatting", ECCV 2024,
arXiv:2403.08551.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from ... import engine
from ...image.format import ImageFormat
from ...model.model import Model
from ..protocol import unit
from .enlarger import Enlarge
from .fit_method import Trace

OWN_ITERATIONS = 50_000
"""Steps of the published experiments."""
RATE = 1e-3
HALF_LIFE = 20_000  # Steps after which the learning rate has halved.
BETAS = (0.98, 0.92, 0.99)
EPSILON = 1e-8
REACH = 3.0  # Standard deviations beyond which a kernel is not evaluated.
LEAST = 0.5  # Pixels added to the diagonal of the Cholesky factor.
THINNEST = 0.05  # Smallest standard deviation that is rendered, in pixels.
TRACE_EVERY = 50  # Steps between two points of the course of the fit.


@dataclass
class Splats:
    """Parameters of the kernels: inverse tanh of the centres (L, 2), Cholesky factors (L, 3), colours (L, C)."""

    centres: torch.Tensor
    factors: torch.Tensor
    colours: torch.Tensor

    @classmethod
    def random(cls, kernels: int, channels: int, seed: int) -> Splats:
        """The random initialisation."""
        rng = torch.Generator().manual_seed(seed)
        centres, factors, colours = (
            torch.rand(kernels, n, generator=rng, dtype=torch.float32, device="cpu") for n in (2, 3, channels)
        )
        centres = torch.atanh(2 * centres - 1).clamp(-8, 8)
        return cls(*(x.requires_grad_() for x in (centres, factors, colours)))

    def geometry(self, height: int, width: int) -> torch.Tensor:
        """The geometry of the engine, rows (y, x, r11, r12, r22, logit)."""
        x, y = ((self.centres.tanh() + 1) * self.centres.new_tensor([width, height]) / 2 - 0.5).unbind(1)
        return geometry_of(y, x, *(self.factors + self.factors.new_tensor([LEAST, 0, LEAST])).unbind(1))


def geometry_of(
    y: torch.Tensor, x: torch.Tensor, l11: torch.Tensor, l21: torch.Tensor, l22: torch.Tensor
) -> torch.Tensor:
    """The geometry of the engine for kernels of covariance L L^T over (x, y), L = [[l11, 0], [l21, l22]]."""
    # The engine needs an upper R with R^T R the inverse covariance: R = U^-1, where U is upper and U U^T the
    # covariance.
    u22 = (l21.square() + l22.square()).sqrt().clamp_min(THINNEST)
    u12 = l11 * l21 / u22
    u11 = ((l11 * l22).abs() / u22).clamp_min(THINNEST)
    return torch.stack([y, x, 1 / u11, -u12 / (u11 * u22), 1 / u22, torch.zeros_like(x)], 1)


class Adan:
    """Adaptive Nesterov momentum (Xie et al., arXiv:2208.06677), without weight decay."""

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self.parameters = parameters
        self.step_number = 0
        self.mean, self.change, self.square = ([torch.zeros_like(p) for p in parameters] for _ in range(3))
        self.before: list[torch.Tensor] | None = None

    @torch.no_grad()
    def step(self, gradients: tuple[torch.Tensor, ...], rate: float) -> None:
        """Apply one step to the parameters."""
        self.step_number += 1
        corrections = [1 - beta**self.step_number for beta in BETAS]
        for k, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            difference = gradient - self.before[k] if self.before is not None else torch.zeros_like(gradient)
            self.mean[k].lerp_(gradient, 1 - BETAS[0])
            self.change[k].lerp_(difference, 1 - BETAS[1])
            self.square[k].lerp_((gradient + BETAS[1] * difference).square(), 1 - BETAS[2])
            direction = self.mean[k] / corrections[0] + BETAS[1] * self.change[k] / corrections[1]
            parameter -= rate * direction / ((self.square[k] / corrections[2]).sqrt() + EPSILON)
        self.before = list(gradients)


def fit(image: np.ndarray, kernels: int, iterations: int | None, seed: int, trace: Trace | None = None) -> Model:
    """Fit an image (H, W) or (H, W, C); see the module docstring."""
    begin = time.process_time()
    pixels = unit(image).astype(np.float32)
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), -1, 0)))
    channels, height, width = planes.shape
    splats = Splats.random(kernels, channels, seed)
    parameters = [splats.centres, splats.factors, splats.colours]
    optimiser = Adan(parameters)
    for step in range(iterations or OWN_ITERATIONS):
        drawn = engine.render(
            splats.geometry(height, width), splats.colours, height, width, normalised=False, confidence=REACH
        )
        loss = (drawn.clamp(0, 1) - planes).square().mean()
        optimiser.step(torch.autograd.grad(loss, parameters), RATE * 0.5 ** (step // HALF_LIFE))
        if trace is not None and step % TRACE_EVERY == 0:
            trace.append((step, loss.item(), time.process_time() - begin))
    high = float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else 1.0
    layout = ImageFormat(image.dtype.str, None if image.ndim == 2 else 2, 0.0, high)
    with torch.no_grad():
        return Model(
            splats.geometry(height, width),
            splats.colours,
            (height, width),
            layout,
            mode="rbf",
            confidence=REACH,
            metadata={"peer": "GaussianImage", "steps": iterations, "seed": seed},
        )


def enlarge(iterations: int, kernels_per_pixel: float) -> Enlarge:
    """Enlarge by rendering a fit on a finer raster, with kernels shrunk by the sharpening factor."""

    def run(image: np.ndarray, scale: int, sharpen: float, seed: int) -> np.ndarray:
        model = fit(image, max(1, round(kernels_per_pixel * image.shape[0] * image.shape[1])), iterations, seed)
        return model.render(scale=scale, sharpen=sharpen, device="cpu")

    return run
