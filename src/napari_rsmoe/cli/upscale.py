"""``napari-rsmoe upscale``."""

from __future__ import annotations

from .image_verb import Asked, image_verb


@image_verb("upscale")
def command(asked: Asked) -> int:
    """Upscale INPUT by any factor (super-resolution), and write OUTPUT.

    \b
    Examples
      napari-rsmoe upscale small.png large.png --scale 4
      napari-rsmoe upscale small.tif large.tif --scale 2.5 --sharpen 1.5
      napari-rsmoe upscale stack.ome.tif large.ome.zarr --scale 2 --models 1

    Each plane grows along Y and X, and its pixel size is divided by the factor; other axes stay as they are. To
    draw one model at several sizes, use fit --preset upscale --model, and then render.
    """  # noqa: D301
    return asked.run(asked.pairs())
