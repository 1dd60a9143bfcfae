"""Which device a job runs on."""

from __future__ import annotations

import torch

from ..errors import DeviceError

DEVICES = ("auto", "cpu", "cuda")


def has_cuda_engine() -> bool:
    """Whether this build registered the operators for CUDA."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key("rsmoe::render", "CUDA"))


def resolve_device(device: str) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device that can be used.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" takes CUDA where the engine and the machine have it, else the CPU.

    Raises
    ------
    DeviceError
        For an unknown name, and for "cuda" where it cannot be used.
    """
    if device not in DEVICES:
        raise DeviceError(f"device={device!r} is not known; use one of {', '.join(DEVICES)}.")
    if device == "cpu":
        return torch.device("cpu")
    usable = has_cuda_engine() and torch.cuda.is_available()
    if device == "cuda" and not usable:
        reason = "torch finds no CUDA device" if has_cuda_engine() else "this build of the engine has no CUDA part"
        raise DeviceError(
            f"device='cuda' cannot be used: {reason}. Use device='cpu' or 'auto'; see `napari-rsmoe doctor`."
        )
    return torch.device("cuda" if usable else "cpu")
