"""``napari-rsmoe render``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from ..io.files import check_output, write_image
from ..io.image_file import DTYPES, ImageFile
from ..io.units import PixelSize
from .batch import Report, run_batch
from .files import ARGUMENT, Pair
from .options import POSITIVE, Common, run_options
from .program import Verb


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A given count of numbers with commas between them."""

    def __init__(self, names: str, kind: type[int] | type[float]) -> None:
        self.name = names
        self._count = names.count(",") + 1
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._kind(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != self._count:
            self.fail(f"{value!r} is not {self._count} numbers {self.name}, such as {self._example()}.", param, ctx)
        return numbers

    def _example(self) -> str:
        return ",".join(str(number) for number in (0, 0, 100, 200)[-self._count :])


@click.command("render", cls=Verb, options_metavar="[options]")
@click.argument("model", metavar="MODEL", type=ARGUMENT)
@click.argument("target", metavar="OUTPUT", type=ARGUMENT)
@click.option("--scale", type=POSITIVE, help="Output pixels for each pixel of the model.  [default: 1]")
@click.option("--shape", type=Numbers("HEIGHT,WIDTH", int), help="Size of OUTPUT in pixels, instead of a scale.")
@click.option(
    "--region",
    type=Numbers("Y0,X0,Y1,X1", float),
    help="Part to draw, in pixels of the model; pixel i covers i to i + 1.  [default: all]",
)
@click.option(
    "--sharpen",
    type=POSITIVE,
    default=1.0,
    show_default=True,
    help="Above 1 edges get sharper: kernels shrink by this factor before they are drawn.",
)
@click.option("--dtype", type=click.Choice(DTYPES), help="Data type of OUTPUT.  [default: that of the image fitted]")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG files.")
@run_options
def command(
    model: Path,
    target: Path,
    scale: float | None,
    shape: tuple[int, int] | None,
    region: tuple[float, float, float, float] | None,
    sharpen: float,
    dtype: str | None,
    quality: int,
    common: Common,
) -> int:
    """Draw a saved MODEL (.rsmoe) to OUTPUT, at any size.

    \b
    Examples
      napari-rsmoe render photo.rsmoe photo.png
      napari-rsmoe render photo.rsmoe large.tif --scale 3 --sharpen 1.5
      napari-rsmoe render photo.rsmoe detail.png --region 100,200,164,264 --shape 1024,1024
    """  # noqa: D301
    if scale is not None and shape is not None:
        raise click.UsageError("--scale and --shape both tell the size; give one of them.")
    if model.resolve() == target.resolve():
        raise click.UsageError(f"MODEL and OUTPUT are the same: {model}. Give another name.")
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        from .. import Model
        from ..model.raster import Raster

        loaded = Model.load(pair.source)
        raster = Raster.plan(loaded.shape, loaded.channels, scale=scale, shape=shape, region=region)
        (height, width), axis = raster.shape, loaded.layout.channel_axis
        axes = "YX" if axis is None else ("CYX", "YCX", "YXS")[axis]
        sizes = {
            letter: PixelSize(value * step, unit)
            for letter, step in zip("YX", raster.step, strict=True)
            for value, unit in [loaded.metadata.get("pixel_size", {}).get(letter, (None, None))]
            if value is not None
        }
        kind = np.dtype(dtype or loaded.layout.dtype)
        sides = {"Y": height, "X": width, "C": loaded.channels, "S": loaded.channels}
        blank = np.broadcast_to(np.zeros((), kind), tuple(sides[letter] for letter in axes))
        check_output(pair.target, ImageFile(blank, axes, sizes))  # before the work
        drawn = loaded.render(
            scale=scale, shape=shape, region=region, sharpen=sharpen, dtype=dtype, device=common.device
        )
        write_image(pair.target, ImageFile(drawn, axes, sizes), quality=quality)
        facts = {"shape": list(drawn.shape), "dtype": drawn.dtype.name, "kernels": loaded.n_kernels}
        return {"summary": f"{width} x {height} px", **facts}

    return run_batch("render", common, [Pair(model, target)], work)
