"""What is found once for a whole image that is denoised block by block, from a sample of it.

The sample is that of `image.sample`: squares spread evenly over the image and the planes of a stack. From it
come the range of values, the noise model and the domain in which noise is stabilised, the density of the kernels, the
value of missing data, and, by denoising a few of the squares, the calibration of the error bar and the data type of the
result. An image that is no larger than the sample is its own sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..arrays import Floats
from ..errors import EmptyPlaneError, ImageError
from ..fitting.starts.placed import Density, sampled_densities
from ..image import sample
from ..image.blocks import Part
from ..image.format import ImageFormat
from ..image.inputs import Inputs
from ..image.masks import Selection, sentinel
from ..image.rounding import choose_type
from ..memory import release
from ..noise.domain import StabilisedDomain
from ..notes import gathered
from ..progress import Timetable
from .alignment import with_neighbours
from .beside import Beside
from .combine import combine
from .costs import expected_seconds
from .ensemble import fit_ensemble
from .neighbours import Neighbour, as_neighbour
from .observation import Observation
from .options import Options
from .place import Place
from .plans import Plan, plan_ensemble
from .result import LEFT, Whole
from .task import Task

DENOISED = 4
"""Squares that are denoised for the calibration. More take longer, fewer make the error bar less exact."""


@dataclass(frozen=True)
class Survey:
    """What is known of the whole image.

    Attributes
    ----------
    layout : ImageFormat
        Type and range of the image; channels are the last axis.
    domain : StabilisedDomain
        The domain of its noise, without the variance of pixels.
    plans : list of Plan
        Its models, with the kernels that each would have in the whole plane.
    densities : mapping of int to Density
        Density of the kernels of a model, by that number.
    nodata : float or None
        Value of missing data that was found in the sample.
    whole : Whole or None
        Calibration of the error bar; None: there is no noise.
    error : float
        Root mean square error of the result, in units of the image, by which it is rounded.
    dtype : str
        Data type of the result.
    """

    layout: ImageFormat
    domain: StabilisedDomain
    plans: list[Plan]
    densities: Mapping[int, Density]
    nodata: float | None
    whole: Whole | None
    error: float
    dtype: str

    def __post_init__(self) -> None:
        """Check what may come from a file; a ValueError or TypeError says what is wrong."""
        numbers = [self.error] if self.nodata is None else [self.error, self.nodata]
        if not all(isinstance(each, int | float | np.number) for each in numbers):
            raise ValueError(f"error={self.error!r} and nodata={self.nodata!r} must be numbers")
        if not isinstance(self.dtype, str) or np.dtype(self.dtype).kind not in "iuf":
            raise ValueError(f"dtype={self.dtype!r} must be the name of a type of numbers")
        if not {plan.n_kernels for plan in self.plans} <= set(self.densities):
            raise ValueError("there must be a density for each model")

    @property
    def noise(self) -> float:
        """Standard deviation of the noise, in units of the image."""
        return self.domain.sigma * self.layout.span

    def description(self) -> dict[str, Any]:
        """The survey in values that JSON can hold, exactly."""
        whole = self.whole
        return {
            "layout": self.layout.description(),
            "domain": self.domain.description(),
            "plans": [asdict(plan) for plan in self.plans],
            "densities": {str(count): asdict(density) for count, density in self.densities.items()},
            "nodata": self.nodata,
            "whole": None
            if whole is None
            else {"calibration": whole.calibration.tolist(), "light": list(whole.light), "noise": whole.noise},
            "error": self.error,
            "dtype": self.dtype,
        }

    @classmethod
    def described(cls, known: Mapping[str, Any]) -> Survey:
        """Undo `description`."""
        layout, whole = dict(known["layout"]), known["whole"]
        layout["limits"] = None if layout.get("limits") is None else tuple(layout["limits"])
        return cls(
            ImageFormat(**layout),
            StabilisedDomain.described(known["domain"]),
            [Plan(plan["n_kernels"], tuple(plan["shift"])) for plan in known["plans"]],
            {int(count): Density(**density) for count, density in known["densities"].items()},
            known["nodata"],
            None if whole is None else Whole(
                np.array(whole["calibration"], np.float32),
                tuple(whole["light"]),
                whole.get("noise", 1.0),
            ),
            known["error"],
            known["dtype"],
        )  # fmt: skip

    def task(
        self,
        inputs: Inputs,
        options: Options,
        plane: int,
        origin: tuple[int, int],
        neighbours: Sequence[Any] = (),
    ) -> Task:
        """The models of a block of the image, averaged with the same block of neighbouring planes."""
        observation = self.observation(inputs, options, neighbours)
        return Task(observation, options, self.plans, place=Place(origin, plane, options.seed, self.densities))

    def observation(self, inputs: Inputs, options: Options, neighbours: Sequence[Any]) -> Observation:
        """A block of the image in the domain of the noise, averaged with the same block of neighbouring planes."""
        domain = self.domain.part(inputs.pixels)
        alone = Observation(inputs, domain, domain.stabilised(inputs.pixels), options.measures_noise)
        return with_neighbours(alone, neighbours).observation


Around = Callable[[int, Part], Sequence[Any]]
"""A part of the planes that help a plane, by the number of that: each a `Beside`, or as for `denoise`."""


@dataclass(frozen=True)
class Square:
    """A square of the sample.

    Attributes
    ----------
    plane, part
        Where it lies.
    image : ndarray
        Its pixels, (Y, X) or (Y, X, C).
    arrays : mapping
        `weight` and `mask` of these pixels.
    """

    plane: int
    part: Part
    image: NDArray[Any]
    arrays: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column at which it begins."""
        return self.part[0].start, self.part[1].start

    def corner(self, part: Part) -> Square:
        """A part of it that begins where it begins."""
        arrays = {name: values[part] for name, values in self.arrays.items()}
        return replace(self, image=self.image[part], arrays=arrays)

    def inputs(self, found: Survey, selection: Selection) -> Inputs | None:
        """Its pixels, checked; None if none counts."""
        with gathered(), suppress(EmptyPlaneError):
            return block_inputs(self.image, found, self.arrays, selection)
        return None


def survey(
    read: sample.Read,
    shape: tuple[int, int],
    planes: Sequence[int],
    options: Options,
    *,
    selection: Selection,
    dtype: str,
    weight: Callable[[int, Part], dict[str, Any]] = lambda plane, part: {},
    neighbours: Around = lambda plane, part: (),
    present: sample.Present = lambda plane, part: True,
    parts: sample.Parts | None = None,
) -> Survey:
    """Survey an image.

    Parameters
    ----------
    read : callable
        Reads a part of a plane.
    shape : (int, int)
        Rows and columns of a plane.
    planes : sequence of int
        Numbers of the planes.
    options : Options
        Options of `denoise`.
    selection : Selection
        Which values count.
    dtype : {"same", "auto", "float32"}
        As for `denoise`.
    weight : callable, optional
        Keywords `weight` and `mask` of `Inputs.of` for a part of a plane.
    neighbours : callable, optional
        The same part of the planes that help a plane, as for `DenoiseBlocks`.
    present : callable, optional
        Whether anything is stored in a part; parts without anything are not in the sample.
    parts : callable, optional
        The parts in which anything is stored, from which the sample is taken if most is missing.

    Raises
    ------
    EmptyPlaneError
        If nothing is there, or no pixel of the sample counts.
    """
    places = sample.sample_places(shape, planes, present, parts)
    if not places:
        raise EmptyPlaneError("The image holds nothing: all its chunks are missing.")
    squares = [Square(plane, part, read(plane, part), weight(plane, part)) for plane, part in places]
    mosaic = sample.mosaic([each.image for each in squares])
    keywords: dict[str, Any] = {
        name: sample.mosaic([each.arrays[name] for each in squares]) for name in squares[0].arrays
    }
    inputs = Inputs.of(mosaic, 2 if mosaic.ndim == 3 else None, selection, **keywords)
    nodata = sentinel(mosaic) if selection.nodata == "auto" and inputs.missing is not None else None
    observation = engine.attended(lambda: Observation.of(inputs, options.noise, options.noise_factor), None)
    found = Survey(
        replace(inputs.layout, limits=_limits(mosaic.dtype)), observation.noise, [], {}, nodata, None, 0.0,
        mosaic.dtype.name,
    )  # fmt: skip
    found = _planned(found, options, shape, [observation.pixels], squares[0].size, observation.noise.strength)
    release()
    if observation.noise.sigma > 0:
        around = [neighbours(each.plane, each.part) for each in squares]
        if any(around):
            found = _helped(found, squares, around, options, selection, shape)
        found = _calibrated(found, squares, around, options, selection)
    kind = choose_type(inputs.layout, found.error or math.inf, dtype)
    release()
    return replace(found, domain=StabilisedDomain.described(found.domain.description()), dtype=kind.name)


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """What a result is clipped to: what the type of the image holds, as the sample may miss its extremes."""
    facts = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return float(facts.min), float(facts.max)


def _planned(
    found: Survey,
    options: Options,
    shape: tuple[int, int],
    mosaics: Sequence[Floats],
    square: tuple[int, int],
    strength: float,
) -> Survey:
    """The survey with the models for noise of this strength, and the densities of their kernels.

    `mosaics` are stabilised pixels (H, W, C), in squares of one size.
    """
    plans = plan_ensemble((*shape, mosaics[0].shape[2]), options.models, options.n_kernels, strength)
    counts = sorted({plan.n_kernels for plan in plans})
    mosaic = mosaics[0] if len(mosaics) == 1 else np.concatenate(mosaics)
    densities = sampled_densities(mosaic, square, [count / math.prod(shape) for count in counts])
    return replace(found, plans=plans, densities=dict(zip(counts, densities, strict=True)))


def _helped(
    found: Survey,
    squares: Sequence[Square],
    around: Sequence[Sequence[Any]],
    options: Options,
    selection: Selection,
    shape: tuple[int, int],
) -> Survey:
    """The survey with the models for the noise that the neighbours leave: with less noise, more kernels show more."""
    pixels, strengths = [], []
    for square, beside in zip(squares, around, strict=True):
        inputs = square.inputs(found, selection)
        if inputs is not None:
            observation = found.observation(inputs, options, block_neighbours(beside, found, selection))
            pixels.append(observation.pixels)
            strengths.append(observation.noise.strength)
    return _planned(found, options, shape, pixels, squares[0].size, float(np.mean(strengths))) if pixels else found


def _calibrated(
    found: Survey,
    squares: Sequence[Square],
    around: Sequence[Sequence[Any]],
    options: Options,
    selection: Selection,
) -> Survey:
    """The survey with the calibration of the error bar and the error of the result, from some of the squares."""
    wholes, errors = [], []
    for k in range(0, len(squares), max(1, len(squares) // DENOISED)):
        square, corner = squares[k], (slice(0, 2 * sample.SIDE), slice(0, 2 * sample.SIDE))
        inputs = square.corner(corner).inputs(found, selection)
        if inputs is None:
            continue
        beside = [each.part(corner, _part_of) for each in block_neighbours(around[k], found, selection)]
        task = found.task(inputs, options, square.plane, square.origin, beside)
        times = Timetable(None, expected_seconds(inputs.pixels.shape, task.plans, 1, measured=False), inputs.given)
        estimate = combine(engine.run_on(options.device, lambda device: fit_ensemble(task, device, times)), times)  # noqa: B023
        if estimate.whole is not None:
            wholes.append(estimate.whole)
        errors.append(float(np.mean(np.square(estimate.std[~inputs.left_out], dtype=np.float64))))
    if not errors:
        raise ImageError("No pixel of the sample counts, so nothing is known about the image.")
    error = (math.sqrt(float(np.mean(errors))) or LEFT * found.domain.sigma) * found.layout.span
    if not wholes:
        return replace(found, error=error)
    calibration = np.mean([each.calibration for each in wholes], 0).astype(np.float32)
    light = tuple(
        float(np.mean(each)) if all(value is not None for value in each) else None
        for each in zip(*(whole.light for whole in wholes), strict=True)
    )
    noise = float(np.mean([each.noise for each in wholes]))
    return replace(found, whole=Whole(calibration, light, noise), error=error)


def _part_of(array: NDArray[Any], part: Part) -> NDArray[Any]:
    """Rows and columns of a square."""
    return array[part]


def block_inputs(image: NDArray[Any], found: Survey, arrays: Mapping[str, Any], selection: Selection) -> Inputs:
    """The input of a block of the image."""
    own = selection if found.nodata is None else replace(selection, nodata=found.nodata)
    return Inputs.of(image, 2 if image.ndim == 3 else None, own, **arrays, layout=found.layout)


def block_neighbours(given: Sequence[Any], found: Survey, selection: Selection) -> list[Neighbour]:
    """The neighbours of a block, of which those that are `Beside` are checked; those that show nothing are left out."""
    neighbours, own = [], replace(selection, ignore_nan=True)
    for each in given:
        if not isinstance(each, Beside):
            neighbours.append(as_neighbour(each))
            continue
        with gathered(), suppress(EmptyPlaneError):  # What is said about a plane is said when it is denoised itself.
            neighbours.append(
                Neighbour(block_inputs(each.image, found, each.arrays, own), None, each.offset, each.depth)
            )
    return neighbours
