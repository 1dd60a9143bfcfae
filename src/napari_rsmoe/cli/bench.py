"""``napari-rsmoe bench``: quality and cost beside the peers, for any folder of images."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .files import ARGUMENT
from .options import POSITIVE, Common, report_options
from .program import Verb

LPIPS = {"none": (), "alex": ("alex",), "vgg": ("vgg",), "both": ("alex", "vgg")}
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
      napari-rsmoe bench superres photos/ results/ --scale 2 --scale 4
      napari-rsmoe bench scaling photos/ results/ --kernels 500 --kernels 5000

    Results go to OUT_FOLDER as JSON, Markdown and plots. What is finished is kept there: a run that was
    interrupted, or is repeated with more images, does the rest only. Needs the extra: pip install
    'napari-rsmoe[bench]'.
    """  # noqa: D301


def bench_options(*own: Any) -> Any:
    """The arguments and options of every benchmark, and some of its own."""
    shared = (
        click.argument("source", metavar="IN_FOLDER", type=ARGUMENT),
        click.argument("target", metavar="OUT_FOLDER", type=ARGUMENT),
        click.option("--quick", is_flag=True, help="A small part of one image and few steps: to see that all runs."),
        click.option("--images", default="", metavar="REGEX", help="Only images whose FOLDER/NAME has a match."),
        click.option("--methods", default="", metavar="REGEX", help="Only methods whose name has a match."),
        click.option("--crop", type=click.IntRange(min=16), help="Side of the square in the middle that is used, px."),
        click.option(
            "--lpips",
            type=click.Choice(list(LPIPS)),
            help="Nets of the perceptual distance; VGG takes seconds an image.  [default: alex if it is installed]",
        ),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of noise and methods."),
        click.option("--threads", type=click.IntRange(min=1), help="Processor threads.  [default: all cores]"),
    )

    def decorate(function: Any) -> Any:
        function = report_options(function)
        for option in reversed((*shared, *own)):
            function = option(function)
        return function

    return decorate


kernels_option = click.option(
    "--kernels", multiple=True, type=click.IntRange(min=1), help="Of each model; may be given several times."
)
iterations_option = click.option(
    "--iterations", type=click.IntRange(min=1), help="Steps of the fits of the peers.  [default: those of their papers]"
)

own_iterations_option = click.option(
    "--own-iterations", type=click.IntRange(min=1), help="Steps of our fits.  [default: those of the preset]"
)


@command.command("regression", cls=Verb, options_metavar="[options]")
@bench_options(kernels_option, iterations_option, own_iterations_option)
def regression(**values: Any) -> None:
    """Model images with kernels: tables I and II of the R-SMoE paper, and its failure on texture.

    \b
    Examples
      napari-rsmoe bench regression photos/ results/ --quick
      napari-rsmoe bench regression kodak/ results/ --images "kodim0[15]" --kernels 2000

    Peers: R-SMoE and RBF by the paper's settings, GaussianImage by its own, the global SMoE and RBF at reduced
    size. They take 10 000 steps, minutes an image.
    """  # noqa: D301
    _run("regression", **values)


@command.command("denoising", cls=Verb, options_metavar="[options]")
@bench_options(
    click.option(
        "--variance",
        "variances",
        multiple=True,
        type=POSITIVE,
        help="Of noise on [0, 1], clipped; may be given several times.  [default: the paper's, for colour images]",
    ),
    click.option(
        "--sigma",
        "sigmas",
        multiple=True,
        type=POSITIVE,
        help="Of noise that is not clipped, of 255; may be given several times.  [default: 15 25 50, for grey images]",
    ),
    click.option(
        "--models",
        type=click.IntRange(min=0, max=64),
        default=0,
        show_default=True,
        help="Multi-model inference as in the paper, with up to so many models: minutes an image and level.",
    ),
)
def denoising(**values: Any) -> None:
    """Remove noise: tables III and IV of the R-SMoE paper, grey images, real pairs, time.

    \b
    Examples
      napari-rsmoe bench denoising photos/ results/ --quick
      napari-rsmoe bench denoising kodak/ results/ --images "0[159]|13|17|21" --models 64
      napari-rsmoe bench denoising fmd/ results/
      napari-rsmoe bench denoising data/ results/ --images "kodak|bsd68|fmd|srdtrans"

    Noise is added to the images of a folder, but for pairs: a folder with raw/ (or noisy/) and gt/, with the same
    file names in both. IN_FOLDER may also hold several such folders.
    """  # noqa: D301
    _run("denoising", **values)


@command.command("superres", cls=Verb, options_metavar="[options]")
@bench_options(
    click.option(
        "--scale",
        "scales",
        multiple=True,
        type=click.IntRange(min=2, max=16),
        help="Factor that is measured; may be given several times.  [default: 2 and 4]",
    ),
    iterations_option,
)
def superres(**values: Any) -> None:
    """Enlarge images that were reduced before, and 10 times as in figure 13 of the R-SMoE paper.

    \b
    Examples
      napari-rsmoe bench superres photos/ results/ --quick
      napari-rsmoe bench superres kodak/ results/ --scale 2 --scale 3
    """  # noqa: D301
    _run("superres", **values)


@command.command("scaling", cls=Verb, options_metavar="[options]")
@bench_options(kernels_option, iterations_option)
def scaling(**values: Any) -> None:
    """Quality, time and convergence against the number of kernels: figures 4, 5 and 8 to 10 of the R-SMoE paper.

    \b
    Examples
      napari-rsmoe bench scaling photos/ results/ --quick
      napari-rsmoe bench scaling kodak/ results/ --images kodim05 --crop 256 --kernels 100 --kernels 1000
    """  # noqa: D301
    _run("scaling", **values)


def _run(name: str, source: Path, target: Path, common: Common, **values: Any) -> None:
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise click.ClickException(
            f"Benchmarks need {' and '.join(missing)}; install the extra: pip install 'napari-rsmoe[bench]'."
        )
    common.prepare()
    from ..bench import perceptual
    from ..bench.benchmark import run
    from ..bench.options import Options

    def say(line: str) -> None:
        if not common.quiet:
            click.echo(line, err=common.json)

    why_not = perceptual.why_not()
    nets = values.pop("lpips")
    if why_not and nets not in (None, "none"):
        raise click.ClickException(why_not)
    if why_not and nets is None:
        say(f"Note: {why_not}")
    nets = nets or ("none" if why_not else "alex")
    target.mkdir(parents=True, exist_ok=True)
    given = {option: value for option, value in values.items() if value not in (None, ())}
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
        if parameter.name in ("json", "quiet", "threads"):
            continue
        value = context.params[parameter.name or ""]
        for one in value if isinstance(value, tuple) else [value]:
            words.append(parameter.opts[0])
            if not parameter.is_flag:
                words.append(f'"{one}"' if isinstance(one, str) else f"{one:g}")
    return words
