"""``napari-rsmoe upscale``."""

from __future__ import annotations

from ..ui.parameters.running import STATUS
from .image_verb import Asked, image_verb
from .status import show_status


@image_verb("upscale", STATUS)
def command(asked: Asked) -> int:
    """Upscale INPUT by any factor (super-resolution), and write OUTPUT.

    \b
    Examples
      napari-rsmoe upscale small.png large.png --scale 4
      napari-rsmoe upscale small.tif large.tif --scale 2.5 --sharpen 1.5
      napari-rsmoe upscale stack.ome.tif large.ome.zarr --scale 2 --models 1
      napari-rsmoe upscale huge.ome.tif larger.ome.zarr --scale 2 --memory 4G
      napari-rsmoe upscale huge.ome.tif larger.ome.zarr --scale 2 --status

    Each plane grows along Y and X, and its pixel size is divided by the factor; other axes stay as they are. To
    draw one model at several sizes, use fit --preset upscale --model, and then render. Images that do not fit the
    memory are enlarged block by block; the same command goes on with a job that was interrupted.
    """  # noqa: D301
    if asked.status:
        return show_status("upscale", asked.target, asked.common)
    return asked.run(asked.pairs())
