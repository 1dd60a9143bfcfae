"""Sanity checks of denoisers: a clean image must not change, and pure noise must not gain structure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from . import machine
from .options import Options
from .peers.denoiser import Denoised, Denoiser, Noisy
from .peers.methods import OURS
from .pictures import Picture
from .protocol import Floats, unit
from .runs import Run
from .store import Rows

CLEAN, CONSTANT, NOISE = "clean image", "constant image", "pure noise"
GROUPS = (CLEAN, CONSTANT, NOISE)
BLIND_BM3D = "BM3D, blind"
# Side in pixels, value of the constant image, and standard deviation of the pure noise around 0.5.
SIDE, GREY, SIGMA = 128, 0.4, 0.1


def runs(options: Options, pictures: Sequence[Picture], methods: Sequence[Denoiser]) -> Iterator[Run]:
    """The runs of blind methods on a clean image of each data set, a constant image, and pure noise."""
    blind = [m for m in methods if (m.name.startswith(OURS) or m.name == BLIND_BM3D) and options.wants(m.name)]
    singles = {picture.dataset: picture for picture in reversed(pictures) if picture.noisy_path is None}
    for picture in reversed(singles.values()):
        for method in blind:
            yield _run(options, CLEAN, f"{picture.dataset}/{picture.name}", method, partial(_clean, picture))
    rng = np.random.default_rng(options.seed)
    flat = np.full((SIDE, SIDE), GREY, np.float32)
    noise = np.clip(0.5 + SIGMA * rng.standard_normal((SIDE, SIDE)), 0, 1).astype(np.float32)
    for group, image in ((CONSTANT, flat), (NOISE, noise)):
        for method in blind:
            yield _run(options, group, "synthetic/128 px grey", method, partial(np.copy, image))


def _run(options: Options, group: str, picture: str, method: Denoiser, make: partial[Floats]) -> Run:
    def work() -> Rows:
        image = make()
        noisy = Noisy(image, SIGMA if group == NOISE else 0.0, False, image)
        done = machine.measured(lambda: method.run(noisy, options.seed))
        result = done.result.image if isinstance(done.result, Denoised) else done.result
        assert isinstance(result, np.ndarray)
        figures = {
            CLEAN: lambda: {"psnr": options.quality(result, image.astype(np.float64))["psnr"]},
            CONSTANT: lambda: {"largest_change": float(np.abs(result - image).max())},
            NOISE: lambda: {"left": float(result.std() / image.std())},
        }[group]()
        return {method.name: figures | done.costs}

    settings = {"sanity": group, "crop": options.crop, "quick": options.quick}
    return Run(group, picture, method.name, settings, options.seed, method.module, __name__, work)


def _clean(picture: Picture) -> Floats:
    return unit(picture.clean).astype(np.float32)
