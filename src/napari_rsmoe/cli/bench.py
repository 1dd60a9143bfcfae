"""``napari-rsmoe bench``: quality and cost beside other methods, for any folder of images."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ..ui.parameters.benchmarks import BENCHMARKS, FIELDS, LPIPS
from .options import PATH, Common, option_of, run_options, with_options
from .program import Verb

NEEDED = {"matplotlib": "matplotlib", "bm3d": "bm3d", "pywt": "PyWavelets"}
"""Modules of the extra and the names of their packages."""


class Benchmarks(click.Group):
    """The benchmarks, in the order they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names."""
        return list(self.commands)


@click.group("bench", cls=Benchmarks, options_metavar="", subcommand_metavar="BENCHMARK IN_FOLDER OUT_FOLDER [options]")
def command() -> None:
    """Measure quality and cost beside other methods, for any folder of images.

    \b
    Examples
      napari-rsmoe bench regression photos/ results/ --quick
      napari-rsmoe bench denoising photos/ results/ --images "kodim0[159]"
      napari-rsmoe bench films photos/ results/ --images "camera|volume"
      napari-rsmoe bench superres photos/ results/ --scale 2 --scale 4
      napari-rsmoe bench scaling photos/ results/ --n-kernels 500 --n-kernels 5000

    Results go to OUT_FOLDER as JSON, Markdown and plots. Finished results are kept there: a run that was
    interrupted, or that is repeated with more images, computes only the rest. Needs the extra: pip install
    'napari-rsmoe[bench]'.
    """  # noqa: D301


def bench_options(name: str) -> Any:
    """The arguments of every benchmark, and the options of one of them."""
    shown = (
        click.argument("source", metavar="IN_FOLDER", type=PATH),
        click.argument("target", metavar="OUT_FOLDER", type=PATH),
        *(option_of(parameter, several=parameter.name in FIELDS) for parameter in BENCHMARKS[name]),
    )

    def decorate(function: Any) -> Any:
        return with_options(run_options(function), shown)

    return decorate


@command.command(
    "regression",
    cls=Verb,
    options_metavar="[options]",
    short_help="Model images with kernels: tables of the paper, texture.",
)
@bench_options("regression")
def regression(**values: Any) -> None:
    """Model images with kernels: tables I and II of the R-SMoE paper, and its failure on texture.

    \b
    Examples
      napari-rsmoe bench regression photos/ results/ --quick
      napari-rsmoe bench regression kodak/ results/ --images "kodim0[15]" --n-kernels 2000

    Peers: R-SMoE and RBF with the settings of the paper, GaussianImage with its own, and global SMoE and RBF at
    reduced size. They take 10 000 steps, which is minutes per image.
    """  # noqa: D301
    _run("regression", **values)


@command.command(
    "denoising",
    cls=Verb,
    options_metavar="[options]",
    short_help="Remove noise: tables of the paper, real pairs, time.",
)
@bench_options("denoising")
def denoising(**values: Any) -> None:
    """Remove noise: tables III and IV of the R-SMoE paper, grey images, real pairs, time.

    \b
    Examples
      napari-rsmoe bench denoising photos/ results/ --quick
      napari-rsmoe bench denoising kodak/ results/ --images "0[159]|13|17|21" --models 64
      napari-rsmoe bench denoising fmd/ results/
      napari-rsmoe bench denoising data/ results/ --images "kodak|bsd68|fmd|srdtrans"

    Noise is added to the images of a folder, except to pairs: a folder with raw/ (or noisy/) and gt/, with the
    same file names in both. IN_FOLDER may also hold several such folders.
    """  # noqa: D301
    _run("denoising", **values)


@command.command(
    "films", cls=Verb, options_metavar="[options]", short_help="Films, stacks and volumes, with neighbouring planes."
)
@bench_options("films")
def films(**values: Any) -> None:
    """Films made from photographs, volumes and real films: plane by plane, through planes, and by other methods.

    \b
    Examples
      napari-rsmoe bench films photos/ results/ --quick
      napari-rsmoe bench films kodak/ results/ --images "camera.*kodim0[159]|volume"
      napari-rsmoe bench films srdtrans/ results/ --methods "through planes|BM4D"

    Photographs become films of a still, panning or zooming camera, of a moving disc, of a flickering lamp and of scene
    cuts. Pairs of a data set are the frames of one film. Stacks and films of a folder have no truth: their flicker
    is measured. --images selects scenes too. BM4D and ndsafir take part if they are installed.
    """  # noqa: D301
    _run("films", **values)


@command.command(
    "superres", cls=Verb, options_metavar="[options]", short_help="Super-resolution of images that were reduced before."
)
@bench_options("superres")
def superres(**values: Any) -> None:
    """Super-resolution of images that were reduced before, and 10 times as in figure 13 of the R-SMoE paper.

    \b
    Examples
      napari-rsmoe bench superres photos/ results/ --quick
      napari-rsmoe bench superres kodak/ results/ --scale 2 --scale 3
    """  # noqa: D301
    _run("superres", **values)


@command.command(
    "scaling",
    cls=Verb,
    options_metavar="[options]",
    short_help="Quality, time and convergence by the number of kernels.",
)
@bench_options("scaling")
def scaling(**values: Any) -> None:
    """Quality, time and convergence against the number of kernels: figures 4, 5 and 8 to 10 of the R-SMoE paper.

    \b
    Examples
      napari-rsmoe bench scaling photos/ results/ --quick
      napari-rsmoe bench scaling kodak/ results/ --images kodim05 --crop 256 --n-kernels 100 --n-kernels 1000
    """  # noqa: D301
    _run("scaling", **values)


def _run(name: str, source: Path, target: Path, common: Common, **values: Any) -> None:
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise click.ClickException(
            f"Benchmarks need {' and '.join(missing)}; install the extra: pip install 'napari-rsmoe[bench]'."
        )
    common.prepare()
    from ..bench import perceptual  # here: torch takes seconds to load
    from ..bench.benchmark import run
    from ..bench.options import Options

    def say(line: str) -> None:
        if not common.silent:
            click.echo(line, err=common.json)

    why_not = perceptual.why_not()
    nets = values.pop("lpips")
    if why_not and nets not in (None, "none"):
        raise click.ClickException(why_not)
    if why_not and nets is None:
        say(f"Note: {why_not}")
    nets = nets or ("none" if why_not else "alex")
    target.mkdir(parents=True, exist_ok=True)
    given = {FIELDS.get(option, option): value for option, value in values.items() if value not in (None, ())}
    options = Options(source, target, lpips=LPIPS[nets], **given)
    context = click.get_current_context()
    command_line = " ".join(["napari-rsmoe bench", name, source.name or ".", target.name or ".", *_shown(context)])
    tables = run(name, options, command_line, say)
    if common.json:
        click.echo(json.dumps({"verb": f"bench {name}", "ok": True, "output": str(target), "tables": tables}))
    else:
        say(f"{target / name}.md, .json")


def _shown(context: click.Context) -> list[str]:
    """The options that the user gave, as they are written."""
    words = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if not isinstance(parameter, click.Option) or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        if parameter.name in ("json", "threads", "quiet", "verbose", "log_level"):
            continue
        value = context.params[parameter.name or ""]
        for one in value if isinstance(value, tuple) else [value]:
            words.append(parameter.opts[0])
            if not parameter.is_flag:
                words.append(f'"{one}"' if isinstance(one, str) else f"{one:g}")
    return words
