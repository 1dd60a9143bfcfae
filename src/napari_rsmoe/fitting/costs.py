"""How long fits take, for the remaining time from the first second on."""

from __future__ import annotations

import torch

START, START_CHANNEL = 0.10, 0.035
"""Processor seconds of an initialisation for a million pixels, and for each channel more. All constants here were
measured on an AMD EPYC (Zen 4) with AVX-512. Where they are too small for a machine, the remaining time is too short
until the first steps have shown its speed."""
STEP, STEP_CHANNEL, STEP_PIXEL = 0.48, 0.16, 0.01
"""Processor seconds of a step for a million kernels, and for each channel more; and the kernels that cost as much as a
pixel does, whatever lies on it."""


def expected_seconds(shape: tuple[int, ...], n_kernels: int, steps: int) -> float:
    """Seconds that the initialisation and the steps of a model take on an idle machine.

    Parameters
    ----------
    shape : tuple of int
        (H, W, C) of the image.
    n_kernels : int
        Number of kernels.
    steps : int
        Number of steps.
    """
    height, width, channels = shape
    pixels, threads = height * width / 1e6, max(1, torch.get_num_threads())
    step = (STEP + STEP_CHANNEL * channels) * (n_kernels / 1e6 + STEP_PIXEL * pixels)
    return (START + START_CHANNEL * channels) * pixels + step * steps / threads
