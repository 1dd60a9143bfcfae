"""Typed wrappers of the operators of mixtures, with autograd, and fake kernels of all.

Every function takes a mixture as two tensors:

* geometry, (L, 6) float32: rows (y, x, r11, r12, r22, logit). The whitened coordinates of a pixel are
  ``u = r11 dx + r12 dy`` and ``v = r22 dy`` with (dy, dx) = pixel - centre, and ``s = logit - (u^2 + v^2) / 2``.
* experts, float32: (L, C), the colour of each kernel; or, with ``linear=True``, (L, 3 C), for each kernel C colours
  at its centre, then their slopes along y, then along x, per pixel.

`render` and `fit_steps` also take M mixtures of the same L, C and raster at once: every tensor of theirs, results too,
then has a first dimension M. On CUDA one launch serves them all. The results are those of each alone, to the bit.

A kernel that cannot be drawn counts as absent: one with a number that is NaN or infinite, or beyond the bounds of
`napari_rsmoe.engine.bounds`. It changes no pixel and has the gradient 0; a warning says which one. Where no kernel is
left, the image is 0. `Model` refuses such kernels; operators do not, so that one kernel cannot end a training.

``wait=False`` is for loops on CUDA, and changes nothing on the CPU: the host then does not wait at the end of the call
to learn whether the memory set aside for lists had room. What had none is NaN, and the same call with ``wait=True``
makes room, also for calls to come.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import torch

from .array_operators import FAKES
from .bounds import undrawable
from .library import ops as ops  # re-exported: tests put other libraries in its place
from .limits import Limits

DEFAULT_TAU = 9.0
"""Culling margin in nats: a gate weight below exp(-9) = 1.2e-4 of the largest may be left out."""


def render(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    height: int,
    width: int,
    *,
    tau: float = DEFAULT_TAU,
    normalised: bool = True,
    confidence: float = 0.0,
    linear: bool = False,
    wait: bool = True,
) -> torch.Tensor:
    """Draw a mixture on the raster of pixel centres 0..height-1 by 0..width-1. Differentiable.

    Parameters
    ----------
    geometry, experts : torch.Tensor
        The mixture, (L, 6) and (L, C) or (L, 3 C), float32, contiguous, L >= 1, C >= 1, r11 and r22 positive.
    height, width : int
        Size of the raster in pixels.
    tau : float
        Culling margin in nats, positive. The dropped gates of a pixel are each below exp(-tau) of the largest one;
        ``math.inf`` keeps every kernel at every pixel (the global mixture).
    normalised : bool
        True: SMoE, gates are a softmax (paper eq. 3 and 4). False: RBF, the plain sum of exp(s) times the expert
        (eq. 1), which is GaussianImage's model; kernels whose exp(s) is below exp(-tau) are dropped.
    confidence : float
        0: gate culling. Positive: the paper's selection, the square around the ellipse ``|z| <= confidence`` picks the
        tiles; tiles without any keep their best kernel.
    linear : bool
        Whether experts are affine in position.
    wait : bool
        See above.

    Returns
    -------
    torch.Tensor
        (C, height, width) float32. Gradients reach geometry and experts (first order).

    Raises
    ------
    RuntimeError
        If shapes, types or values do not fit.

    Warns
    -----
    RuntimeWarning
        If a kernel is out of bounds, with its number; not without `wait` on CUDA.
    """
    _warn_of_absent(geometry, experts, wait)
    image: torch.Tensor = ops.render(geometry, experts, height, width, tau, normalised, confidence, linear, wait)
    return image


def gate_sums(
    geometry: torch.Tensor,
    maps: torch.Tensor,
    *,
    tau: float = DEFAULT_TAU,
    normalised: bool = True,
    confidence: float = 0.0,
    wait: bool = True,
) -> torch.Tensor:
    """Sum maps over the image, weighted by each kernel's gate.

    Parameters
    ----------
    maps : torch.Tensor
        (K, height, width) float32, contiguous; a map of ones gives the pixels M_j that a kernel gathers (paper eq. 8).

    Returns
    -------
    torch.Tensor
        (L, K) float32.
    """
    _warn_of_absent(geometry, None, wait)
    # An image's gradient by an expert is the sum of the upstream gradient times that kernel's gate.
    experts = maps.new_zeros(len(geometry), len(maps))
    sums: torch.Tensor = ops.render_backward(maps, geometry, experts, tau, normalised, confidence, False, wait)[1]
    return sums


def tile_lists(
    geometry: torch.Tensor,
    height: int,
    width: int,
    *,
    tau: float = DEFAULT_TAU,
    normalised: bool = True,
    confidence: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """List the kernels that matter to each 16x16 tile, tiles in row-major order.

    Returns
    -------
    start : torch.Tensor
        (tiles + 1,) int64; tile t's kernels are ``ids[start[t]:start[t + 1]]``.
    ids : torch.Tensor
        (pairs,) int32, ascending within a tile.
    """
    _warn_of_absent(geometry, None, wait=True)
    start, ids = ops.tile_lists(geometry, height, width, tau, normalised, confidence)
    return start, ids


def fit_steps(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    state: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    rates: torch.Tensor,
    height: int,
    width: int,
    *,
    block: int = 1,
    first_step: int,
    tau: float,
    normalised: bool,
    confidence: float,
    linear: bool = False,
    whitened: bool,
    list_interval: int,
    list_margin: float,
    betas: tuple[float, float],
    limits: Limits,
    wait: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run fused Adam steps on the weighted squared error; geometry, experts and state are updated in place.

    Parameters
    ----------
    state : torch.Tensor
        (2, 6 + columns of experts, L) float32, Adam's moments; zeros at the start.
    target : torch.Tensor
        (tiles, C, 256) float32, the image in tiles (`napari_rsmoe.fitting.tensors.to_tiles`).
    weight : torch.Tensor or None
        (tiles, 256) float32, non-negative weights of the pixels.
    rates : torch.Tensor
        (steps, 4) float32 on the CPU: learning rates of position, steering, logit and expert for each step.
    block : int
        Side in pixels of the squares whose means are compared with the target; 1 compares pixels. It divides 16,
        height and width.
    first_step : int
        Steps already taken with this state.
    whitened : bool
        True: Adam works in each kernel's own whitened frame. False: on y, x, r11, r12, r22 and logit.
    list_interval, list_margin : int, float
        Lists are rebuilt every so many steps, with tau enlarged by the margin.
    betas : tuple of float
        Adam's decay rates.
    limits : Limits
        Bounds that every kernel is kept within.
    wait : bool
        See above.

    Returns
    -------
    losses : torch.Tensor
        (steps,) float32, the weighted sum of squared errors before each step.
    seconds : torch.Tensor
        (3,) float32 on the CPU, time spent on tile lists, on tiles (forward and backward) and on the optimiser;
        zeros on CUDA, where measuring it would take waiting.

    Warns
    -----
    RuntimeWarning
        If a kernel is out of bounds before the first step, with its number; not without `wait` on CUDA. It is absent
        until `limits` bring it back.
    """
    _warn_of_absent(geometry, experts, wait, consequence="is left out until the limits of the fit bring it back")
    losses, seconds = ops.fit_steps(
        geometry, experts, state, target, weight, block, rates, height, width, first_step, tau, normalised, confidence,
        linear, whitened, list_interval, list_margin, *betas, limits.values(), wait,
    )  # fmt: skip
    return losses, seconds


def simd_level() -> str:
    """Name the instruction set in use: "base", "avx2" or "avx512"; the variable RSMOE_SIMD overrides it."""
    return str(ops.simd_level())


def _warn_of_absent(
    geometry: torch.Tensor, experts: torch.Tensor | None, wait: bool, *, consequence: str = "is left out"
) -> None:
    """Warn of kernels out of bounds."""
    has_values = type(geometry) in (torch.Tensor, torch.nn.Parameter) and not geometry.is_meta
    if not has_values or not (wait or geometry.device.type == "cpu"):
        return  # There are no values to look at, or not yet.
    if geometry.dtype != torch.float32 or (experts is not None and experts.dtype != torch.float32):
        return  # The operator says what is wrong.
    if geometry.shape[-1:] != (6,) or (experts is not None and experts.shape[:-1] != geometry.shape[:-1]):
        return
    if reason := undrawable(geometry, experts):
        warnings.warn(f"A kernel {consequence}: {reason}.", RuntimeWarning, stacklevel=3)


def _fake_render(
    geometry: torch.Tensor, experts: torch.Tensor, height: int, width: int, tau: float, normalised: bool,
    confidence: float, linear: bool, wait: bool = True,
) -> torch.Tensor:  # fmt: skip
    return experts.new_empty((*experts.shape[:-2], experts.shape[-1] // (3 if linear else 1), height, width))


def _fake_render_backward(
    grad: torch.Tensor, geometry: torch.Tensor, experts: torch.Tensor, *_: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(geometry), torch.empty_like(experts)


def _fake_tile_lists(geometry: torch.Tensor, height: int, width: int, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    tiles = -(-height // 16) * -(-width // 16)
    pairs = torch.library.get_ctx().new_dynamic_size()
    return geometry.new_empty(tiles + 1, dtype=torch.int64), geometry.new_empty(pairs, dtype=torch.int32)


def _fake_fit_steps(
    geometry: torch.Tensor,
    experts: torch.Tensor,
    state: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    block: int,
    rates: torch.Tensor,
    *_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    return geometry.new_empty((*geometry.shape[:-2], rates.shape[0])), torch.empty(3, dtype=torch.float32, device="cpu")


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    geometry, experts, _, _, *ctx.options = inputs
    ctx.save_for_backward(geometry, experts)


def register(namespace: str) -> None:
    """Give the operators of a library autograd and fake kernels. Tests have further libraries than "rsmoe"."""
    own = getattr(torch.ops, namespace)

    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        geometry, experts = ctx.saved_tensors
        return *own.render_backward(grad.contiguous(), geometry, experts, *ctx.options), *[None] * 7

    def no_second_derivative(ctx: Any, *grads: torch.Tensor) -> NoReturn:
        raise RuntimeError(
            "render can be differentiated once only: the gradient of an image by its kernels has no derivative. "
            "Without create_graph=True, or with napari_rsmoe.engine.reference.render (float64, every kernel at every "
            "pixel), it works."
        )

    fakes: dict[str, Callable[..., Any]] = {
        "render": _fake_render,
        "render_backward": _fake_render_backward,
        "tile_lists": _fake_tile_lists,
        "fit_steps": _fake_fit_steps,
    }
    for name, fake in (fakes | FAKES).items():
        torch.library.register_fake(f"{namespace}::{name}", fake)
    torch.library.register_autograd(f"{namespace}::render", backward, setup_context=_setup_context)
    torch.library.register_autograd(f"{namespace}::render_backward", no_second_derivative)


register("rsmoe")
