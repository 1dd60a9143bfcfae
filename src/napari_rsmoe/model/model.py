"""A model of an image: its kernels, rendering, editing and files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import torch

from .. import engine
from ..checks import checked_choice, checked_flag
from ..display.pictures import display_range, to_rgb
from ..display.summary import bundle, size_row
from ..door import door
from ..engine import reference
from ..image import metrics
from ..image.format import ImageFormat, real_type, to_type
from ..image.rounding import is_coarse, rounded_at_random
from ..io import rsmoe
from ..memory import Memory
from .checks import check_kernels, check_layout, checked_confidence, checked_range, checked_shape
from .drawing import draw
from .experts import MODES, ExpertUnits, Mode
from .kernels import Kernels
from .output_type import output_type
from .raster import Numbers, Raster, checked_sharpen

SAMPLE_BLOCK = 4_000_000
"""Gates that `Model.sample` computes at once, of several times 8 bytes each. More need more memory but no less time."""
SUMMARY_FACTS = ("preset", "steps", "seed")
"""Entries of the metadata that a notebook shows below a model."""


class Model:
    """An image as L steered Gaussian kernels with constant or linear experts.

    Build one with `napari_rsmoe.fit`, `Model.load` or `Model.from_kernels`.

    Attributes
    ----------
    geometry : torch.Tensor
        (L, 6) float32, rows (y, x, r11, r12, r22, logit) as `napari_rsmoe.engine` describes; pixels.
    experts : torch.Tensor
        (L, C) float32, in units of the image's range: 0 is ``layout.low``, 1 ``layout.high``. Linear: (L, 3 C), the
        colours at the kernels' centres, then slopes along y, then along x, per pixel.
    shape : tuple of int
        (H, W) of the image.
    layout : ImageFormat
        Type, range and channel axis of the image.
    mode : {"smoe", "rbf"}
        Soft gates that sum to one (paper eq. 3), or a plain sum (eq. 1).
    linear : bool
        Whether experts are affine in position.
    confidence : float
        0: a tile leaves out kernels by their gates. Positive: it takes those whose confidence ellipse of this radius
        reaches it, as in the paper.
    metadata : dict
        How the model was made; values that JSON can hold.

    Raises
    ------
    ValueError
        If an argument is not as described.

    References
    ----------
    Y.-H. Li, T. Sikora, S. Knorr, M. Sjöström. Rasterized Steered Mixture of Experts for Efficient 2D Image
    Regression, 2025. :doi:`10.48550/arXiv.2510.05814`

    Examples
    --------
    >>> from napari_rsmoe import Kernels, Model
    >>> kernels = Kernels([[8, 10], [8, 22]], [[6, 4], [6, 4]], [0, 0], [1, 1], [[50.0], [200.0]])
    >>> model = Model.from_kernels(kernels, (16, 32), dtype="uint8")
    >>> model
    <Model of 16 x 32 px, 1 channel: 2 smoe kernels>
    >>> model.render(scale=2).shape
    (32, 64)
    >>> model.sample([[7.5, 16.0]]).tolist()  # the gates are equal halfway between the centres
    [[125.0]]
    """

    def __init__(
        self,
        geometry: torch.Tensor,
        experts: torch.Tensor,
        shape: tuple[int, int],
        layout: ImageFormat,
        *,
        mode: Mode = "smoe",
        linear: bool = False,
        confidence: float = 0.0,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.geometry = geometry.detach().to("cpu", torch.float32).contiguous()
        self.experts = experts.detach().to("cpu", torch.float32).contiguous()
        self.shape = checked_shape(shape)
        self.layout = layout
        checked_choice(mode, "mode", MODES)
        self.mode: Mode = mode
        self.linear = checked_flag(linear, "linear")
        self.confidence = checked_confidence(confidence)
        if not (metadata is None or isinstance(metadata, Mapping)):
            raise ValueError(f"metadata={metadata!r} must be a dictionary.")
        self.metadata = dict(metadata or {})
        check_kernels(self.geometry, self.experts, linear=self.linear)
        check_layout(self.layout, self.channels)

    @property
    def n_kernels(self) -> int:
        """Number of kernels L."""
        return len(self.geometry)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return int(self.experts.shape[1]) // (3 if self.linear else 1)

    def __repr__(self) -> str:
        height, width = self.shape
        channels = f"{self.channels} channel{'s' * (self.channels != 1)}"
        return f"<Model of {height} x {width} px, {channels}: {self.n_kernels} {self.mode} kernels>"

    def summary_rows(self) -> dict[str, str]:
        """What notebooks show below the picture: name and value."""
        rows = {
            "size": size_row(self.shape, self.channels, self.layout.dtype),
            "kernels": f"{self.n_kernels}, one for every {math.prod(self.shape) / self.n_kernels:.3g} px",
            "experts": "linear" if self.linear else "constant",
            "gates": {"smoe": "soft, sum to one (smoe)", "rbf": "none (rbf)"}[self.mode],
        }
        known = [f"{name} {self.metadata[name]}" for name in SUMMARY_FACTS if name in self.metadata]
        if known:
            rows["fit"] = ", ".join(known)
        return rows

    @door
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        drawn = self.layout.channels_last(self.render())
        return bundle(repr(self), {"model": to_rgb(drawn, display_range(drawn))}, self.summary_rows())

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    @door
    def kernels(self) -> Kernels:
        """The kernels in user terms, a copy.

        An SMoE mixes the colours of the experts. An RBF model (mode="rbf") adds them to ``layout.low``: the lowest
        value of the fitted image, or 0 for a model from `from_kernels`. Where the sum of an RBF model of an image with
        a few extreme pixels lies beyond the range of the signal, the logarithm of the distance adds up.
        """
        value, slope = self._units.to_image(self.experts.numpy(), linear=self.linear)
        return Kernels.from_geometry(self.geometry.double().numpy(), value, slope)

    @door
    def with_kernels(self, kernels: Kernels) -> Model:
        """The same image with other kernels, for example edited, filtered or recoloured ones; as in `kernels`.

        Raises
        ------
        ValueError
            If the kernels have another number of channels than the model.
        """
        if kernels.expert.shape[1] != self.channels:
            raise ValueError(f"The kernels have {kernels.expert.shape[1]} channels, the model {self.channels}.")
        experts = torch.from_numpy(self._units.to_engine(kernels.expert, kernels.slope))
        return self.with_tensors(torch.from_numpy(kernels.geometry()), experts, linear=kernels.slope is not None)

    def with_tensors(self, geometry: torch.Tensor, experts: torch.Tensor, *, linear: bool | None = None) -> Model:
        """The same image with other kernels in the engine's terms.

        Parameters
        ----------
        geometry, experts : torch.Tensor
            As the attributes of these names.
        linear : bool, optional
            Whether experts are affine in position; by default as before.
        """
        return Model(
            geometry,
            experts,
            self.shape,
            self.layout,
            mode=self.mode,
            linear=self.linear if linear is None else linear,
            confidence=self.confidence,
            metadata=self.metadata,
        )

    @property
    def _units(self) -> ExpertUnits:
        return ExpertUnits.of(self.mode, self.layout)

    @classmethod
    @door
    def from_kernels(
        cls,
        kernels: Kernels,
        shape: tuple[int, int],
        *,
        mode: Mode = "smoe",
        dtype: Any = np.float32,
        value_range: tuple[float, float] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Model:
        """Build a model from kernels in user terms.

        Parameters
        ----------
        kernels : Kernels
            At least one; one channel makes a grey image, more put the channels last.
        shape : tuple of int
            (H, W) of the image.
        mode : {"smoe", "rbf"}
            Soft gates that sum to one (paper eq. 3), or the plain sum of weight times Gaussian times expert (eq. 1).
        dtype : data type
            Data type of rendered images, integer or float.
        value_range : tuple of float, optional
            Smallest and largest value; what is rendered is clipped to it. Default: the range of the experts; for an
            RBF model no clipping, as its sums have no range of their own.
        metadata : mapping, optional
            Kept with the model.

        Raises
        ------
        ValueError
            If the data type cannot hold the experts, or an argument is not as described.
        """
        kind = real_type(dtype)
        if kind.kind == "f" and np.abs(kernels.expert).max() > np.finfo(kind).max:
            raise ValueError(f"The experts reach {np.abs(kernels.expert).max():g}, more than {kind.name} holds.")
        span = checked_range((kernels.expert.min(), kernels.expert.max()) if value_range is None else value_range)
        channel_axis = None if kernels.expert.shape[1] == 1 else 2
        if mode == "rbf":  # Without offset, 0 and 1 mean the same to the engine and the user.
            limits = (-math.inf, math.inf) if value_range is None else span
            layout = ImageFormat(kind.str, channel_axis, 0.0, 1.0, limits)
        else:
            layout = ImageFormat(kind.str, channel_axis, *span)
        experts = ExpertUnits.of(mode, layout).to_engine(kernels.expert, kernels.slope)
        return cls(
            torch.from_numpy(kernels.geometry()),
            torch.from_numpy(experts),
            shape,
            layout,
            mode=mode,
            linear=kernels.slope is not None,
            metadata=metadata,
        )

    @door
    def render(
        self,
        *,
        scale: float | Numbers | None = None,
        shape: Numbers | None = None,
        region: Numbers | None = None,
        sharpen: float = 1.0,
        dtype: Any = None,
        device: str = "auto",
        memory: Memory = None,
    ) -> np.ndarray:
        """Render the image at any size and sharpness.

        Parameters
        ----------
        scale : float or (float, float), optional
            Output pixels per image pixel (along y and x), positive; the output shape is rounded. Default 1.
        shape : (int, int), optional
            (height, width) of the output instead of a scale.
        region : (y0, x0, y1, x1), optional
            Part of the plane to draw, in image pixels, with edges counted as in slices: pixel i covers
            [i, i + 1). Default (0, 0, H, W); it may reach outside.
        sharpen : float
            Factor by which kernels shrink before drawing, positive; above 1 edges get sharper. Gates are raised to
            the power sharpen^2, so edges stay where they are (kernel editing, paper section II-B).
        dtype : data type, optional
            Data type of the output, integer or float; by default, or with ``"same"``, that of the image. ``"auto"`` is
            that too, or float32 where rounding to integers costs more than a tenth of the error of the fit. Integer
            types are rounded: to the nearest, or for an image of fewer than 16 levels up or down at random, so that
            the mean stays.
        device : {"auto", "cpu", "cuda"}
            Where to compute, as for `napari_rsmoe.fit`.
        memory : int or str, optional
            Memory that the drawing may take at its peak, as for `napari_rsmoe.fit`.

        Returns
        -------
        numpy.ndarray
            (Y, X), or with channels where the image had them; in the units and the range of the image.

        Raises
        ------
        ValueError
            If an argument is not as described, the output would have more than 2^31 values, or a kernel would be out
            of bounds in pixels that small or that far away; before any work.
        NotEnoughMemoryError
            If it would take more memory than it may; before any work.
        """
        sharpen = checked_sharpen(sharpen)
        raster = Raster.plan(self.shape, self.channels, scale=scale, shape=shape, region=region)
        kind = output_type(self, dtype)
        if kind.kind in "iu" and is_coarse(self.layout):
            exact = draw([self], raster, sharpen=sharpen, dtype=np.float32, device=device)
            return to_type(rounded_at_random(exact), kind)
        return draw([self], raster, sharpen=sharpen, dtype=kind, device=device)

    @door
    def sample(self, points: np.ndarray) -> np.ndarray:
        """Values at any points, computed in float64 with every kernel.

        Parameters
        ----------
        points : array-like
            (N, 2) positions (y, x) in pixels; pixel centres are at integers.

        Returns
        -------
        numpy.ndarray
            (N, C) float64 in image units, not clipped.
        """
        where = torch.from_numpy(np.array(points, np.float64))
        if where.ndim != 2 or where.shape[1] != 2:
            raise ValueError(f"points has shape {tuple(where.shape)}; it must be (N, 2), rows (y, x).")
        geometry, experts = self.geometry.double(), self.experts.double()
        block = max(1, SAMPLE_BLOCK // self.n_kernels)
        values = [
            reference.evaluate(geometry, experts, part, normalised=self.mode == "smoe", linear=self.linear)
            for part in where.split(block)
        ]
        return self.layout.value(torch.cat(values).numpy())

    @door
    def kernels_per_tile(self) -> float:
        """Average number of kernels that enter a 16x16 tile."""
        start, _ = engine.tile_lists(
            self.geometry, *self.shape, normalised=self.mode == "smoe", confidence=self.confidence
        )
        return int(start[-1]) / (len(start) - 1)

    def flops_per_pixel(self) -> float:
        """Arithmetic operations to render one pixel, as counted by `metrics.flops_per_pixel`."""
        return metrics.flops_per_pixel(self.kernels_per_tile(), self.channels, linear=self.linear)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False, maker: str | None = None) -> None:
        """Write a `.rsmoe` file, described in `napari_rsmoe.io.rsmoe`, without leaving a partial file.

        Parameters
        ----------
        path : str or path
            The file, or a URL as for `napari_rsmoe.create_image`.
        overwrite, maker
            Whether an existing file is replaced, and the name of the command that writes it; as for
            `napari_rsmoe.create_image`.

        Raises
        ------
        FileNotFoundError, IsADirectoryError, FileExistsError
            If the folder does not exist, `path` is a folder, or a file that may not be replaced.
        TypeError
            If the metadata hold something that JSON cannot.
        """
        description = {
            "shape": self.shape,
            "mode": self.mode,
            "linear": self.linear,
            "confidence": self.confidence,
            "image": self.layout.description(),
            "metadata": self.metadata,
        }
        tensors = {"geometry": self.geometry, "experts": self.experts}
        rsmoe.save(path, tensors, description, overwrite=overwrite, maker=maker)

    @staticmethod
    @door
    def load(path: str | PathLike[str]) -> Model:
        """Read a `.rsmoe` file, of this machine or at a URL.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If the file is not a model, is damaged, or was written by a newer version.
        """
        tensors, description = rsmoe.load(path)
        with rsmoe.damage_named(path):
            return Model(
                tensors["geometry"],
                tensors["experts"],
                description["shape"],
                ImageFormat(**description["image"]),
                mode=description["mode"],
                linear=description["linear"],
                confidence=description["confidence"],
                metadata=description["metadata"],
            )
