"""Nothing depends on defaults that a user may have set: torch's type and device, numpy's errors, warnings."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import napari_rsmoe
from napari_rsmoe import Mixture, Model, compat
from napari_rsmoe.errors import ImageWarning

ROOT = Path(napari_rsmoe.__file__).parent
FACTORIES = {
    "arange", "as_tensor", "asarray", "empty", "eye", "full", "linspace", "logspace", "normal", "ones", "rand",
    "randint", "randn", "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros",
}  # fmt: skip
"""Functions of torch whose result has the default type or lies on the default device unless they are named."""
CLASSES = {"Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "LongTensor", "IntTensor"}


def unnamed(text: str) -> Iterator[int]:
    """Lines on which a tensor is made without its type or without its device."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "torch":
            yield from (node.lineno for name in node.names if name.name in FACTORIES | CLASSES)
        if not isinstance(node, ast.Call):
            continue
        # A factory may also be handed on, as in partial(torch.rand, ...).
        named = {keyword.arg for keyword in node.keywords}
        for function in (node.func, *node.args):
            if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "torch":
                incomplete = function.attr in FACTORIES and not {"dtype", "device"} <= named
                if incomplete or (function.attr in CLASSES and function is node.func):
                    yield node.lineno


def test_every_tensor_that_is_made_has_a_named_type_and_device() -> None:
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path in ROOT.rglob("*.py") for line in unnamed(path.read_text())]
    assert not wrong, "\n".join(wrong)


def test_planted_factories_are_found() -> None:
    planted = [
        "torch.zeros(3)",
        "torch.ones(3, dtype=torch.float32)",
        "torch.full((2,), 0, device='cpu')",
        "partial(torch.rand, device='cpu')",
        "torch.Tensor([1])",
        "from torch import zeros",
        "torch.zeros(3, dtype=torch.float32, device='cpu'), torch.from_numpy(a), isinstance(a, torch.Tensor)",
    ]
    assert sorted(set(unnamed("\n".join(planted)))) == [1, 2, 3, 4, 5, 6]


# ---------------------------------------------------------------------------------------------------------- behaviour


def image(channels: int = 0) -> np.ndarray:
    """A small picture with content, noise, and black and white places."""
    y, x = np.mgrid[:32, :40]
    clean = 120 + 100 * np.sin(x / 5) * np.cos(y / 6)
    noisy = clean + np.random.default_rng(0).normal(0, 12, clean.shape)
    grey = np.clip(noisy, 0, 255).astype(np.uint8)
    return np.stack([grey, grey[::-1], grey[:, ::-1]], 2) if channels else grey


def fitted() -> Model:
    return napari_rsmoe.fit(image(3), 30, iterations=60, experts="linear", device="cpu")


def tensors(model: Model) -> list[np.ndarray]:
    return [model.geometry.numpy(), model.experts.numpy()]


def denoised(**options: Any) -> list[np.ndarray]:
    result = napari_rsmoe.denoise(image(), preset="fast", models=4, device="cpu", **options)
    return [result.image, result.std]


def restored(result: Any) -> list[np.ndarray]:
    return [result.image, result.std]


def drawn(model: Model) -> list[np.ndarray]:
    kernels = model.kernels()
    other = model.with_kernels(kernels.sharpened(30).sharpened(1 / 30))
    assert "img" in other._repr_html_()
    return [
        other.render(scale=1.5, sharpen=1.2, device="cpu"),
        model.render(region=(-5, 2, 90, 40), shape=(9, 7), device="cpu"),
        model.sample([[3, 4.5], [1e3, 1e3]]),
        np.array([model.kernels_per_tile(), model.flops_per_pixel()]),
        kernels.covariance(),
        kernels.mass(),
    ]


def mixture(model: Model) -> list[np.ndarray]:
    with torch.inference_mode(False):
        module = Mixture(model)
        loss = module().square().mean()
        loss.backward()
        assert module.position.grad is not None
        return [loss.detach().numpy(), module.position.grad.numpy(), *tensors(module.model())]


def measures() -> list[np.ndarray]:
    noise = napari_rsmoe.estimate_noise(image(3))
    facts = [[channel.sigma, channel.gain, channel.read] for channel in noise.channels]
    camera = napari_rsmoe.PoissonGaussian(2.0, 0.0, 3.0)
    stabilised = napari_rsmoe.stabilise(image().astype(float), camera)
    back = napari_rsmoe.unstabilise(stabilised, camera)
    quality = [napari_rsmoe.psnr(image(), image()[::-1]), napari_rsmoe.ssim(image(), image()[::-1])]
    return [np.array(facts), stabilised, back, np.array(quality)]


def jobs(model: Model) -> dict[str, Callable[[], list[np.ndarray]]]:
    stack = np.stack([image(), image()[::-1]])
    return {
        "fit": lambda: tensors(fitted()),
        "fit to a quality": lambda: tensors(napari_rsmoe.fit(image(), psnr=20, iterations=30, device="cpu")),
        "fit rbf": lambda: tensors(
            napari_rsmoe.fit(image(), 20, mode="rbf", start="random", iterations=30, device="cpu")
        ),
        "denoise": denoised,
        "denoise given": lambda: denoised(noise=(1.0, 0.0, 5.0), saturation=250, start="segmentation", n_kernels=60),
        "denoise stack": lambda: [
            napari_rsmoe.denoise_stack(stack, "TYX", models=2, preset="fast", average=1, device="cpu").image
        ],
        "upscale": lambda: [napari_rsmoe.upscale(image(3), 2, 1.2, models=2, iterations=20, device="cpu")],
        "upscale with its error": lambda: restored(
            napari_rsmoe.upscale(image(), 1.5, models=1, iterations=20, return_std=True, device="cpu")
        ),
        "deblur": lambda: restored(napari_rsmoe.deblur(image()[:20, :24], 1, preset="fast", noise=0, device="cpu")),
        "film": lambda: [each.image for each in napari_rsmoe.denoise_film(stack, models=2, preset="fast")],
        "scikit-image": lambda: [
            compat.denoise_rsmoe(image(), sigma=10, preset="fast", models=1),
            compat.upscale_rsmoe(image()[:16, :16], 2, preset="fast", noise=0),
            np.array(compat.estimate_sigma(image())),
        ],
        "render": lambda: drawn(model),
        "Mixture": lambda: mixture(model),
        "measures": measures,
    }


@contextmanager
def hostile(device: str) -> Iterator[None]:
    """Defaults as a user may have set them, all at once."""
    torch.set_default_dtype(torch.float64)
    torch.set_default_device(device)
    try:
        with np.errstate(all="raise"), warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ImageWarning)  # What is said to the user is not a fault.
            yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


@pytest.fixture(scope="module")
def as_usual() -> dict[str, list[np.ndarray]]:
    return {name: job() for name, job in jobs(fitted()).items()}


@pytest.fixture(scope="module")
def model() -> Model:
    return fitted()


@pytest.mark.parametrize("name", list(jobs(None)))  # type: ignore[arg-type]
def test_same_bits_whatever_the_defaults(name: str, model: Model, as_usual: dict[str, list[np.ndarray]]) -> None:
    with hostile("meta"):
        found = jobs(model)[name]()
    for mine, usual in zip(found, as_usual[name], strict=True):
        assert mine.dtype == usual.dtype
        assert np.array_equal(mine, usual, equal_nan=True)
