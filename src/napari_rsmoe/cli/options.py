"""Options of the verbs, made from the tables of parameters."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..batch.files import Files
from ..batch.following import Following
from ..batch.large import Large
from ..batch.pairs import Target
from ..io.location import Location, is_url
from ..memory import limited
from ..preload import importing_torch
from ..ui.kinds.choices import Choice, Flag
from ..ui.kinds.parameter import Parameter
from ..ui.kinds.texts import Output
from ..ui.parameters.common import MEMORY
from ..ui.parameters.files import FILES as FILE_PARAMETERS
from ..ui.parameters.running import FOLLOWING, LARGE, REPORT, THREADS
from ..ui.parameters.values import check_together
from .program import ADVANCED, FILES, LARGE_IMAGES, RUN, SETTINGS, Option

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
NAME = click.Path(path_type=str)
"""Name of an output; a slash at its end makes it a folder, and would be lost in a Path."""


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
    short = [f"-{parameter.short}"] if parameter.short else []
    if isinstance(parameter, Flag):
        words = f"{parameter.flag}/{parameter.off_flag}" if parameter.default else parameter.flag
        common |= {"is_flag": True, "default": parameter.default}
    else:
        words = parameter.flag
        kind = NAME if isinstance(parameter, Output) else Value(parameter)
        common |= {"type": kind, "metavar": parameter.placeholder, "multiple": several}
        common |= {"required": True} if parameter.required else {} if several else {"default": parameter.default}
    return click.option(words, *short, parameter.name, cls=Option, help=help_of(parameter, several), **common)


def help_of(parameter: Parameter, several: bool = False) -> str:
    """The help of an option: what it does, and what happens without it."""
    help_ = parameter.help + (" May be given several times." if several else "")
    if isinstance(parameter, Output):
        return f"Also write a file. {help_} A folder if INPUT is one."
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
            with limited(given.get(MEMORY.name)):  # also while files are read
                return function(*args, given=given, **values)

        return with_options(wrapper, [option_of(parameter) for parameter in parameters])

    return decorate


def further_outputs(parameters: Sequence[Output]) -> Callable[[Function], Function]:
    """Add an option for each further output; those that were given arrive as the list `further` of `Target`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **values: Any) -> Any:
            names = [(each, values.pop(each.name)) for each in parameters]
            further = [Target(each.flag, name, each.suffix, each.dtype) for each, name in names if name is not None]
            return function(*args, further=further, **values)

        return with_options(wrapper, [option_of(parameter, section=FILES) for parameter in parameters])

    return decorate


# ---------------------------------------------------------------------------------------------- groups of options


@dataclass(frozen=True)
class Common:
    """The options about running and reporting that every verb has; see `napari_rsmoe.ui.parameters.running.REPORT`.

    Parameters
    ----------
    threads : int or None
        Number of processor threads; None leaves it to torch.
    json : bool
        Whether to print one JSON object on standard output, and everything else on standard error.
    quiet, verbose : bool
        Whether to print errors only, or also what was found and decided.
    log_level : str
        The same as a level, if neither of them is given.
    """

    threads: int | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    log_level: str = "warning"

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise click.UsageError("--quiet and --verbose exclude each other: leave out one of them.")

    @property
    def level(self) -> int:
        """The level of `logging` from which messages are printed."""
        return LEVELS["error" if self.quiet else "info" if self.verbose else self.log_level]

    @property
    def silent(self) -> bool:
        """Whether errors only are printed."""
        return self.level >= logging.ERROR

    def prepare(self) -> None:
        """Load torch and set its threads."""
        if self.threads is not None:
            with importing_torch():
                import torch  # here: it takes seconds, and most verbs have something to check before

            torch.set_num_threads(self.threads)


LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Source(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """The name of a file to read: a path, or the location of a URL."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | Location:
        """Return a path, or for a URL a `Location`."""
        location = Location.of(value) if is_url(value) else None
        return location if location is not None and location.path is None else Path(getattr(location, "path", value))


def source_and_target(function: Function) -> Function:
    """Add the arguments INPUT and OUTPUT."""
    return with_options(
        function,
        [
            click.argument("source", metavar="INPUT", type=Source()),
            click.argument("target", metavar="OUTPUT", type=NAME),
        ],
    )


def names_of_source_and_target(function: Function) -> Function:
    """Add the arguments INPUT and OUTPUT as they are given: paths or URLs."""
    return with_options(
        function,
        [
            click.argument("source", metavar="INPUT", type=NAME),
            click.argument("target", metavar="OUTPUT", type=NAME),
        ],
    )


def large_options(function: Function) -> Function:
    """Add the options about images of any size; they arrive as `large`."""
    return _gathered(function, Large, "large", LARGE_IMAGES, LARGE)


def following_options(function: Function) -> Function:
    """Add the options about films that are being written; they arrive as `following`."""
    return _gathered(function, Following, "following", LARGE_IMAGES, FOLLOWING)


def report_options(function: Function) -> Function:
    """Add the options about messages, which every verb has; they arrive as `common`."""
    return _gathered(function, Common, "common", RUN, REPORT)


def run_options(function: Function) -> Function:
    """Add the options of every verb that computes; they arrive as `common`."""
    return _gathered(function, Common, "common", RUN, (THREADS, *REPORT))


READING = ("axes", "series", "allow_incomplete", "allow_outside")
"""Names of the options about reading files."""


def file_options(*names: str) -> Callable[[Function], Function]:
    """Add options about files, by default all; they arrive as `files`."""
    chosen = [parameter for parameter in FILE_PARAMETERS if not names or parameter.name in names]
    return lambda function: _gathered(function, Files, "files", FILES, chosen)


def _gathered(function: Function, kind: type, name: str, section: str, parameters: Sequence[Parameter]) -> Function:
    """Add options whose values reach `function` as one `kind` named `name`."""

    @functools.wraps(function)
    def wrapper(*args: Any, **values: Any) -> Any:
        own = {parameter.name: values.pop(parameter.name) for parameter in parameters}
        return function(*args, **values, **{name: kind(**own)})

    decorated: Any = wrapper
    result: Function = with_options(decorated, [option_of(parameter, section=section) for parameter in parameters])
    return result


def with_options(function: Any, options: Sequence[Callable[[Any], Any]]) -> Any:
    """Add options and arguments in this order."""
    for option in reversed(options):
        function = option(function)
    return function
