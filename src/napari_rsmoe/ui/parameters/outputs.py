"""Further results that a job writes or shows."""

from __future__ import annotations

from dataclasses import replace

from ..kinds.texts import Output

STD = Output(
    name="std",
    label="Uncertainty",
    help="The uncertainty of each pixel: one standard deviation of the error, in the units of the image, as float32.",
    dtype="float32",
)
RESIDUAL = Output(name="residual", label="Residual", help="The image minus the result, as float32.", dtype="float32")
OUTPUTS: dict[str, tuple[Output, ...]] = {
    "denoise": (replace(STD, shown=True), RESIDUAL),
    "fit": (
        Output(
            name="model",
            label="Kernels",
            help="The kernels of the model, as a .rsmoe file or, in napari, as ellipses.",
            shown=True,
            suffix=".rsmoe",
        ),
        RESIDUAL,
    ),
    "deblur": (STD,),
    "upscale": (
        STD,
        Output(name="bicubic", label="Bicubic", help="The image enlarged by cubic interpolation, for comparison."),
    ),
}
"""Further results of a job, by its name: files on the command line, layers in napari."""
