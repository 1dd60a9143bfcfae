"""A plain torch version of the mixture, for tests and for points off the raster.

It has no tiles and no culling, accepts any floating type, and is differentiable to any order. Memory grows with
points times kernels.
"""

from __future__ import annotations

import torch


def exponents(geometry: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Log of pi_j K_j(x): ``logit - |R (x - mu)|^2 / 2`` (paper eq. 2 and 4).

    Parameters
    ----------
    geometry : torch.Tensor
        (L, 6) rows (y, x, r11, r12, r22, logit).
    points : torch.Tensor
        (N, 2) positions (y, x) in pixels, of the same type.

    Returns
    -------
    torch.Tensor
        (N, L).
    """
    y, x, r11, r12, r22, logit = geometry.unbind(1)
    dy, dx = points[:, :1] - y, points[:, 1:] - x
    u, v = r11 * dx + r12 * dy, r22 * dy
    return logit - (u**2 + v**2) / 2


def gates(geometry: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Soft gates w_j(x), (N, L), rows sum to 1 (paper eq. 4)."""
    return torch.softmax(exponents(geometry, points), dim=1)


def evaluate(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    points: torch.Tensor,
    *,
    normalised: bool = True,
    linear: bool = False,
) -> torch.Tensor:
    """Values y(x) at points, (N, C): SMoE (paper eq. 3) or, not normalised, RBF (eq. 1).

    Experts are (L, C); or, linear, (L, 3 C): colours at the kernel's centre, slopes along y, slopes along x.
    """
    weights = gates(geometry, points) if normalised else exponents(geometry, points).exp()
    if not linear:
        return weights @ experts
    value, slope_y, slope_x = experts.chunk(3, dim=1)
    dy, dx = points[:, :1] - geometry[:, 0], points[:, 1:] - geometry[:, 1]
    return weights @ value + (weights * dy) @ slope_y + (weights * dx) @ slope_x


def render(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    height: int,
    width: int,
    *,
    normalised: bool = True,
    linear: bool = False,
) -> torch.Tensor:
    """The twin of `napari_rsmoe.engine.render`: (C, height, width), every kernel at every pixel."""
    rows, columns = (torch.arange(n, dtype=geometry.dtype, device=geometry.device) for n in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    points = torch.stack([y.ravel(), x.ravel()], dim=1)
    values = evaluate(geometry, experts, points, normalised=normalised, linear=linear)
    return values.T.reshape(-1, height, width)
