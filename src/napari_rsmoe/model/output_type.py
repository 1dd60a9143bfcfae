"""The data type in which a model is drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..image.format import real_type
from ..image.rounding import choose_type

if TYPE_CHECKING:
    from .model import Model


def fit_error(model: Model) -> float:
    """Root mean square error of a model, in the units of its image; infinite where the fit has not measured it."""
    psnr: float | None = model.metadata.get("psnr")
    return math.inf if psnr is None else float(model.metadata["data_range"]) * 10 ** (-psnr / 20)


def output_type(model: Model, dtype: Any) -> np.dtype[Any]:
    """The data type of a drawing.

    Parameters
    ----------
    model : Model
        The model.
    dtype : data type or str, optional
        None and ``"same"``: that of the image that was fitted. ``"auto"``: that, or float32 where rounding to integers
        costs more than a tenth of the error of the model, which is noted. Else the type itself.

    Raises
    ------
    ValueError
        If it is not an integer or float of at most 64 bits.
    """
    if dtype is None or (isinstance(dtype, str) and dtype == "same"):
        return np.dtype(model.layout.dtype)
    if isinstance(dtype, str) and dtype == "auto":
        return choose_type(model.layout, fit_error(model), "auto")
    return real_type(dtype)
