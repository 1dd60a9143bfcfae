"""The compiled engine: torch operators `torch.ops.rsmoe.*` with typed wrappers, autograd and fake kernels."""

from .attention import attended, pause
from .devices import require_on, resolve_device, run_on
from .operators import (
    DEFAULT_TAU,
    PATCH_SIDE,
    filter_patches,
    fit_steps,
    gate_sums,
    render,
    segment,
    simd_level,
    tile_lists,
)

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
    "tile_lists",
]
