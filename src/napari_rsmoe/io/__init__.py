"""Image and model files: formats, metadata, and writing that leaves no partial files.

Modules here may import `image` and the ground. `files` reads and `writing` writes images of any
format; `rsmoe` holds models.

>>> import napari_rsmoe as rsmoe
>>> image = rsmoe.io.read_image("film.ome.tif")  # doctest: +SKIP
>>> image.axes, image.pixel_size["X"]  # doctest: +SKIP
('TYX', PixelSize(value=0.1, unit='micrometer'))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .files import read_image
    from .image_file import ImageFile
    from .units import PixelSize
    from .writing import create_image, write_image

__all__ = ["ImageFile", "PixelSize", "create_image", "read_image", "write_image"]

_MODULE_OF = {
    "ImageFile": "image_file",
    "PixelSize": "units",
    "create_image": "writing",
    "read_image": "files",
    "write_image": "writing",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Imported here to save start-up time: formats load libraries of their own.
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
