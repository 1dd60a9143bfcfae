"""The noise of images that do not fit the memory: a sample of them is measured, the same whatever the memory."""

import json
import warnings

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from napari_rsmoe import ImageError, estimate_noise
from napari_rsmoe.cli.program import main
from napari_rsmoe.image import sample


@pytest.fixture
def small_squares(monkeypatch):
    """Squares of 64 px, and budgets below 1 MiB."""
    monkeypatch.setattr(sample, "SIDE", 64)
    monkeypatch.setattr("napari_rsmoe.memory.LEAST", 1)


def picture():
    y, x = np.mgrid[:400, :500]
    return (1000 + 200 * np.sin(x / 30) * np.cos(y / 40) + np.random.default_rng(0).normal(0, 20, y.shape)).astype("u2")


def test_a_large_image_is_sampled_with_the_noise_of_the_whole(small_squares, tmp_path):
    image = picture()
    whole = estimate_noise(image)
    stored = zarr.create_array(tmp_path / "in.zarr", data=image, chunks=(100, 100), dimension_names=["y", "x"])
    found = []
    for memory in ("12M", "16M"):
        with pytest.warns(UserWarning, match=r"measured in 16 squares of 64 x 64 px, 32.8% of the image"):
            found.append(estimate_noise(stored, memory=memory, weight=np.ones(image.shape)))
    assert found[0] == found[1]
    assert found[0].sigma == pytest.approx(whole.sigma, rel=0.03)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert estimate_noise(image, memory="40M") == whole
    with pytest.raises(ImageError, match=r"weight has shape \(3, 3\); the image needs \(400, 500\)"):
        estimate_noise(image, memory="14M", weight=np.ones((3, 3)))


def test_the_command_reads_the_sample_only(small_squares, tmp_path):
    path = tmp_path / "in.npy"
    np.save(path, np.stack([picture(), picture()]))
    done = CliRunner().invoke(main, ["noise", str(path), "--axes", "TYX", "--memory", "14M", "--json"])
    facts = json.loads(done.stdout)
    assert [plane["plane"] for plane in facts["planes"]] == ["T 0", "T 1"]
    assert facts["planes"][0]["sigma"] == pytest.approx(20, rel=0.05)
