"""Arrays of other libraries: torch tensors, xarray and dask arrays come in, and results go out as the same kind.

None of these libraries is loaded here unless the caller has handed over one of its arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from os import PathLike
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from ..errors import ImageError

P = ParamSpec("P")
R = TypeVar("R")
WORDS = {
    "channel": "C", "band": "C", "wavelength": "C", "rgb": "S", "time": "T", "frame": "T", "depth": "Z", "plane": "Z",
    "row": "Y", "column": "X", "col": "X", "lat": "Y", "latitude": "Y", "lon": "X", "longitude": "X",
}  # fmt: skip
"""Axes by the names that dimensions of xarray often have; a name of one letter is the letter of its axis."""
Restore = Callable[[Any], Any]


@dataclass(frozen=True)
class Unwrapped:
    """An array of another library, as this package works on it.

    Attributes
    ----------
    array : Any
        A numpy array, or something that can be indexed like one: a dask array, a memory map.
    axes : str or None
        A letter for each axis, where the array names its dimensions.
    restore : callable
        Turns a result of the same or another shape into the kind of array that was given.
    """

    array: Any
    axes: str | None
    restore: Restore

    def channel_axis(self, given: Any) -> Any:
        """The axis of a plane that holds channels: as the caller says, else as its dimensions are named."""
        others = None if self.axes is None else self.axes.replace("Y", "").replace("X", "")
        if not isinstance(given, str) or others not in ("", "C", "S"):
            return given
        return self.axes.index(others) if self.axes and others else None

    def restored(self, result: Any) -> Any:
        """A result of the kind that was given: an array, or the arrays of an image and its error bar."""
        if is_dataclass(result) and not isinstance(result, type):
            found: Any = result
            return replace(found, image=self.restore(found.image), std=self.restore(found.std))
        return self.restore(result)


def library_of(array: Any) -> str:
    """The library that the type of an array comes from: "numpy", "torch", "dask", "xarray", ..."""
    return next((name for name in map(_library, type(array).__mro__) if name in ("torch", "dask", "xarray")), "")


def _library(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def unwrapped(image: Any) -> Unwrapped:
    """What the package works on, and the way back; any array that is not of one of these libraries as it is.

    Raises
    ------
    ImageError
        If a path is given instead of an image.
    """
    if isinstance(image, str | PathLike):
        raise ImageError(
            f"{str(image)!r} is the name of a file, not an image. Read it: read_image({str(image)!r}).numpy(); or "
            "process files on the command line: napari-rsmoe VERB INPUT OUTPUT."
        )
    library = library_of(image)
    if library == "torch":
        return _tensor(image)
    if library == "xarray":
        return _labelled(image)
    return Unwrapped(image, None, lambda result: result)


def plain(image: Any) -> Any:
    """The array to work on, without the way back."""
    return unwrapped(image).array


def _tensor(tensor: Any) -> Unwrapped:
    """A tensor of any device; results are new tensors there, without a gradient. bfloat16 is worked on as float32."""
    values = tensor.detach().cpu()
    short = str(tensor.dtype) == "torch.bfloat16"

    def back(result: Any) -> Any:
        import torch  # here: the caller has loaded it

        made = torch.from_numpy(np.ascontiguousarray(result)).to(tensor.device)
        return made.to(tensor.dtype) if short else made

    return Unwrapped((values.float() if short else values).numpy(), None, back)


def _labelled(array: Any) -> Unwrapped:
    """An xarray DataArray; results keep its dimensions, attributes and name, and the coordinates that still fit."""

    def back(result: Any) -> Any:
        if result.shape == array.shape:
            return array.copy(data=result)
        sizes = dict(zip(array.dims, result.shape, strict=True))
        kept = {
            name: coordinate
            for name, coordinate in array.coords.items()
            if all(coordinate.sizes[dim] == sizes[dim] for dim in coordinate.dims)
        }
        return type(array)(result, kept, array.dims, array.name, array.attrs)

    return Unwrapped(array.data, _letters(array.dims), back)


def _letters(dims: tuple[Any, ...]) -> str | None:
    """The axes that dimensions are named after; None if they are not all known."""
    names = [str(name).lower() for name in dims]
    letters = [name.upper() if len(name) == 1 else WORDS.get(name, "") for name in names]
    good = all(letters) and len(set(letters)) == len(letters) and {"Y", "X"} <= set(letters)
    return "".join(letters) if good else None


def same_kind_out(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of one image take arrays of other libraries, and return the same kind.

    The function returns an array, or a result with the arrays `image` and `std`.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> R:
        named = "image" in keywords
        given = unwrapped(keywords["image"] if named else args[0] if args else None)
        if named:
            keywords["image"] = given.array
        else:
            args = (given.array, *args[1:])  # type: ignore[assignment]
        keywords["channel_axis"] = given.channel_axis(keywords.get("channel_axis", "auto"))
        return cast("R", given.restored(function(*args, **keywords)))

    return wrapper
