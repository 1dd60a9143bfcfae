"""Load the compiled libraries, which register the operators with torch."""

from __future__ import annotations

import ctypes
from pathlib import Path

from ..errors import EngineError
from ..preload import importing_torch

with importing_torch():
    import torch

try:
    from .. import _C
except ImportError as error:
    raise EngineError(
        f"The compiled engine of napari-rsmoe could not be loaded: {error}. It needs torch 2.10 or newer (this is "
        f"{torch.__version__}); reinstall with `pip install --force-reinstall --no-deps napari-rsmoe`."
    ) from error

ops = torch.ops.rsmoe


def load_cuda(library: Path) -> str:
    """Load the CUDA engine, if this torch can use one.

    Parameters
    ----------
    library : Path
        The shared library.

    Returns
    -------
    str
        Empty if the operators are registered, else the reason. Nothing is raised, because the CPU can be used instead.
    """
    if torch.version.cuda is None:
        return "this torch is a build for the CPU"
    if not library.is_file():
        return "this build of napari-rsmoe has no CUDA part, as there was no nvcc"
    try:
        register = ctypes.CDLL(str(library)).rsmoe_register_cuda_operators
        register.restype = ctypes.c_char_p
        error = register()
    except (OSError, AttributeError) as failure:
        return f"{library.name} does not fit torch {torch.__version__}: {failure}"
    return "" if error is None else error.decode(errors="replace")


WHY_NO_CUDA = load_cuda(Path(getattr(_C, "__file__", "")).with_name("librsmoe_cuda.so"))
"""The reason why the operators are not registered for CUDA; empty if they are."""
