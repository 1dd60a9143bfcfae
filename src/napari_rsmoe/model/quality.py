"""The error of a model near each of its kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import engine

if TYPE_CHECKING:
    from .model import Model


def kernel_errors(model: Model, image: np.ndarray, *, device: str = "auto") -> np.ndarray:
    """Root mean square of image minus model, weighted by each kernel's gate.

    Parameters
    ----------
    model : Model
        Model of the image.
    image : numpy.ndarray
        (Y, X), or with channels along the axis of the model's layout; any real type.
    device : {"auto", "cpu", "cuda"}
        Where to compute, as for `napari_rsmoe.fit`.

    Returns
    -------
    numpy.ndarray
        (L,) float64, in the units of the image; NaN for a kernel that no pixel sees.
    """
    difference = image.astype(np.float64) - model.render(dtype=np.float64, device=device)
    squared = model.layout.channels_last(np.square(difference)).reshape(*model.shape, -1).mean(2)
    scale = max(float(squared.max()), float(np.finfo(np.float32).tiny))  # Keeps the values within the range of float32.
    maps = torch.from_numpy(np.stack([squared / scale, np.ones_like(squared)]).astype(np.float32))

    def gather(chosen: torch.device) -> torch.Tensor:
        return engine.gate_sums(
            model.geometry.to(chosen),
            maps.to(chosen),
            normalised=model.mode == "smoe",
            confidence=model.confidence,
        ).cpu()

    sums = engine.run_on(device, gather).double().numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)
    errors: np.ndarray = np.sqrt(np.maximum(mean, 0) * scale)
    return errors
