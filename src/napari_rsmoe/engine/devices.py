"""The choice of the device for a job, and the fallback to the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import TypeVar

import torch

from ..errors import DeviceError
from ..memory import in_words
from . import operators, reference
from .library import WHY_NO_CUDA
from .limits import Limits
from .threads import torch_alone

DEVICES = ("auto", "cpu", "cuda")
Result = TypeVar("Result")


def has_cuda_engine() -> bool:
    """Whether the operators are registered for CUDA."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key("rsmoe::render", "CUDA"))


def resolve_device(device: str) -> torch.device:
    """Resolve "auto", "cpu" or "cuda" to a device that can be used.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" uses CUDA if the engine and the machine support it and a small check of its results passes, else the CPU.

    Raises
    ------
    DeviceError
        If the name is unknown, or "cuda" cannot be used.
    """
    if device not in DEVICES:
        raise DeviceError(f"device={device!r} is not known; use one of {', '.join(DEVICES)}.")
    if device == "cpu":
        return torch.device("cpu")
    reason = why_not_cuda()
    if not reason:
        return torch.device("cuda")
    if device == "cuda":
        raise DeviceError(
            f"device='cuda' cannot be used: {reason}. Use device='cpu' or 'auto'; see `napari-rsmoe doctor`."
        )
    return torch.device("cpu")


def run_on(device: str, job: Callable[[torch.device], Result]) -> Result:
    """Run a job on a device, with torch's own operators in the calling thread alone (`threads.torch_alone`).

    If the memory of the device does not suffice, "auto" falls back to the CPU with a warning.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        As for `resolve_device`.
    job : callable
        The job, a function of the device.

    Raises
    ------
    DeviceError
        As `resolve_device` does, and if the memory of "cuda" does not suffice.
    """
    chosen = resolve_device(device)
    try:
        with torch_alone():
            return job(chosen)
    except RuntimeError as error:
        if chosen.type == "cpu" or not _out_of_memory(error):
            raise
        if device != "auto":
            raise DeviceError(
                f"The memory of the CUDA device does not suffice: {error}. Use fewer kernels, a smaller image, or "
                "device='cpu'."
            ) from error
        warnings.warn(f"The memory of the CUDA device does not suffice ({error}); the CPU is used.", stacklevel=3)
    with torch_alone():
        return job(torch.device("cpu"))


def require_on(device: torch.device, needed: int) -> None:
    """Refuse work on a CUDA device before it begins if it takes more memory than is free there.

    Within `run_on` the work then begins again on the CPU, or the user is told, as `device` says. The CPU has a budget
    of its own; see `napari_rsmoe.memory`.

    Parameters
    ----------
    device : torch.device
        The device; nothing is refused on the CPU.
    needed : int
        Bytes that the work takes at its peak.

    Raises
    ------
    RuntimeError
        If fewer bytes are free.
    """
    if device.type != "cuda":
        return
    # What torch keeps for later tensors is free for them.
    free = torch.cuda.mem_get_info(device)[0]
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if needed > free:
        raise RuntimeError(f"not enough memory on the device: about {in_words(needed)} for {in_words(free)} free")


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory on the device" in str(error)


@cache
def why_not_cuda() -> str:
    """The reason why CUDA cannot be used, or an empty string. It is determined once, at the first use."""
    if not has_cuda_engine():
        return WHY_NO_CUDA or "this build of the engine has no CUDA part"
    try:
        if not torch.cuda.is_available():
            return "torch finds no CUDA device"
        problem = self_check(torch.device("cuda"))
    except Exception as error:  # Drivers, cards and libraries that do not match fail in many ways.
        problem = f"it failed: {error}"
    if problem:
        problem = f"the check of the CUDA device did not pass, {problem}"
        warnings.warn(f"{problem}; the CPU is used for device='auto'.", RuntimeWarning, stacklevel=3)
    return problem


def self_check(device: torch.device) -> str:
    """Compare a tiny image, its gradient and a step of a fit on a device with float64 on the CPU.

    Returns
    -------
    str
        What is wrong, or an empty string.
    """
    height, width = 21, 35
    random = partial(torch.rand, generator=torch.Generator().manual_seed(0), dtype=torch.float32, device="cpu")
    geometry = random(9, 6)
    geometry *= geometry.new_tensor([21.0, 35.0, 0.2, 0.2, 0.2, 2.0])
    geometry[:, 2:5] += geometry.new_tensor([0.1, -0.1, 0.1])
    experts, upstream = random(9, 3), random(3, height, width)

    exact = [geometry.double().requires_grad_(), experts.double().requires_grad_()]
    image = reference.render(exact[0], exact[1], height, width)
    expected = [image.detach(), *torch.autograd.grad(image, exact, upstream.double())]

    inputs = [geometry.to(device), experts.to(device)]
    drawn = operators.ops.render(*inputs, height, width, 25.0, True, 0.0, False)
    gradients = operators.ops.render_backward(upstream.to(device), *inputs, 25.0, True, 0.0, False)
    for name, a, e in zip(("image", "gradient", "gradient"), (drawn, *gradients), expected, strict=True):
        error = float((a.cpu().double() - e).abs().max() / e.abs().max())
        if not error < 1e-3:
            return f"its {name} is off by {error:.1g}"
    target = inputs[0].new_full((6, 3, 256), 0.5)
    losses, _ = operators.ops.fit_steps(
        *inputs, target.new_zeros(2, 9, 9), target, None, 1, geometry.new_full((4, 4), 0.02), height, width,
        0, 9.0, True, 0.0, False, True, 2, 1.0, 0.9, 0.99, Limits().values(),
    )  # fmt: skip
    first, last = float(losses[0]), float(losses[-1])
    start = float(((expected[0] - 0.5) ** 2).sum())
    if not (abs(first - start) < 1e-3 * start and last < first):
        return f"its fit goes from an error of {first:.4g} (should be {start:.4g}) to {last:.4g}"
    return ""
