"""Options of the verbs: made from the tables of parameters, and those that only a command line has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..ui.kinds import Choice, Flag, IntParameter, Parameter
from ..ui.parameters import OVERWRITE, THREADS, check_together
from .program import ADVANCED, FILES, RUN, SETTINGS, Option

Function = TypeVar("Function", bound=Callable[..., Any])

FORMATS = ("tif", "ome.tif", "png", "jpg", "npy", "zarr", "ome.zarr")
PATH = click.Path(path_type=Path)
NAME = click.Path(path_type=str)
"""Name of an output; a slash at its end makes it a folder, and would be lost in a Path."""
QUALITY = IntParameter(name="quality", label="JPEG quality", help="Quality of JPEG files.", default=95, low=1, high=100)


# ---------------------------------------------------------------------------------------------- from the tables


class Value(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """The values that a parameter accepts.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    """

    def __init__(self, parameter: Parameter) -> None:
        self.name, self._parameter = parameter.placeholder, parameter

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value in the parameter's type."""
        try:
            return self._parameter.parse(value) if isinstance(value, str) else self._parameter.accept(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The names to choose from that begin with what is there."""
        from click.shell_completion import CompletionItem  # here: it would delay every command

        known = self._parameter
        names = list(known.choices) if isinstance(known, Choice) else []
        names += [] if known.automatic is None or known.automatic.value is None else [str(known.automatic.value)]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def option_of(parameter: Parameter, *, several: bool = False, section: str = "") -> Callable[[Any], Any]:
    """The option of the command line that a parameter describes.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    several : bool
        Whether the option may be given several times; its value is then a tuple.
    section : str
        Heading in the help; by default as `advanced` says.
    """
    section = section or (ADVANCED if parameter.advanced else SETTINGS)
    common: dict[str, Any] = {"section": section, "former": parameter.former_flags}
    if isinstance(parameter, Flag):
        words = f"{parameter.flag}/{parameter.off_flag}" if parameter.default else parameter.flag
        common |= {"is_flag": True, "default": parameter.default}
    else:
        words = parameter.flag
        common |= {"type": Value(parameter), "metavar": parameter.placeholder, "multiple": several}
        common |= {"required": True} if parameter.required else {} if several else {"default": parameter.default}
    return click.option(words, parameter.name, cls=Option, help=help_of(parameter, several), **common)


def help_of(parameter: Parameter, several: bool = False) -> str:
    """The help of an option: what it does, and what happens without it."""
    help_ = parameter.help + (" May be given several times." if several else "")
    default = parameter.default
    if parameter.required or default is False or default == "":
        return help_
    if isinstance(parameter, Flag):
        text = parameter.flag[2:]
    elif parameter.automatic is not None and default is None:
        text = parameter.automatic.label
    else:
        text = parameter.write(default)
    return f"{help_}  [default: {text}]"


def settings(parameters: Sequence[Parameter]) -> Callable[[Function], Function]:
    """Add an option for each parameter; their values arrive together as the mapping `given`, checked.

    Parameters
    ----------
    parameters : sequence of Parameter
        The table.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **values: Any) -> Any:
            given = {parameter.name: values.pop(parameter.name) for parameter in parameters}
            try:
                check_together(parameters, given, lambda parameter: parameter.flag)
            except ValueError as error:
                raise click.UsageError(str(error)) from None
            return function(*args, given=given, **values)

        return with_options(wrapper, [option_of(parameter) for parameter in parameters])

    return decorate


# ---------------------------------------------------------------------------------------------- of a command line only


@dataclass(frozen=True)
class Common:
    """The options about running and reporting that every verb has.

    Parameters
    ----------
    threads : int or None
        Number of processor threads; None leaves it to torch.
    json : bool
        Whether to print one JSON object on standard output, and everything else on standard error.
    quiet : bool
        Whether to print errors only.
    """

    threads: int | None = None
    json: bool = False
    quiet: bool = False

    def prepare(self) -> None:
        """Load torch and set its threads."""
        if self.threads is not None:
            import torch  # here: it takes seconds, and most verbs have something to check before

            torch.set_num_threads(self.threads)


@dataclass(frozen=True)
class Files:
    """The options about files, for the verbs that convert images to images.

    Parameters
    ----------
    axes : str or None
        Axes of the input, instead of those in the file.
    independent : bool
        Whether to treat each channel as an image of its own.
    suffix : str or None
        Suffix of the files of an output folder, without the dot; None keeps the suffix of each file.
    quality : int
        JPEG quality, 1 to 100.
    allow_outside : bool
        Whether the input may draw in files outside its folder.
    overwrite : bool
        Whether existing files are replaced, whatever they are.
    """

    axes: str | None = None
    independent: bool = False
    suffix: str | None = None
    quality: int = 95
    allow_outside: bool = False
    overwrite: bool = False


def source_and_target(function: Function) -> Function:
    """Add the arguments INPUT and OUTPUT."""
    return with_options(
        function,
        [
            click.argument("source", metavar="INPUT", type=PATH),
            click.argument("target", metavar="OUTPUT", type=NAME),
        ],
    )


def file_option(flag: str, help_: str, metavar: str = "FILE") -> Callable[[Function], Function]:
    """An option that names a file or a folder."""
    return click.option(flag, type=NAME, metavar=metavar, help=help_, cls=Option, section=FILES)


axes_option = click.option(
    "--axes",
    metavar="LETTERS",
    cls=Option,
    section=FILES,
    help="Axes of the input if the file does not declare them: one letter each, such as ZYX or TCYX. Y and X span a "
    "plane, C and S are its channels, and any other axis is iterated over.",
)
outside_option = click.option(
    "--allow-outside",
    is_flag=True,
    cls=Option,
    section=FILES,
    help="Follow file names and links inside the input that lead out of its folder. By default they are refused.",
)
quality_option = option_of(QUALITY, section=FILES)
overwrite_option = option_of(OVERWRITE, section=FILES)


def report_options(function: Function) -> Function:
    """Add --json and --quiet, which every verb has; they arrive as `common`."""
    return _gathered(function, Common, "common", *_report_options())


def run_options(function: Function) -> Function:
    """Add the options of every verb that computes; they arrive as `common`."""
    return _gathered(function, Common, "common", option_of(THREADS, section=RUN), *_report_options())


def file_options(function: Function) -> Function:
    """Add the options of the verbs that turn images into images; they arrive as `files`."""
    return _gathered(
        function,
        Files,
        "files",
        axes_option,
        outside_option,
        click.option(
            "--independent-channels",
            "independent",
            is_flag=True,
            cls=Option,
            section=FILES,
            help="Treat each channel as an image of its own. By default the channels of a plane share kernels.",
        ),
        click.option(
            "--format",
            "suffix",
            type=click.Choice(FORMATS),
            metavar="SUFFIX",
            cls=Option,
            section=FILES,
            help=f"Format of the files in an output folder: {', '.join(FORMATS)}.  [default: that of each input]",
        ),
        quality_option,
        overwrite_option,
    )


def _report_options() -> list[Callable[[Any], Any]]:
    return [
        click.option(
            "--json", is_flag=True, cls=Option, section=RUN, help="Print one JSON object on stdout, all else on stderr."
        ),
        click.option(
            "--quiet", "-q", is_flag=True, cls=Option, section=RUN, help="Print errors only, and no progress bar."
        ),
    ]


def _gathered(function: Function, kind: type, name: str, *options: Callable[[Any], Any]) -> Function:
    """Add options whose values reach `function` as one `kind` named `name`."""
    fields = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]

    @functools.wraps(function)
    def wrapper(*args: Any, **values: Any) -> Any:
        own = {field: values.pop(field) for field in fields if field in values}
        return function(*args, **values, **{name: kind(**own)})

    decorated: Any = wrapper
    result: Function = with_options(decorated, options)
    return result


def with_options(function: Any, options: Sequence[Callable[[Any], Any]]) -> Any:
    """Add options and arguments in this order."""
    for option in reversed(options):
        function = option(function)
    return function
