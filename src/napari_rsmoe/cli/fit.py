"""``napari-rsmoe fit``."""

from __future__ import annotations

import click

from .image_verb import Asked, image_verb


@image_verb("fit")
def command(asked: Asked) -> int:
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
    with_model = any(each.option == "--model" for each in asked.further)
    if with_model and asked.files.independent_channels:
        raise click.UsageError("A .rsmoe file holds one model: leave out --model or --independent-channels.")
    pairs = asked.pairs()
    for pair in pairs if with_model else ():
        if pair.extras["model"].suffix != ".rsmoe":
            raise click.UsageError(f"--model names a .rsmoe file, not {pair.extras['model']}.")
    return asked.run(pairs)
