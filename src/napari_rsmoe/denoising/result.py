"""The result of denoising: the image in its original format, its error bar, and the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ranges
from ..arrays import Floats
from ..display.pictures import display_range, to_rgb, uncertainty_range, uncertainty_rgb, uncertainty_row
from ..display.summary import bundle, size_row
from ..door import door
from ..image.inputs import Inputs
from ..image.rounding import DARK, FINEST, rounding_costs, typed_result
from ..model.model import Model
from ..noise.domain import Light
from .uncertainty import deviations

JOB = "denoise"
"""Entry "job" in the metadata of models that were fitted to denoise an image."""

LEFT = 0.3
"""Error of a result, in standard deviations of the noise, where a single model tells nothing about it."""


@dataclass(frozen=True)
class Whole:
    """What the error bar and the light of an estimate take from the whole image, not from each pixel.

    Attributes
    ----------
    calibration : ndarray of float32, shape (C,)
        Logarithm of the factor of the squared error of each plane.
    light : tuple of float or None
        As of `StabilisedDomain.light`.
    noise : float
        Variance of the noise, relative to what was measured before there was an estimate of the image.
    """

    calibration: Floats
    light: Light
    noise: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """An image without its noise, in the engine's range.

    Attributes
    ----------
    image : ndarray of float32, shape (H, W, C)
    std : ndarray of float32, shape (H, W, C)
        Estimated standard deviation of the error at each pixel; zero for one model.
    whole : Whole or None
        What was found for the whole image; None: nothing, as there is no noise or the job was stopped.
    """

    image: Floats
    std: Floats
    whole: Whole | None = None


@dataclass(frozen=True, repr=False)
class Denoised:
    """What `denoise` returns.

    Attributes
    ----------
    image : ndarray
        The denoised image: shape, range and axis order of the input, and its type unless another was chosen.
    std : ndarray of float32
        Shape of the image, in its units: the estimated standard deviation of the error of `image`; see
        `napari_rsmoe.denoising.uncertainty`. NaN, as unknown, if there is one model.
    noise : float
        Standard deviation of the noise that was taken away, in units of the image, as given or estimated, times
        `noise_factor`; root mean square over the image where it depends on the value.
    models : list of Model
        The models, in the order of their plans. They see the noisy image, so each is noisier than `image`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import denoise
    >>> noisy = np.random.default_rng(0).normal(10, 1, (24, 32))
    >>> result = denoise(noisy, noise=1.0, models=2, preset="fast")
    >>> result
    <Denoised image of shape (24, 32): noise 1, 2 models>
    >>> bool(np.std(result.image) < 0.5), result.std.shape
    (True, (24, 32))
    """

    image: Any
    std: Any
    noise: float
    models: list[Model]

    @classmethod
    def of(
        cls,
        estimate: Estimate,
        inputs: Inputs,
        noise: float,
        models: list[Model],
        *,
        fill: bool,
        dtype: str = "same",
        seed: int = 0,
    ) -> Denoised:
        """Convert an estimate to the type, range and axis order of the image.

        Parameters
        ----------
        estimate : Estimate
            Estimate of the image without noise.
        inputs : Inputs
            The noisy image.
        noise : float
            Its noise, root mean square in the engine's range. Where it is 0, pixels keep their values to the bit.
        models : list of Model
            Models of the ensemble.
        fill : bool
            Whether pixels that are left out are filled in; if not, they keep their values, and `std` is NaN there.
            Pixels without data keep their value in any case.
        dtype : {"same", "auto", "float32"}
            Data type of the result, as for `image.rounding.typed_result`.
        seed : int
            Seed for rounding at random.
        """
        image = _typed(estimate, inputs, noise, dtype, seed)
        std = with_kept(image, estimate, inputs, noise, fill=fill, single=len(models) == 1)
        return cls(image, std, noise * inputs.layout.span, models)

    @door
    def interval(self, probability: float = 0.95) -> tuple[Any, Any]:
        """Lower and upper end of the interval in which the true value of each pixel lies with a probability.

        The errors of denoised images have heavier tails than a normal distribution. They follow a Student's t
        distribution with 6 degrees of freedom, scaled so that one `std` holds 68.3 % of them: 90 % lie within 1.78
        and 99 % within 3.40 `std`.

        Parameters
        ----------
        probability : float
            Between 0 and 1, without the ends.

        Returns
        -------
        low, high : ndarray of float
            Shape of the image, in its units; NaN where `std` is.

        Raises
        ------
        ValueError
            If the probability is out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_rsmoe import denoise
        >>> noisy = np.random.default_rng(0).normal(10, 1, (48, 48))
        >>> low, high = denoise(noisy, preset="fast").interval(0.99)
        >>> bool(np.mean((low <= 10) & (10 <= high)) > 0.9)
        True
        """
        factor = deviations(ranges.PROBABILITY.check(probability, "probability"))
        return self.image - factor * self.std, self.image + factor * self.std

    def __repr__(self) -> str:
        models = f"{len(self.models)} model{'s' if len(self.models) != 1 else ''}" if self.models else "no models"
        return f"<Denoised image of shape {tuple(self.image.shape)}: noise {self.noise:.4g}, {models}>"

    def _channels_last(self) -> tuple[np.ndarray, np.ndarray]:
        """The image and the standard deviation as (Y, X) or (Y, X, C)."""
        if not self.models:
            return np.asarray(self.image), np.asarray(self.std)
        layout = self.models[0].layout
        return layout.channels_last(self.image), layout.channels_last(self.std)

    def summary_rows(self) -> dict[str, str]:
        """What notebooks show beside the pictures: name and value."""
        image, std = self._channels_last()
        rows = {
            "size": size_row(image.shape[:2], image.shape[2] if image.ndim == 3 else 1, image.dtype),
            "noise": f"{self.noise:.4g} (standard deviation)",
        }
        counts = sorted({model.n_kernels for model in self.models})
        if counts:
            most = f" to {counts[-1]}" if len(counts) > 1 else ""
            rows["models"] = f"{len(self.models)} of {counts[0]}{most} kernels"
        if len(self.models) > 1:
            rows["uncertainty"] = uncertainty_row(std)
        return rows

    @door
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if not isinstance(self.image, np.ndarray):  # A lazy array is not computed to be looked at.
            return {"text/plain": repr(self)}
        image, std = self._channels_last()
        pictures = {"denoised": to_rgb(image, display_range(image))}
        if len(self.models) > 1:
            pictures["uncertainty"] = uncertainty_rgb(std, uncertainty_range(std))
        return bundle(repr(self), pictures, self.summary_rows())

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_().get("text/html", ""))


def with_kept(
    image: np.ndarray, estimate: Estimate, inputs: Inputs, noise: float, *, fill: bool, single: bool
) -> np.ndarray:
    """Put values that are kept into a result, in its format, and return its error bar.

    Parameters
    ----------
    image : ndarray
        The result, which is changed.
    estimate, inputs, noise, fill
        As for `Denoised.of`.
    single : bool
        Whether there is one model only, which tells nothing about the error.
    """
    layout = inputs.layout
    std = layout.place_channels(layout.error_bar(estimate.std))
    left_out = layout.place_channels(np.broadcast_to(inputs.left_out[..., None], inputs.pixels.shape))
    kept = left_out & (not fill)
    if inputs.missing is not None:
        kept = kept | layout.place_channels(np.broadcast_to(inputs.missing[..., None], inputs.pixels.shape))
    std[kept] = np.nan
    if single and noise > 0:
        std[...] = np.nan
    as_given = kept | (~left_out & (noise == 0))
    np.copyto(image, inputs.given, where=as_given, casting="unsafe")
    return std


def _typed(estimate: Estimate, inputs: Inputs, noise: float, dtype: str, seed: int) -> np.ndarray:
    """The image in its format, rounded without bias if it holds integers."""
    layout = inputs.layout
    if noise == 0:  # Pixels that count are returned as they were given.
        return layout.restore(estimate.image, np.float32 if dtype == "float32" else None)
    counted = estimate.std[~inputs.left_out]
    error = float(np.sqrt(np.mean(np.square(counted, dtype=np.float64))))
    if not error > 0:
        error = LEFT * noise
    std = layout.place_channels(estimate.std * layout.error_unit)
    whole = np.dtype(layout.dtype).kind in "iu"
    fine = whole and bool((std < FINEST).any() or layout.low < DARK)
    if dtype != "float32" and not fine and not rounding_costs(error * layout.span, layout.dtype):
        return layout.restore(estimate.image)
    kind = np.float32 if np.dtype(layout.dtype).itemsize <= np.dtype(np.float32).itemsize // 2 else np.float64
    return typed_result(layout.restore(estimate.image, kind), layout, error * layout.span, dtype, seed, std)
