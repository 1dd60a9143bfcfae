"""Fit models to image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.format import residual
from ..image.rounding import rounding_costs, typed_result
from ..image.value_range import for_display
from ..io.atomic import together
from ..ui.parameters.common import DTYPE
from .files import Files
from .listening import Listener
from .pairs import Pair, Place, Target
from .planes import Job, Result, outputs_of, planes_text, process_file

if TYPE_CHECKING:
    from ..model.model import Model


@dataclass(frozen=True)
class FitFile:
    """Fits models to the planes of one file after the other, and writes their drawings.

    Parameters
    ----------
    given : mapping
        Values of `DRAWN`.
    files : Files
        How files are read and written.
    further : sequence of Target
        Further outputs: the model and the residual.
    mask : Path or Location or None
        An image of the pixels that are left out, which keep their value.
    """

    given: Mapping[str, Any]
    files: Files = field(default_factory=Files)
    further: Sequence[Target] = ()
    mask: Place | None = None

    def __call__(self, pair: Pair, listener: Listener) -> dict[str, Any]:
        """Fit a file; see `one_by_one.Work`."""
        from ..io.rsmoe import check_target  # here: torch takes seconds to load

        given = dict(self.given)
        dtype = given.pop(DTYPE.name)
        model_path = None if "model" not in pair.extras else str(pair.extras["model"])
        models: list[Model] = []
        writing: dict[str, Any] = {"overwrite": self.files.overwrite, "maker": pair.maker}
        if model_path is not None:
            check_target(model_path, **writing)

        def fit_plane(job: Job) -> Result:
            from ..fitting.fit import fit  # here: torch takes seconds to load

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

        outputs = outputs_of(pair, self.further, dtype=dtype)
        with together():
            facts = process_file(pair.source, outputs, self.files, listener, fit_plane, mask=self.mask)
            if model_path is not None:
                models[0].save(model_path, **writing)
        return {"summary": _summary(facts), "planes": facts}


def _summary(facts: list[dict[str, Any]]) -> str:
    known = [fact["psnr"] for fact in facts if fact["psnr"] is not None]
    ranges = sorted({fact["data_range"] for fact in facts if fact["psnr"] is not None})
    span = "" if not ranges else f"{ranges[0]:.6g}" + (f" to {ranges[-1]:.6g}" if len(ranges) > 1 else "")
    mean = f", {np.mean(known):.2f} dB in a range of {span}" if known else ""
    return f"{planes_text(facts)}{facts[0]['kernels']} kernels{mean}"


def _drawn(model: Model, dtype: str, given: Mapping[str, Any]) -> NDArray[Any]:
    """The rendered model in the type of the image, or in the chosen one."""
    from ..model.output_type import fit_error  # here: torch takes seconds to load

    layout, error = model.layout, fit_error(model)
    plain = np.dtype(layout.dtype).kind == "f" or for_display(np.dtype(layout.dtype), layout.low, layout.high)
    if dtype != "float32" and plain and not rounding_costs(error, layout.dtype):
        return model.render(device=given["device"])
    kind = np.float32 if np.dtype(layout.dtype).itemsize <= 2 else np.float64
    return typed_result(model.render(device=given["device"], dtype=kind), layout, error, dtype, given["seed"])
