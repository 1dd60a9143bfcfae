"""Methods for films and volumes: ours, and what others do with neighbouring planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d
from skimage.restoration import denoise_nl_means

from ...denoising.stack import denoise_stack
from ...noise.anscombe import stabilise, unstabilise
from ...noise.noise_model import PoissonGaussian
from ..scenes import Film

PHOTON = PoissonGaussian(gain=1.0)
NLM = {"patch_size": 5, "patch_distance": 3, "fast_mode": True}


@dataclass(frozen=True)
class Result:
    """A denoised film, and its error bar if the method has one."""

    image: np.ndarray
    std: np.ndarray | None = None


@dataclass(frozen=True)
class StackMethod:
    """A method.

    Attributes
    ----------
    name : str
        Name in tables.
    run : callable
        Takes a film and a seed.
    given : {"nothing", "noise"}
        Whether the method is told the noise.
    module : str or None
        Package that it needs; None: ours.
    """

    name: str
    run: Callable[[Film, int], Result]
    given: Literal["nothing", "noise"] = "noise"
    module: str | None = None

    @property
    def installed(self) -> bool:
        """Whether it can run."""
        return self.module is None or find_spec(self.module) is not None

    def takes(self, film: Film) -> bool:
        """Whether it can be run on a film: what is told the noise needs to know it."""
        return self.installed and (self.given == "nothing" or film.sigma >= 0)


def _ours(preset: str, average: int | str) -> Callable[[Film, int], Result]:
    def run(film: Film, seed: int) -> Result:
        done = denoise_stack(film.noisy, film.axes, preset=preset, average=average, seed=seed, dtype="float32")
        return Result(done.image, done.std)

    return run


def _stabilised(work: Callable[[np.ndarray, float], np.ndarray]) -> Callable[[Film, int], Result]:
    """A method for even noise, with the generalised Anscombe transform and its unbiased inverse for photons."""

    def run(film: Film, seed: int) -> Result:
        values = film.noisy.astype(np.float64)
        if film.sigma > 0:
            return Result(work(values / film.range, film.sigma / film.range) * film.range)
        even = stabilise(values, PHOTON)
        scale = float(np.ptp(even))
        return Result(unstabilise(scale * work(even / scale, 1 / scale), PHOTON))

    return run


def _bm4d(values: np.ndarray, sigma: float) -> np.ndarray:
    from bm4d import bm4d  # here: the package is only for non-commercial use, and not everybody has it

    return np.reshape(bm4d(values, sigma), values.shape)


def _ndsafir(film: Film, seed: int) -> Result:
    import ndsafir  # here: not everybody has it

    values = film.noisy.astype(np.float32)
    if film.sigma == 0:
        return Result(ndsafir.denoise_poisson_gaussian(values, axes=film.axes, gains=[1.0], offsets=[0.0], nthreads=1))
    scale = 255 / film.range
    return Result(
        ndsafir.denoise_gaussian(values * scale, axes=film.axes, noise_std=film.sigma * scale, nthreads=1) / scale
    )


def _nlm(values: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(denoise_nl_means(values, h=0.8 * sigma, sigma=sigma, **NLM))


def _mean(film: Film, seed: int) -> Result:
    return Result(uniform_filter1d(film.noisy.astype(np.float64), 5, 0))


def _median(film: Film, seed: int) -> Result:
    return Result(median_filter(film.noisy, (5, 1, 1)))


OURS_ALONE, OURS_THROUGH = "R-SMoE, ours, plane by plane", "R-SMoE, ours, through planes"
METHODS = (
    StackMethod(f"{OURS_ALONE}, balanced", _ours("balanced", 0), "nothing"),
    StackMethod(f"{OURS_THROUGH}, balanced", _ours("balanced", 2), "nothing"),
    StackMethod(f"{OURS_ALONE}, fast", _ours("fast", 0), "nothing"),
    StackMethod(f"{OURS_THROUGH}, fast", _ours("fast", "auto"), "nothing"),
    StackMethod("BM4D", _stabilised(_bm4d), module="bm4d"),
    StackMethod("ndsafir", _ndsafir, module="ndsafir"),
    StackMethod("non-local means in 3-D", _stabilised(_nlm)),
    StackMethod("mean of 5 planes", _mean, "nothing"),
    StackMethod("median of 5 planes", _median, "nothing"),
)
"""All methods. VNLB on PyPI (`vnlb`) needs a CUDA device and the package vpss, and V-BM4D is not on PyPI."""
