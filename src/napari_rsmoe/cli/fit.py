"""``napari-rsmoe fit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..io.atomic import together
from ..ui.parameters import FIT, OUTPUTS
from .batch import Report, planes_text, run_batch
from .files import Pair, Target, pair_up
from .options import Common, Files, file_options, further_outputs, run_options, settings, source_and_target
from .program import Verb
from .stack import Job, Result, outputs_of, process_file, residual

if TYPE_CHECKING:
    from ..model.model import Model


@click.command("fit", cls=Verb, options_metavar="[options]")
@source_and_target
@settings(FIT)
@further_outputs(OUTPUTS["fit"])
@file_options()
@run_options
def command(
    source: Path, target: str, given: dict[str, Any], further: list[Target], files: Files, common: Common
) -> int:
    """Fit steered kernels to INPUT, and render the model to OUTPUT.

    \b
    Examples
      napari-rsmoe fit photo.png drawn.png
      napari-rsmoe fit photo.png drawn.png --n-kernels 10000 --model photo.rsmoe
      napari-rsmoe fit photo.png drawn.png --psnr 35 --model photo.rsmoe
      napari-rsmoe fit photo.png drawn.png --n-kernels 2000 --time 5
      napari-rsmoe fit photo.png drawn.png --preset paper --seed 3
      napari-rsmoe fit folder/ drawn/ --model models/ --format tif

    Each plane of a stack becomes a model of its own. A model file holds one plane, so --model is for images
    of one plane.
    """  # noqa: D301
    with_model = any(each.option == "--model" for each in further)
    if with_model and files.independent_channels:
        raise click.UsageError("A .rsmoe file holds one model: leave out --model or --independent-channels.")
    pairs = pair_up("fit", source, [Target("OUTPUT", target), *further], files.format, overwrite=files.overwrite)
    for pair in pairs if with_model else ():
        if pair.extras["model"].suffix != ".rsmoe":
            raise click.UsageError(f"--model names a .rsmoe file, not {pair.extras['model']}.")
    common.prepare()

    def work(pair: Pair, report: Report) -> dict[str, Any]:
        from ..io.rsmoe import check_target  # here: torch takes seconds to load

        model_path = pair.extras.get("model")
        models: list[Model] = []
        if model_path is not None:
            check_target(model_path, overwrite=files.overwrite, maker=pair.maker)

        def fit_plane(job: Job) -> Result:
            from .. import fit  # here: torch takes seconds to load

            if model_path is not None and job.planes > 1:
                raise ImageError(
                    f"{pair.source} has {job.planes} planes, and a .rsmoe file holds one model. Leave "
                    "--model out, or save the planes as separate files and give their folder."
                )
            fitted = fit(job.pixels, **given, channel_axis=job.channel_axis, callback=job.callback)
            drawn = fitted.render(device=given["device"])
            if model_path is not None:
                fitted.metadata["pixel_size"] = {axis: list(size) for axis, size in job.source.pixel_size.items()}
                models.append(fitted)
            images = [drawn] if "residual" not in pair.extras else [drawn, residual(job.pixels, drawn)]
            return Result(images, {"kernels": fitted.n_kernels, "psnr": _psnr(drawn, job.pixels)})

        outputs = outputs_of(pair, further)
        with together():
            facts = process_file(pair.source, outputs, files, report, fit_plane)
            if model_path is not None:
                models[0].save(model_path, overwrite=files.overwrite, maker=pair.maker)
        known = [fact["psnr"] for fact in facts if fact["psnr"] is not None]
        mean = f", {np.mean(known):.2f} dB" if known else ""
        return {"summary": f"{planes_text(facts)}{facts[0]['kernels']} kernels{mean}", "planes": facts}

    return run_batch("fit", common, pairs, work)


def _psnr(drawn: NDArray[Any], pixels: NDArray[Any]) -> float | None:
    """PSNR in dB, None where it has no finite value: a perfect or a constant image."""
    from .. import psnr  # here: torch takes seconds to load

    try:
        value = psnr(drawn, pixels)
    except ValueError:
        return None
    return round(value, 3) if np.isfinite(value) else None
