"""A job as text: the Python that repeats it, and the command line that does.

Both are made from the tables of `parameters`, so that whatever a form can set is in them.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..image.planes import CHANNEL_AXES
from .kinds.choices import Flag
from .kinds.parameter import Parameter
from .parameters.common import CHECKPOINT, DEVICE, DTYPE
from .parameters.files import MASK
from .parameters.functions import PARAMETERS
from .parameters.values import changed


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The image of a job, as Python and the shell get at it.

    Attributes
    ----------
    axes : str
        A letter for each axis, as for `napari_rsmoe.Planes`.
    shape : tuple of int
        One length for each axis.
    name : str
        The variable that holds the image.
    modules : tuple of str
        Names of `napari_rsmoe` that `lines` need.
    lines : tuple of str
        Python that makes the variable; empty if it is there already.
    mask : str
        The variable that holds the pixels to be left out (those that are not 0); empty if there are none.
    path : str
        The file that holds the image.
    target : str
        The file of the result; empty: one in the current folder, with the name of the job.
    notes : tuple of str
        What must be done before the command line can be run, such as saving an image to `path`.
    mask_path : str
        The file that holds the mask; empty if there is none.
    psf : str
        The variable that holds the point spread function; empty if the settings say what it is.
    psf_path : str
        The file that holds that variable.
    spacing : mapping of str to float
        Distances of pixels along axes of space; empty if they are not known. Files hold their own.
    """

    axes: str
    shape: tuple[int, ...]
    name: str = "image"
    modules: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    mask: str = ""
    path: str = "image.tif"
    target: str = ""
    notes: tuple[str, ...] = ()
    mask_path: str = ""
    psf: str = ""
    psf_path: str = ""
    spacing: Mapping[str, float] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether the functions of the package take the image as it is; else they take its planes."""
        return self.axes.strip(CHANNEL_AXES) == "YX" and len(self.axes) <= 3

    @property
    def channel_axis(self) -> int | None:
        """The axis that holds channels, in the image if it is single and in a plane of it otherwise.

        None if there is none.
        """
        axes = self.axes if self.single else "YXC" if set(self.axes) & set(CHANNEL_AXES) else "YX"
        return next((k for k, letter in enumerate(axes) if letter in CHANNEL_AXES), None)


def python_call(action: str, given: Mapping[str, Any], subject: Subject, *, drawn: bool = False) -> str:
    """Python that repeats a job.

    Parameters
    ----------
    action : {"denoise", "fit", "upscale", "deblur"}
        The job.
    given : mapping
        Values of its parameters; those at their defaults are left out.
    subject : Subject
        The image of the job.
    drawn : bool
        Whether ``result`` is an image. Otherwise it is what the function returns, and a list of that for a stack.
    """
    modules, lines = (
        _single(action, given, subject, drawn) if subject.single else _planes(action, given, subject, drawn)
    )
    reader = ["read_image"] if _read_psf(given, subject) else []
    imports = f"from napari_rsmoe import {', '.join(sorted({*modules, *reader, *subject.modules}))}"
    kept = _kept(subject) if action == "fit" and drawn and subject.mask else []  # A model draws every pixel.
    imports = "\n".join([*(["import numpy", ""] if kept else []), imports])
    return "\n".join([imports, *lines[:-1], "", *subject.lines, f"result = {lines[-1]}", *kept]) + "\n"


def _kept(subject: Subject) -> list[str]:
    """Python that gives the pixels of a mask their value in ``result``."""
    where = f"{subject.mask} != 0" if subject.axes.endswith("YX") else f"({subject.mask} != 0)[..., None]"
    return [f"numpy.copyto(result, {subject.name}, where={where}, casting='unsafe')"]


def _single(action: str, given: Mapping[str, Any], subject: Subject, drawn: bool) -> tuple[list[str], list[str]]:
    """Names to import, and the call on an image of one plane."""
    found_by_itself = subject.channel_axis == 2 and subject.shape[2] in (3, 4)
    axis = None if found_by_itself else subject.channel_axis
    call = call_text(action, changed(PARAMETERS[action], given), subject.name, **_more(subject, given, axis))
    return [action], [call + (image_of(action, given) if drawn else "")]


def _planes(action: str, given: Mapping[str, Any], subject: Subject, drawn: bool) -> tuple[list[str], list[str]]:
    """Names to import, further imports, and the call on the planes of a stack."""
    name, axes = subject.name, repr(subject.axes)
    if action == "denoise":
        settings = changed(PARAMETERS["denoise_stack"], given)
        if drawn:
            stack = call_text("denoise_stack", settings, name, axes, **_more(subject, given), **_apart(subject))
            return ["denoise_stack"], [f"{stack}.image"]
        own = {parameter.name for parameter in PARAMETERS["denoise"]} - {CHECKPOINT.name}
        each = {key: value for key, value in settings.items() if key in own}
        others = {key: value for key, value in settings.items() if key not in own}
        planes = call_text("Planes", {}, name, axes, **_apart(subject))
        series = call_text("Series", others, planes, repr(each), **_more(subject, given))
        return ["Planes"], [
            "from napari_rsmoe.denoising.stack import Series",
            f"[denoised for _, denoised in {series}]",
        ]
    settings = changed(PARAMETERS[action], given)
    axis = subject.channel_axis
    if drawn or action == "upscale":
        call = call_text(action, settings, "plane", **_more(subject, given, axis))
        return [action, "map_planes"], [f"map_planes(lambda plane: {call}{image_of(action, given)}, {name}, {axes})"]
    call = call_text(action, settings, "plane.image", **_more(subject, given, axis))
    return [action, "Planes"], [f"[{call} for plane in Planes({name}, {axes})]"]


def image_of(action: str, given: Mapping[str, Any]) -> str:
    """What follows a result to give its image, drawn where and in the data type that the user wanted."""
    where = changed([DEVICE, DTYPE], given)
    return {"denoise": ".image", "fit": f".{call_text('render', where)}", "upscale": "", "deblur": ".image"}[action]


def call_text(function: str, settings: Mapping[str, Any], *arguments: str, **expressions: str) -> str:
    """The call of a function, as Python.

    Parameters
    ----------
    function : str
        Its name.
    settings : mapping
        Values of keywords.
    *arguments, **expressions : str
        Further arguments and keywords, as Python; a keyword takes the place of a setting.
    """
    keywords = [f"{name}={_literal(value)}" for name, value in settings.items() if name not in expressions]
    return f"{function}({', '.join([*arguments, *keywords, *(f'{k}={v}' for k, v in expressions.items())])})"


def _literal(value: Any) -> str:
    """A value as Python writes it."""
    return "float('nan')" if isinstance(value, float) and math.isnan(value) else repr(value)


def _more(subject: Subject, given: Mapping[str, Any], channel_axis: int | None = None) -> dict[str, str]:
    """Keywords that are arrays or say where the channels are."""
    psf = subject.psf or _read_psf(given, subject)
    words = {"psf": psf, "mask": subject.mask, "channel_axis": "" if channel_axis is None else str(channel_axis)}
    return {name: word for name, word in words.items() if word}


def _apart(subject: Subject) -> dict[str, str]:
    """The keyword that says how far planes along Z lie apart, for images that have them."""
    needed = "Z" in subject.axes and "Z" in subject.spacing
    return {"spacing": repr(dict(subject.spacing))} if needed else {}


def _read_psf(given: Mapping[str, Any], subject: Subject) -> str:
    """Python that reads the point spread function from a file; empty if it is not given as one."""
    psf = given.get("psf", "")
    return f"read_image({psf!r}).numpy()" if isinstance(psf, str) and psf and not subject.psf else ""


def command_line(action: str, given: Mapping[str, Any], subject: Subject) -> str:
    """The shell command that repeats a job on a file; what must be done before stands in comments above it.

    Parameters are those of `python_call`.
    """
    stack = not set(subject.axes) <= {"Y", "X", "S"}
    table = PARAMETERS["denoise_stack" if stack and action == "denoise" else action]
    table = (*table, DTYPE) if action == "fit" else table  # The command draws the model, the function does not.
    settings = changed(table, given)
    if subject.psf:
        settings["psf"] = subject.psf_path
    words = ["napari-rsmoe", action, subject.path, subject.target or f"{action}.tif"]
    for parameter in table:
        if parameter.name in settings:
            words += option_words(parameter, settings[parameter.name])
    if subject.mask_path:
        words += option_words(MASK, subject.mask_path)
    if stack:
        words += ["--axes", subject.axes]
    return "".join(f"# {note}\n" for note in subject.notes) + shlex.join(words) + "\n"


def option_words(parameter: Parameter, value: Any) -> list[str]:
    """The words of a command line that give a parameter a value."""
    if isinstance(parameter, Flag):
        return [parameter.flag if value else parameter.off_flag]
    return [parameter.flag, parameter.write(value)]
