"""Options that the verbs share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

DENOISE_PRESETS = ("fast", "balanced", "best")
STARTS = ("content", "random", "segmentation")
DEVICES = ("auto", "cpu", "cuda")
FORMATS = ("tif", "ome.tif", "png", "jpg", "npy", "zarr", "ome.zarr")


@dataclass(frozen=True)
class Common:
    """What the user said about how to run, for any verb.

    Parameters
    ----------
    device : str
        One of `DEVICES`.
    threads : int or None
        How many to use; None leaves it to torch.
    json : bool
        Print one JSON object on standard output, and all else on standard error.
    quiet : bool
        Print errors only.
    """

    device: str = "auto"
    threads: int | None = None
    json: bool = False
    quiet: bool = False

    def prepare(self) -> None:
        """Load torch and set its threads."""
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)


@dataclass(frozen=True)
class Files:
    """What the user said about the files, for the verbs that turn images into images.

    Parameters
    ----------
    axes : str or None
        Axes of the input, instead of those in the file.
    independent : bool
        Treat each channel as an image of its own.
    suffix : str or None
        Suffix of the files of an output folder, without the dot; None keeps each file's own.
    quality : int
        Of JPEG files.
    """

    axes: str | None = None
    independent: bool = False
    suffix: str | None = None
    quality: int = 95


def report_options(function: Function) -> Function:
    """Add --json and --quiet, which every verb has; they arrive as `common`."""
    return _gathered(
        function,
        Common,
        "common",
        click.option("--json", is_flag=True, help="Print one JSON object on stdout, all else on stderr."),
        click.option("--quiet", "-q", is_flag=True, help="Print errors only; no progress bar."),
    )


def run_options(function: Function) -> Function:
    """Add the options of every verb that computes; they arrive as `common`."""
    return _gathered(
        function,
        Common,
        "common",
        click.option(
            "--device",
            type=click.Choice(DEVICES),
            default="auto",
            show_default=True,
            help="Where to compute; auto takes CUDA where it can be used.",
        ),
        click.option("--threads", type=click.IntRange(min=1), help="Processor threads.  [default: all cores]"),
        click.option("--json", is_flag=True, help="Print one JSON object on stdout, all else on stderr."),
        click.option("--quiet", "-q", is_flag=True, help="Print errors only; no progress bar."),
    )


def file_options(function: Function) -> Function:
    """Add the options of the verbs that turn images into images; they arrive as `files`."""
    return _gathered(
        function,
        Files,
        "files",
        click.option(
            "--axes",
            metavar="LETTERS",
            help="Axes of the input where the file does not tell them: one letter each, such as ZYX or TCYX. "
            "Y and X span a plane, C and S are channels of it, any other axis is looped over.",
        ),
        click.option(
            "--independent-channels",
            "independent",
            is_flag=True,
            help="Model each channel by itself; by default the channels of a plane share kernels.",
        ),
        click.option(
            "--format",
            "suffix",
            type=click.Choice(FORMATS),
            help="For a folder: format of the files to write.  [default: that of each file]",
        ),
        click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG files."),
    )


class Positive(click.FloatRange):
    """A finite number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


POSITIVE = Positive()


class AutoOr(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """``auto``, or what another type accepts."""

    def __init__(self, other: Any, name: str, meaning: str) -> None:
        self.other, self.meaning = other, meaning
        self.name = f"{name}|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return "auto" or the other type's value."""
        if value == "auto":
            return value
        try:
            return self.other.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither 'auto' nor {self.meaning}.", param, ctx)


class NoiseOption(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A positive number, or gain, offset and read noise with commas between them."""

    name = "VALUE|GAIN,OFFSET,READ"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number or three of them."""
        if not isinstance(value, str):
            return value
        parts = value.split(",")
        if len(parts) == 1:
            return POSITIVE.convert(value, param, ctx)
        try:
            numbers = tuple(map(float, parts))
        except ValueError:
            numbers = ()
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or min(numbers[::2]) < 0 or not any(numbers[::2]):
            self.fail(f"{value!r} is not three numbers, gain and read noise not negative and not both 0.", param, ctx)
        return numbers


seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The same seed gives the same result, for any number of threads.",
)


iterations_option = click.option(
    "--iterations", type=click.IntRange(min=0), help="Steps of a fit.  [default: the preset's]"
)


allotment_option = click.option(
    "--allotment",
    type=click.Choice(("content", "area", "paper")),
    help="Of the segmentation start: deal kernels out to segments by content, by area, or as in the paper the same "
    "number to each, which must be at least 1.  [default: content]",
)


def check_segmentation(start: str, threshold: float | None, allotment: str | None) -> None:
    """Refuse --threshold and --allotment where no segmentation uses them."""
    for name, value in (("threshold", threshold), ("allotment", allotment)):
        if value is not None and start != "segmentation":
            raise click.UsageError(f"--{name} is for --start segmentation, not {start}.")


def _gathered(function: Function, kind: type, name: str, *options: Callable[[Any], Any]) -> Function:
    """Add options whose values reach `function` as one `kind` named `name`."""
    fields = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]

    @functools.wraps(function)
    def wrapper(*args: Any, **values: Any) -> Any:
        own = {field: values.pop(field) for field in fields if field in values}
        return function(*args, **values, **{name: kind(**own)})

    decorated: Any = wrapper
    for option in reversed(options):
        decorated = option(decorated)
    result: Function = decorated
    return result
