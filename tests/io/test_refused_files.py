"""A file that is refused once it is open is closed again: Windows keeps what is open from being replaced."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_rsmoe import ImageError
from napari_rsmoe.io.files import read_image


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", ["a.tif", "b.tif", "c.npy"])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning", "error::ResourceWarning")
def test_a_refused_file_is_closed(tmp_path: Path, name: str, lazy: bool) -> None:
    path, image = tmp_path / name, np.ones((24, 20), np.complex64)
    if path.suffix == ".npy":
        np.save(path, image)
    else:
        tifffile.imwrite(path, image, compression="zlib" if name == "b.tif" else None)
    with pytest.raises(ImageError, match="complex64 is not supported"):
        read_image(path, lazy=lazy)
    gc.collect()
