"""``napari-rsmoe deblur``."""

from __future__ import annotations

from .image_verb import Asked, image_verb


@image_verb("deblur")
def command(asked: Asked) -> int:
    """Undo the blur of the optics in INPUT (deconvolution), and write OUTPUT.

    \b
    Examples
      napari-rsmoe deblur cells.tif sharp.tif --psf 1.5
      napari-rsmoe deblur cells.tif sharp.tif --psf 1.4,520,65 --scale 2 --std error.tif
      napari-rsmoe deblur stack.ome.tif sharp.ome.tif --psf beads.tif --noise 2.1,100,3

    Every plane is deconvolved separately, with the point spread function in the plane. A wrong one makes results that
    look sharp and are wrong.
    """  # noqa: D301
    return asked.run(asked.pairs())
