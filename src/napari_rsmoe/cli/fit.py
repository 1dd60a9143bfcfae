"""``napari-rsmoe fit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.rounding import rounding_costs, typed_result
from ..io.atomic import together
from ..ui.parameters import DTYPE, FIT, OUTPUTS
from .batch import Report, planes_text, run_batch
from .files import Pair, Target, pair_up
from .options import Common, Files, file_options, further_outputs, option_of, run_options, settings, source_and_target
from .program import Verb
from .stack import Job, Result, outputs_of, process_file, residual

if TYPE_CHECKING:
    from ..model.model import Model


@click.command("fit", cls=Verb, options_metavar="[options]")
@source_and_target
@settings(FIT)
@option_of(DTYPE)
@further_outputs(OUTPUTS["fit"])
@file_options()
@run_options
def command(
    source: Path, target: str, given: dict[str, Any], dtype: str, further: list[Target], files: Files, common: Common
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
            inputs = job.inputs(given)
            fitted = fit(inputs, **given, callback=job.callback)
            drawn = inputs.with_missing(_drawn(fitted, dtype, given))
            if model_path is not None:
                fitted.metadata["pixel_size"] = {axis: list(size) for axis, size in job.source.pixel_size.items()}
                models.append(fitted)
            images = [drawn] if "residual" not in pair.extras else [drawn, residual(job.pixels, drawn)]
            facts = {name: fitted.metadata.get(name) for name in ("psnr", "data_range")}
            return Result(images, {"kernels": fitted.n_kernels, **facts})

        outputs = outputs_of(pair, further, dtype=dtype)
        with together():
            facts = process_file(pair.source, outputs, files, report, fit_plane)
            if model_path is not None:
                models[0].save(model_path, overwrite=files.overwrite, maker=pair.maker)
        known = [fact["psnr"] for fact in facts if fact["psnr"] is not None]
        ranges = sorted({fact["data_range"] for fact in facts if fact["psnr"] is not None})
        span = "" if not ranges else f"{ranges[0]:.6g}" + (f" to {ranges[-1]:.6g}" if len(ranges) > 1 else "")
        mean = f", {np.mean(known):.2f} dB in a range of {span}" if known else ""
        return {"summary": f"{planes_text(facts)}{facts[0]['kernels']} kernels{mean}", "planes": facts}

    return run_batch("fit", common, pairs, work)


def _drawn(model: Model, dtype: str, given: dict[str, Any]) -> NDArray[Any]:
    """The rendered model in the type of the image, or in the chosen one."""
    layout, psnr = model.layout, model.metadata.get("psnr")
    error = np.inf if psnr is None else model.metadata["data_range"] * 10 ** (-psnr / 20)
    if dtype != "float32" and not rounding_costs(error, layout.dtype):
        return model.render(device=given["device"])
    kind = np.float32 if np.dtype(layout.dtype).itemsize <= 2 else np.float64
    return typed_result(model.render(device=given["device"], dtype=kind), layout, error, dtype, given["seed"])
