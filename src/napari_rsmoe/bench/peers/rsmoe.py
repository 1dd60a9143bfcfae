"""R-SMoE with our settings and with those of the paper, and sums of Gaussians with the same engine."""

from __future__ import annotations

import time

import numpy as np

from ...fitting.fit import fit
from ...model.experts import Mode
from ...model.model import Model
from ...progress import Progress
from .fit_method import Fit, Trace


def fitting(preset: str, mode: Mode = "smoe", *, rasterized: bool = True) -> Fit:
    """A fit with a preset."""

    def run(image: np.ndarray, kernels: int, iterations: int | None, seed: int, trace: Trace | None = None) -> Model:
        begin = time.process_time()

        def watch(progress: Progress) -> None:
            if trace is not None and progress.psnr is not None:
                trace.append((progress.step, 10 ** (-progress.psnr / 10), time.process_time() - begin))

        return fit(
            image,
            kernels,
            preset=preset,
            mode=mode,
            rasterized=rasterized,
            iterations=iterations,
            seed=seed,
            device="cpu",
            callback=watch,
        )

    return run
