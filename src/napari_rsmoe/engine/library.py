"""Loads the compiled library, which registers the operators with torch."""

from __future__ import annotations

import torch

from ..errors import EngineError

try:
    from .. import _C  # noqa: F401
except ImportError as error:
    raise EngineError(
        f"The compiled engine of napari-rsmoe could not be loaded: {error}. It needs torch 2.10 or newer (this is "
        f"{torch.__version__}); reinstall with `pip install --force-reinstall --no-deps napari-rsmoe`."
    ) from error

ops = torch.ops.rsmoe
