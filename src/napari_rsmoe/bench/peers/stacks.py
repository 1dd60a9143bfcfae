"""Methods for films and volumes: ours, and what others do with neighbouring planes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import tifffile
from scipy.ndimage import median_filter, uniform_filter1d
from skimage.restoration import denoise_nl_means

from ...denoising.stack import denoise_stack
from ...noise.anscombe import stabilise, unstabilise
from ...noise.noise_model import PoissonGaussian
from ..scenes import Film

PHOTON = PoissonGaussian(gain=1.0)
VNLB = ("vnlbayes", "tvl1flow")
"""Programs of the authors' implementation of VNLB, https://github.com/pariasm/vnlb (AGPL), as they lie on the PATH."""
FLOW = ["0", "0.25", "0.2", "0.3", "100", "1", "0.5", "5", "0.01", "0"]
"""Settings of the optical flow with which the authors run VNLB."""
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
        Whether the method is given the noise.
    module : str or None
        Package that it needs; None: ours.
    programs : tuple of str
        Programs that it needs.
    """

    name: str
    run: Callable[[Film, int], Result]
    given: Literal["nothing", "noise"] = "noise"
    module: str | None = None
    programs: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether it can run."""
        return (self.module is None or find_spec(self.module) is not None) and all(map(shutil.which, self.programs))

    def takes(self, film: Film) -> bool:
        """Whether it can be run on a film: a method that is given the noise needs to know it."""
        return self.installed and (self.given == "nothing" or film.sigma >= 0)


def _ours(preset: str, average: int | str) -> Callable[[Film, int], Result]:
    def run(film: Film, seed: int) -> Result:
        how: dict[str, Any] = {"preset": preset, "average": average, "seed": seed, "dtype": "float32"}
        done = denoise_stack(film.noisy, film.axes, spacing=film.spacing, **how)
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


def _vnlb(values: np.ndarray, sigma: float) -> np.ndarray:
    """VNLB as its authors run it: optical flow both ways, a first estimate, and a second step with it."""
    last = len(values) - 1
    with TemporaryDirectory() as folder:

        def run(*words: object) -> None:
            subprocess.run(list(map(str, words)), cwd=folder, check=True, capture_output=True)

        for number, frame in enumerate(values):
            tifffile.imwrite(Path(folder) / f"{number}.tif", (255 * frame).astype(np.float32))
        for number in range(last + 1):  # The program asks for the flow out of the film, too, and does not use it.
            for step, name in ((1, "f"), (-1, "b")):
                other = number + step if 0 <= number + step <= last else number - step
                run("tvl1flow", f"{number}.tif", f"{other}.tif", f"{name}{number}.flo", *FLOW)
        film = ("-i", "%d.tif", "-f", 0, "-l", last, "-sigma", 255 * sigma, "-fof", "f%d.flo", "-bof", "b%d.flo")
        run("vnlbayes", *film, "-bsic", "first%d.tif", "-px2", 0)
        run("vnlbayes", *film, "-b", "first%d.tif", "-deno", "second%d.tif", "-px1", 0)
        return np.stack([tifffile.imread(Path(folder) / f"second{n}.tif") for n in range(last + 1)]) / 255


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
    StackMethod(f"{OURS_THROUGH}, balanced", _ours("balanced", "auto"), "nothing"),
    StackMethod(f"{OURS_ALONE}, fast", _ours("fast", 0), "nothing"),
    StackMethod(f"{OURS_THROUGH}, fast", _ours("fast", "auto"), "nothing"),
    StackMethod("BM4D", _stabilised(_bm4d), module="bm4d"),
    StackMethod("VNLB", _stabilised(_vnlb), programs=VNLB),
    StackMethod("ndsafir", _ndsafir, module="ndsafir"),
    StackMethod("non-local means in 3-D", _stabilised(_nlm)),
    StackMethod("mean of 5 planes", _mean, "nothing"),
    StackMethod("median of 5 planes", _median, "nothing"),
)
"""All methods. VNLB is that of its authors, as `vnlb` on PyPI needs a CUDA device; V-BM4D is not on PyPI."""
