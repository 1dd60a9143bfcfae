"""A small image, and settings with which it is denoised from store to store in six blocks."""

import numpy as np
import pytest

from napari_rsmoe import PixelSize, read_image, write_image
from napari_rsmoe.denoising.large.job import JobSettings
from napari_rsmoe.denoising.large.running import denoise_large

TINY = {"preset": "fast", "models": 1, "noise": 10.0, "n_kernels": 60, "block": 32}


def picture(height=70, width=60, noise=10):
    y, x = np.mgrid[:height, :width]
    clean = 100 + 50 * np.sin(x / 9) * np.cos(y / 7)
    return (clean + np.random.default_rng(0).normal(0, noise, clean.shape)).clip(0).astype(np.uint16)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "in.ome.tif"
    size = PixelSize(0.5, "micrometer")
    write_image(path, picture(), pixel_size={"Y": size, "X": size})
    return path


@pytest.fixture(scope="module")
def expected(source):
    """The result of a job that was not interrupted."""
    target = source.with_name("whole.ome.zarr")
    further = {name: str(source.with_name(f"{name}.npy")) for name in ("std", "residual")}
    denoise_large(JobSettings(str(source), str(target), TINY, **further))
    return read_image(target).numpy()


def settings(source, target, **more):
    return JobSettings(str(source), str(target), TINY | more)
