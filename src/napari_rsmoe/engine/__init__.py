"""The compiled engine: torch operators `torch.ops.rsmoe.*` with typed wrappers, autograd and fake kernels.

>>> import torch
>>> from napari_rsmoe import engine
>>> kernel = torch.tensor([[8.0, 8.0, 0.5, 0.0, 0.5, 0.0]])  # y, x, r11, r12, r22 and logit
>>> colour = torch.tensor([[0.25]], requires_grad=True)
>>> image = engine.render(kernel, colour, 16, 24)
>>> tuple(image.shape), float(image.detach().max())
((1, 16, 24), 0.25)
>>> image.sum().backward()
>>> float(colour.grad)  # One kernel alone has the gate 1 at each of the 16 x 24 pixels.
384.0
"""

from ..progress import pause
from .array_operators import PATCH_SIDE, filter_patches, segment, smooth
from .attention import attended
from .devices import require_on, resolve_device, run_on
from .operators import DEFAULT_TAU, fit_steps, gate_sums, render, simd_level, tile_lists

__all__ = [
    "DEFAULT_TAU",
    "PATCH_SIDE",
    "attended",
    "filter_patches",
    "fit_steps",
    "gate_sums",
    "pause",
    "render",
    "require_on",
    "resolve_device",
    "run_on",
    "segment",
    "simd_level",
    "smooth",
    "tile_lists",
]
