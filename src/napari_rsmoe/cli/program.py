"""The program: its verbs, its exit codes, and its error messages."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from ..endings import leave
from ..errors import DeviceError, EngineError, WrongUseError
from ..memory import memory_error
from ..preload import load_early
from .terminal import safe_output, stopped_by_signals

# The line of each verb in the overview; its command is `command` in the module of the same name.
VERBS = {
    "fit": "Fit steered kernels to an image, and render the model.",
    "denoise": "Remove noise, without training or parameters to guess.",
    "upscale": "Upscale an image by any factor (super-resolution).",
    "deblur": "Undo a known blur (deconvolution), with an error bar.",
    "render": "Render a saved model at any size, region and sharpness.",
    "noise": "Estimate the noise of an image, with standard errors.",
    "info": "Describe an image or a model file.",
    "bench": "Measure quality and cost beside other methods.",
    "doctor": "Check the installation, with a remedy for each problem.",
}
WITHOUT_ENGINE = ("info", "bench", "doctor")
"""Verbs that need torch late or not at all."""
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
EXPECTED = (ValueError, OSError, MemoryError, DeviceError, EngineError)
"""Expected errors, whose message suffices; any other error is a defect of this program, and its traceback is shown."""


PROGRAM = "napari-rsmoe"
NEAR = 0.6
"""Similarity of two words, from 0 to 1, above which one may have been meant by the other."""
ELSEWHERE = {"--sigma": "--noise"}
"""Options by the names that they have in other programs."""
SEVERAL = " To process several images, put them into a folder, and give the folder as INPUT and another as OUTPUT."
"""What to do with more than one image."""
SECTIONS = SETTINGS, ADVANCED, FILES, LARGE_IMAGES, RUN = (
    "Settings", "Advanced settings", "Files", "Large images", "Run and report",
)  # fmt: skip
"""Headings of the options in the help of a verb, in their order."""
RENAMED = f"{__name__}.renamed"
"""Where a context keeps the earlier names of options that were used."""


class Option(click.Option):
    """An option with a heading in the help, and earlier names that are still accepted.

    Parameters
    ----------
    *names
        As for `click.Option`.
    section : str
        The heading.
    former : sequence of str
        Earlier names; using one of them is noted on standard error.
    **options
        As for `click.Option`.
    """

    def __init__(self, *names: Any, section: str = RUN, former: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*names, **options)
        self.section, self.former = section, tuple(former)


class Verb(click.Command):
    """A verb: its usage names the options last, as they are written, and its help groups them under headings."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the arguments, then the options."""
        options, *arguments = super().collect_usage_pieces(ctx)
        return [*arguments, options]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options, section by section."""
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in SECTIONS}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None and isinstance(option, click.Option):
                sections[getattr(option, "section", RUN)].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records, col_max=28)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words, in which an earlier name of an option stands for its present one."""
        names = {old: option.opts[0] for option in self.params if isinstance(option, Option) for old in option.former}
        options = args[: args.index("--")] if "--" in args else args
        found: dict[str, str] = {}
        words = []
        for word in options:
            name, equals, value = word.partition("=")
            found |= {name: names[name]} if name in names else {}
            words.append(names.get(name, name) + equals + value)
        ctx.meta[RENAMED] = found
        ctx.allow_extra_args = True
        try:
            left = super().parse_args(ctx, words + args[len(options) :])
        except click.NoSuchOption as error:
            known = {name for option in self.params for name in option.opts}
            meant = ELSEWHERE.get(error.option_name)
            if meant not in known:
                raise
            ctx.fail(f"There is no option {error.option_name}. Did you mean '{meant}'?")
        if left and not ctx.resilient_parsing:
            wanted = [each for each in self.params if isinstance(each, click.Argument)]
            words = [*(str(ctx.params[each.name or ""]) for each in wanted), *left]
            taken = " and one ".join((each.metavar or each.name or "").upper() for each in wanted) or "no name"
            advice = SEVERAL if len(wanted) > 1 and not any(name.startswith("-") for name in left) else ""
            ctx.fail(f"{self.name} takes one {taken}, but these were given: {' '.join(words)}.{advice}")
        return left

    def invoke(self, ctx: click.Context) -> Any:
        """Do the work, after a note on the names that have changed."""
        if not ctx.params.get("quiet"):
            for old, new in ctx.meta.get(RENAMED, {}).items():
                click.echo(f"Note: {old} is now called {new}; the old name will go.", err=True)
        return super().invoke(ctx)


class Program(click.Group):
    """A group of verbs that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs, in the order of `VERBS`."""
        return list(VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an error names those that are spelled similarly."""
        word = args[0]
        if word not in VERBS and not word.startswith("-"):
            near = get_close_matches(word.lower(), VERBS, cutoff=NEAR)
            if near:
                hint = f"Did you mean {' or '.join(near)}?"
            elif Path(word).exists():
                hint = (
                    f"The verb comes first: napari-rsmoe VERB {word} OUTPUT, where VERB is one of {', '.join(VERBS)}."
                )
            else:
                hint = f"There are {', '.join(VERBS)}."
            ctx.fail(f"There is no verb {word!r}. {hint}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run the program and leave with its exit code."""
        arguments = list(sys.argv[1:] if args is None else args)
        early = args is None and needs_engine(arguments)
        if early:
            load_early()
        with safe_output(), stopped_by_signals():
            code = self._run(arguments, *rest, **options)
        if args is None:
            if any(thread.name.startswith(PROGRAM) for thread in threading.enumerate()):
                leave(code, wait=False)  # Such a thread still computes for a job that was stopped.
            if early:
                leave(code)
        sys.exit(code)

    def _run(self, arguments: list[str], *rest: Any, **options: Any) -> int:
        """Run the program and return its exit code."""
        options["standalone_mode"] = False
        options.setdefault("prog_name", PROGRAM)
        try:
            code = super().main(arguments, *rest, **options)
            return code if isinstance(code, int) else OK
        except click.ClickException as error:
            _show(error, "--json" in arguments)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            _say_error("Stopped. Unfinished files were not written.", "--json" in arguments)
            return INTERRUPTED
        except BrokenPipeError:  # The reader of the output has ended, for example in `| head`.
            sys.stdout = None  # Prevents a flush at exit.
            return FAILED
        except Exception as error:
            _say_error(describe_error(error), "--json" in arguments)
            return USAGE if isinstance(error, WrongUseError) else FAILED


def needs_engine(arguments: Sequence[str]) -> bool:
    """Whether the words of a command line ask for work of the engine."""
    return (
        bool(arguments)
        and arguments[0] in VERBS.keys() - WITHOUT_ENGINE
        and not {"-h", "--help"}.intersection(arguments)
    )


def describe_error(error: Exception) -> str:
    """Return the message of an expected error; for any other, print the traceback and add its type."""
    error = memory_error(error) or error
    if isinstance(error, EXPECTED):
        return str(error)
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}"


def _show(error: click.ClickException, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ok": False, "error": error.format_message()}))
    error.show(file=sys.stderr)


def _say_error(message: str, as_json: bool) -> None:
    with contextlib.suppress(OSError):  # After a hang-up there is no terminal to write to.
        click.echo(f"Error: {message}", err=True)
    with contextlib.suppress(OSError):
        if as_json:
            click.echo(json.dumps({"ok": False, "error": message}))


@click.command(
    cls=Program,
    options_metavar="",
    subcommand_metavar="VERB INPUT OUTPUT [options]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all done; 1 something failed, or some of the files of a folder did; 2 wrong usage; "
    "130 stopped with Ctrl-C. Shell completion: docs/guide/command-line.md.",
)
@click.version_option(package_name="napari-rsmoe")
def main() -> None:
    """Steered mixtures of experts for images: fitting, denoising, super-resolution.

    The order is always the same: napari-rsmoe VERB INPUT OUTPUT [options].

    \b
    Examples
      napari-rsmoe denoise noisy.tif clean.tif
      napari-rsmoe upscale small.png large.png --scale 4
      napari-rsmoe fit photo.png model.png --n-kernels 5000 --model photo.rsmoe
      napari-rsmoe denoise folder/ cleaned/ --json
      napari-rsmoe info stack.ome.tif

    Images are TIFF, OME-TIFF, PNG, JPEG, NPY, OME-Zarr and plain Zarr; the suffix determines the format. Data
    type, value range, axes and pixel size are kept. Stacks are processed plane by plane, folders file by file.
    Files appear when they are complete. An existing file is only replaced if the same verb made it from the same
    INPUT; --overwrite replaces any. OUTPUT may be a folder, as in "denoise small.png outdir/".
    """  # noqa: D301  # \b is click's mark for text that is not to be wrapped
