"""The parameters of each job in one place, for every front end that shows them: names, ranges, defaults, help.

Nothing here knows a user interface. `name` is the keyword of the function in the public API, so that
``denoise(image, **values(DENOISE))`` runs with the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..fitting.settings import PRESETS

Kind = Literal["int", "float", "choice", "bool"]
MAX_INT = 2**31 - 1


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
        Keyword of the function.
    kind : {"int", "float", "choice", "bool"}
        What its values are.
    label : str
        For people, in few words.
    help : str
        One or two sentences.
    default : Any
        Of the type of `kind`, or `automatic`.
    low, high : float
        Range of a number, both ends included.
    step : float
        By how much an arrow key changes a number.
    decimals : int
        Of a "float", as shown.
    choices : tuple of str
        Of a "choice".
    unit : str
        Of a number, as shown.
    automatic_label : str
        Not empty: besides a number the parameter may be left to the program, and this is what to call that.
    automatic : Any
        The value that stands for this.
    number : float
        The number to begin with when the user wants one.
    advanced : bool
        Whether to fold it away.
    excludes : tuple of str
        Parameters that must be left to the program when this one is not.
    """

    name: str
    kind: Kind
    label: str
    help: str
    default: Any
    low: float = 0
    high: float = MAX_INT
    step: float = 1
    decimals: int = 2
    choices: tuple[str, ...] = ()
    unit: str = ""
    automatic_label: str = ""
    automatic: Any = None
    number: float = 0
    advanced: bool = False
    excludes: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Return `value` in the parameter's type. Raises ValueError that says what is accepted."""
        if self.automatic_label and value == self.automatic:
            return value
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise ValueError(f"{self.label}: {value!r} must be true or false.")
            return value
        if self.kind == "choice":
            if value not in self.choices:
                raise ValueError(f"{self.label}: {value!r} is not one of {', '.join(self.choices)}.")
            return value
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.label}: {value!r} is not a number.") from None
        if not self.low <= number <= self.high or (self.kind == "int" and number != int(number)):
            what = "a whole number" if self.kind == "int" else "a number"
            raise ValueError(f"{self.label}: {value!r} must be {what} from {self.low:g} to {self.high:g}.")
        return int(number) if self.kind == "int" else number


SEED = Parameter(
    "seed", "int", "Seed", "The same seed gives the same result, for any number of threads.", 0, advanced=True
)
DEVICE = Parameter(
    "device", "choice", "Device", "Where to compute; auto takes CUDA where it can be used.", "auto",
    choices=("auto", "cpu", "cuda"), advanced=True,
)  # fmt: skip
STARTS = ("segmentation", "content", "random")
ALLOTMENT = Parameter(
    "allotment", "choice", "Kernels of a segment",
    "How the segmentation start deals kernels out to segments, by itself by content; paper: the same number to each.",
    None, choices=("content", "area", "paper"), automatic_label="default", advanced=True,
)  # fmt: skip

DENOISE = (
    Parameter(
        "preset", "choice", "Quality", "How many models are fitted, and how long: best is slowest.", "balanced",
        choices=("fast", "balanced", "best"),
    ),
    Parameter(
        "noise", "float", "Noise level",
        "Standard deviation of the noise, in the units of the image; by itself it is estimated from the image.",
        "auto", low=1e-6, high=1e9, decimals=4, automatic_label="estimate", automatic="auto", number=10.0,
    ),
    Parameter(
        "models", "int", "Models",
        "How many models are averaged: more take longer and are smoother; with one there is no uncertainty.",
        "auto", low=1, high=256, automatic_label="by the quality", automatic="auto", number=20,
    ),
    Parameter(
        "n_kernels", "int", "Kernels per model",
        "By itself models of several counts are fitted, and each place takes those that predict it best.",
        "auto", low=1, high=1_000_000, step=100, automatic_label="choose", automatic="auto", number=1000,
        advanced=True,
    ),
    Parameter(
        "start", "choice", "Start", "Where kernels begin.", "content", choices=STARTS, advanced=True,
    ),
    Parameter(
        "threshold", "float", "Segmentation threshold",
        "Largest step of colour within a segment of the segmentation start, in 0 to 255 of the image's range.",
        None, low=1.0, high=255.0, decimals=1, automatic_label="20", number=20.0, advanced=True,
    ),
    ALLOTMENT,
    Parameter(
        "ignore_nan", "bool", "Leave out NaN", "Pixels that are NaN or infinite do not count; else they are an error.",
        False, advanced=True,
    ),
    Parameter(
        "saturation", "float", "Saturation",
        "Pixels that have at least this value in any channel do not count.",
        None, low=-1e30, high=1e30, decimals=4, automatic_label="off", number=255.0, advanced=True,
    ),
    Parameter(
        "fill", "bool", "Fill in",
        "Pixels that do not count are filled in from their surroundings; else they keep their values.", True,
        advanced=True,
    ),
    SEED,
    DEVICE,
)  # fmt: skip
"""Of `napari_rsmoe.denoise`."""

STACK = (
    Parameter(
        "along", "choice", "Neighbours along",
        "The axis along which planes are neighbours; by itself T, else Z, else the first that is looped over.",
        None, choices=tuple("TZQPRUVW"), automatic_label="choose", advanced=True,
    ),
    Parameter(
        "warm_start", "bool", "Warm start",
        "Each plane begins with the kernels of the one before and takes half the steps; kernels keep their order.",
        True, advanced=True,
    ),
    Parameter(
        "average", "int", "Average planes",
        "So many planes before and after are averaged with each, where they show the same.", 0, low=0, high=16,
    ),
)  # fmt: skip
"""What `napari_rsmoe.denoise_stack` takes besides."""

FIT = (
    Parameter(
        "n_kernels", "int", "Kernels",
        "How many kernels: more show finer detail and take longer. By itself as many as are expected to reach 32 dB.",
        "auto", low=1, high=1_000_000, step=100, automatic_label="choose", automatic="auto", number=2000,
        excludes=("psnr",),
    ),
    Parameter(
        "psnr", "float", "Target PSNR", "Use as few kernels as reach this quality; takes several fits.", None,
        low=1.0, high=120.0, unit="dB", automatic_label="off", number=32.0, excludes=("n_kernels", "time"),
    ),
    Parameter(
        "time", "float", "Time", "Take as many steps as fit into this time, for each plane.", None,
        low=0.05, high=86_400.0, unit="s", automatic_label="off", number=5.0, excludes=("psnr", "iterations"),
    ),
    Parameter(
        "preset", "choice", "Quality",
        "How long is fitted; enlarge is for drawing at another size, paper repeats the published experiments.",
        "default", choices=tuple(PRESETS),
    ),
    Parameter(
        "experts", "choice", "Colour of a kernel",
        "One colour for each kernel, or one that changes linearly across it: fewer kernels on smooth shading.",
        "constant", choices=("constant", "linear"), advanced=True,
    ),
    Parameter(
        "start", "choice", "Start", "Where kernels begin; by itself as the quality says.", None, choices=STARTS,
        automatic_label="as the quality says", advanced=True,
    ),
    Parameter(
        "threshold", "float", "Segmentation threshold",
        "Largest step of colour within a segment of the segmentation start, in 0 to 255 of the image's range.",
        None, low=1.0, high=255.0, decimals=1, automatic_label="20", number=20.0, advanced=True,
    ),
    ALLOTMENT,
    Parameter(
        "iterations", "int", "Steps", "Steps of the optimiser; by itself as the quality says.", None,
        low=0, high=1_000_000, step=100, automatic_label="as the quality says", number=1000, advanced=True,
        excludes=("time",),
    ),
    Parameter(
        "mode", "choice", "Gates",
        "smoe: soft gates that sum to one. rbf: a plain sum of Gaussians, for comparison.", "smoe",
        choices=("smoe", "rbf"), advanced=True,
    ),
    Parameter(
        "rasterized", "bool", "Rasterized",
        "Each tile of 16 x 16 pixels sees only the kernels that matter to it. Without: exact, and very slow.", True,
        advanced=True,
    ),
    SEED,
    DEVICE,
)  # fmt: skip
"""Of `napari_rsmoe.fit`."""

UPSCALE = (
    Parameter(
        "scale", "float", "Factor", "Output pixels for each pixel along y and x; any positive number.", 2.0,
        low=0.05, high=64.0, step=0.5, decimals=3,
    ),
    Parameter(
        "sharpen", "float", "Sharpen",
        "Above 1 edges get sharper: kernels shrink by this factor before they are drawn.", 1.0,
        low=0.2, high=5.0, step=0.05,
    ),
    Parameter(
        "models", "int", "Models", "How many models are averaged: more take longer and are smoother.", 4,
        low=1, high=64,
    ),
    Parameter(
        "n_kernels", "int", "Kernels per model", "By itself one for every 3 pixels, which keeps fine detail.", None,
        low=1, high=4_000_000, step=1000, automatic_label="choose", number=5000, advanced=True,
    ),
    Parameter(
        "iterations", "int", "Steps", "Steps of the optimiser for each model; by itself 300.", None,
        low=0, high=1_000_000, step=100, automatic_label="choose", number=300, advanced=True,
    ),
    SEED,
    DEVICE,
)  # fmt: skip
"""Of `napari_rsmoe.upscale`."""

PARAMETERS = {"denoise": DENOISE, "denoise_stack": (*DENOISE, *STACK), "fit": FIT, "upscale": UPSCALE}
"""By the name of the function."""
_ALWAYS_SHOWN = {
    "denoise": (),
    "denoise_stack": (),
    "fit": ("n_kernels",),
    "upscale": ("scale",),
}  # even at their defaults


def values(parameters: Sequence[Parameter], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All values, checked: the given ones, and the defaults of the others.

    Raises
    ------
    ValueError
        For a name that is not among the parameters, or a value that is not accepted.
    """
    given = dict(given or {})
    unknown = sorted(set(given) - {parameter.name for parameter in parameters})
    if unknown:
        raise ValueError(f"Unknown parameters: {', '.join(unknown)}.")
    return {p.name: p.check(given.get(p.name, p.default)) for p in parameters}


def changed(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that differ from the defaults, in the order of the parameters."""
    return {p.name: given[p.name] for p in parameters if p.name in given and given[p.name] != p.default}


def call(action: str, given: Mapping[str, Any], image: str = "image", *more: str) -> str:
    """Python that calls the function.

    Parameters
    ----------
    action : {"denoise", "fit", "upscale"}
        Which function.
    given : mapping
        Values of its parameters; those at their defaults are left out, but for the seed.
    image : str
        The expression for the image.
    *more : str
        Further keywords, as ``name=value``.
    """
    first = {name: given[name] for name in _ALWAYS_SHOWN[action]}
    shown = first | {k: v for k, v in changed(PARAMETERS[action], given).items() if k != "seed"}
    if "seed" in given:
        shown["seed"] = given["seed"]
    return f"{action}({', '.join([image, *(f'{name}={value!r}' for name, value in shown.items()), *more])})"
