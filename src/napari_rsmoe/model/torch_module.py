"""The mixture as a torch module, to be fitted with any loss."""

from __future__ import annotations

import torch

from .. import engine
from .model import Model


class Mixture(torch.nn.Module):
    """A model whose kernels are parameters, drawn differentiably.

    Use it where `napari_rsmoe.fit`, which compares a model with an image pixel by pixel, is not enough: behind a
    blur, a projection or any other operation that torch can differentiate.

    Parameters
    ----------
    model : Model
        Where to start; a copy is taken. Everything but the kernels stays as it is there.

    Attributes
    ----------
    position : torch.nn.Parameter
        (L, 2) how far each centre has moved, in the whitened coordinates of the kernel it began as.
    steering : torch.nn.Parameter
        (L, 3) logarithms of the growth of r11 and r22, and the shear between them.
    logit : torch.nn.Parameter
        (L,) logarithms of the weights pi.
    experts : torch.nn.Parameter
        (L, C), or (L, 3 C) of linear experts, in units of the image's range.

    Notes
    -----
    The parameters of a kernel are counted in its own size, so one learning rate serves small and large kernels; 0.01 to
    0.05 of Adam is a good one. Scales stay positive whatever the optimiser does.

    References
    ----------
    Y.-H. Li, T. Sikora, S. Knorr, M. Sjöström. Rasterized Steered Mixture of Experts for Efficient 2D Image
    Regression, 2025. :doi:`10.48550/arXiv.2510.05814`

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from napari_rsmoe import Mixture, fit
    >>> image = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    >>> mixture = Mixture(fit(image, 8, iterations=20))
    >>> optimiser = torch.optim.Adam(mixture.parameters(), 0.02)
    >>> blurred = torch.nn.functional.avg_pool2d(mixture(), 4)  # what the camera would see
    >>> (blurred - 0.5).square().mean().backward()
    >>> optimiser.step()
    """

    geometry: torch.Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        kernels = model.n_kernels
        self.register_buffer("geometry", model.geometry.clone())
        self.position = torch.nn.Parameter(model.geometry.new_zeros(kernels, 2))
        self.steering = torch.nn.Parameter(model.geometry.new_zeros(kernels, 3))
        self.logit = torch.nn.Parameter(model.geometry[:, 5].clone())
        self.experts = torch.nn.Parameter(model.experts.clone())

    def current(self) -> torch.Tensor:
        """Geometry as the engine takes it, (L, 6) rows (y, x, r11, r12, r22, logit), differentiable."""
        y, x, r11, r12, r22, _ = self.geometry.unbind(1)
        u, v = self.position.unbind(1)
        grow_u, shear, grow_v = self.steering.unbind(1)
        dy = v / r22
        columns = (
            y + dy,
            x + (u - r12 * dy) / r11,
            r11 * grow_u.exp(),
            r12 * grow_u.exp() + r22 * shear,
            r22 * grow_v.exp(),
            self.logit,
        )
        return torch.stack(columns, 1)

    def forward(self) -> torch.Tensor:
        """Draw the mixture: (C, H, W) float32 in units of the image, not clipped."""
        layout = self._model.layout
        drawn = engine.render(
            self.current(),
            self.experts,
            *self._model.shape,
            normalised=self._model.mode == "smoe",
            confidence=self._model.confidence,
            linear=self._model.linear,
        )
        if layout.compressed:
            beyond = torch.relu((drawn - 0.5).abs() - 0.5)
            drawn = drawn + torch.sign(drawn - 0.5) * (beyond.expm1() - beyond)
        return drawn * layout.span + layout.low

    def model(self) -> Model:
        """The kernels as they are now, as a `Model` to draw at any size, edit and save."""
        return self._model.with_tensors(self.current(), self.experts)
