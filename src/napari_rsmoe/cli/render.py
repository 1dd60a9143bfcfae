"""``napari-rsmoe render``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..batch.files import Files
from ..batch.listening import Listener
from ..batch.pairs import Pair, Target
from ..io.location import Location
from ..ui.parameters.fitting import RENDER
from .batch import pair_up, run_batch
from .options import NAME, Common, Source, file_options, run_options, settings
from .program import Verb


@click.command("render", cls=Verb, options_metavar="[options]")
@click.argument("model", metavar="MODEL", type=Source())
@click.argument("target", metavar="OUTPUT", type=NAME)
@settings(RENDER)
@file_options("quality", "overwrite")
@run_options
def command(
    model: Path | Location,
    target: str,
    given: dict[str, Any],
    files: Files,
    common: Common,
) -> int:
    """Render a saved MODEL (.rsmoe) to OUTPUT, at any size.

    \b
    Examples
      napari-rsmoe render photo.rsmoe photo.png
      napari-rsmoe render photo.rsmoe large.tif --scale 3 --sharpen 1.5
      napari-rsmoe render photo.rsmoe detail.png --region 100,200,164,264 --shape 1024,1024
    """  # noqa: D301
    if isinstance(model, Path) and model.is_dir():
        raise click.UsageError(f"MODEL is a .rsmoe file, not a folder: {model}.")
    pairs = pair_up("render", model, [Target("OUTPUT", target, ".tif")], overwrite=files.overwrite)
    common.prepare()

    def work(pair: Pair, _: Listener) -> dict[str, Any]:
        import numpy as np  # here: --help does not wait for it

        # Imported here to save start-up time: torch takes seconds.
        from .. import Model
        from ..io.image_file import ImageFile
        from ..io.units import PixelSize
        from ..io.writing import check_output, write_image
        from ..model.output_type import output_type
        from ..model.raster import Raster

        loaded = Model.load(str(pair.source))
        placing = {name: given[name] for name in ("scale", "shape", "region")}
        raster = Raster.plan(loaded.shape, loaded.channels, **placing)
        (height, width), axis = raster.shape, loaded.layout.channel_axis
        axes = "YX" if axis is None else ("CYX", "YCX", "YXS")[axis]
        sizes = {
            letter: PixelSize(value * step, unit)
            for letter, step in zip("YX", raster.step, strict=True)
            for value, unit in [loaded.metadata.get("pixel_size", {}).get(letter, (None, None))]
            if value is not None
        }
        # The type is chosen once, so that what is said about it is said once.
        kind = output_type(loaded, given["dtype"])
        sides = {"Y": height, "X": width, "C": loaded.channels, "S": loaded.channels}
        blank = np.broadcast_to(np.zeros((), kind), tuple(sides[letter] for letter in axes))
        writing: dict[str, Any] = {"overwrite": files.overwrite, "maker": pair.maker}
        check_output(str(pair.target), ImageFile(blank, axes, sizes), **writing)  # before the work
        drawn = loaded.render(**given | {"dtype": kind})
        write_image(str(pair.target), ImageFile(drawn, axes, sizes), quality=files.quality, **writing)
        facts = {"shape": list(drawn.shape), "dtype": drawn.dtype.name, "kernels": loaded.n_kernels}
        return {"summary": f"{width} x {height} px", **facts}

    return run_batch("render", common, pairs, work)
