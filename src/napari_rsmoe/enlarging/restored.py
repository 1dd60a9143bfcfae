"""The result of enlarging or deconvolving: the image in its original format, its error bar, and the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..denoising.result import Estimate
from ..display.pictures import display_range, to_rgb, uncertainty_range, uncertainty_rgb, uncertainty_row
from ..display.summary import bundle, size_row
from ..door import door
from ..image.inputs import Inputs
from ..image.rounding import typed_result
from ..model.model import Model


@dataclass(frozen=True, repr=False)
class Restored:
    """What `deblur` returns, and `upscale` with ``return_std=True``.

    Attributes
    ----------
    image : ndarray
        The image: range and axis order of the input, and its type unless another was chosen.
    std : ndarray of float32
        Shape of the image, in its units: the estimated standard deviation of the error of `image`; NaN where there
        are no data, and, with a note, if float32 does not hold errors of such an image.
    noise : float
        Standard deviation of the noise of the input, in its units, as given or found; 0 if none was removed.
    models : list of Model
        The models, in image coordinates, in the order of their fits.
    channel_axis : int or None
        The axis of `image` that holds channels.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import upscale
    >>> noisy = np.random.default_rng(0).normal(10, 1, (24, 32))
    >>> result = upscale(noisy, 2, noise=1.0, models=2, preset="fast", return_std=True)
    >>> result
    <Restored image of shape (48, 64): noise 1>
    >>> result.std.shape, len(result.models), result.channel_axis
    ((48, 64), 2, None)
    """

    image: Any
    std: Any
    noise: float
    models: list[Model]
    channel_axis: int | None = None

    @classmethod
    def of(
        cls, estimate: Estimate, inputs: Inputs, noise: float, models: list[Model], *, dtype: str = "same"
    ) -> Restored:
        """Convert an estimate (H, W, C), of any size, to the type, range and axis order of an image.

        Parameters
        ----------
        estimate : Estimate
            The result in the engine's range.
        inputs : Inputs
            The image that it was made of.
        noise, models
            As above.
        dtype : {"same", "auto", "float32"}
            Data type of the result, as for `image.rounding.typed_result`.
        """
        layout = inputs.layout
        exact = layout.restore(estimate.image, layout.exact_type)
        error = float(np.sqrt(np.mean(np.square(estimate.std, dtype=np.float64)))) * layout.span
        std = layout.place_channels(layout.error_bar(estimate.std))
        image = inputs.with_missing(typed_result(exact, layout, error, dtype, std=std))
        if inputs.missing is not None:
            std[inputs.missing_at(std)] = np.nan
        return cls(image, std, noise, models, layout.channel_axis)

    def __repr__(self) -> str:
        return f"<Restored image of shape {tuple(self.image.shape)}: noise {self.noise:.4g}>"

    @door
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if not isinstance(self.image, np.ndarray):  # A lazy array is not computed to be looked at.
            return {"text/plain": repr(self)}
        image, std = self.channels_last()
        pictures = {
            "restored": to_rgb(image, display_range(image)),
            "uncertainty": uncertainty_rgb(std, uncertainty_range(std)),
        }
        return bundle(repr(self), pictures, self.summary_rows())

    def channels_last(self) -> tuple[np.ndarray, np.ndarray]:
        """The image and its error bar with their channels last."""
        if self.channel_axis is None:
            return self.image, self.std
        return np.moveaxis(self.image, self.channel_axis, -1), np.moveaxis(self.std, self.channel_axis, -1)

    def summary_rows(self) -> dict[str, str]:
        """The result in a few lines: name and value."""
        image, std = self.channels_last()
        return {
            "size": size_row(image.shape[:2], image.shape[2] if image.ndim == 3 else 1, image.dtype),
            "noise": f"{self.noise:.4g} (standard deviation)",
            "uncertainty": uncertainty_row(std),
        }
