"""Keywords and values are accepted by their earlier names, with a warning, and give the same."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_rsmoe import denoise, denoise_stack, fit
from napari_rsmoe.denoising.stack import Series
from napari_rsmoe.fitting.settings import PRESETS, RENAMED_PRESETS
from napari_rsmoe.image.planes import Planes
from napari_rsmoe.renamed import KEYWORDS, current_keywords, earlier_keywords
from napari_rsmoe.ui.parameters.fitting import FIT
from napari_rsmoe.ui.parameters.functions import PARAMETERS

IMAGE = np.random.default_rng(0).normal(100, 10, (24, 32)) + np.arange(32)
QUICK: dict[str, Any] = {"models": 1, "noise": 10.0, "n_kernels": 9, "start": "segmentation"}


def test_fit() -> None:
    now = fit(IMAGE, 9, iterations=3, allocation="area")
    with pytest.warns(FutureWarning, match="allotment is now called allocation") as seen:
        before = fit(IMAGE, 9, iterations=3, allotment="area")  # type: ignore[call-arg]
    assert seen[0].filename == __file__
    np.testing.assert_array_equal(before.geometry, now.geometry)
    with pytest.warns(FutureWarning, match="'enlarge' is now called 'upscale'") as seen:
        enlarging = fit(IMAGE, 9, iterations=3, preset="enlarge")
    assert seen[0].filename == __file__
    assert enlarging.metadata["preset"] == "upscale"
    with pytest.raises(TypeError, match="give allocation alone"):
        fit(IMAGE, 9, allotment="area", allocation="area")  # type: ignore[call-arg]


def test_denoise(tmp_path: Path) -> None:
    now = denoise(IMAGE, **QUICK, allocation="area", checkpoint=tmp_path / "job")
    kept = json.loads((tmp_path / "job" / "job.json").read_text())
    assert kept["settings"]["allotment"] == "area"  # as it was written before, so that old checkpoints go on
    stages: list[str] = []
    with pytest.warns(FutureWarning, match="is now called") as seen:
        before = denoise(
            IMAGE, **QUICK, allotment="area", resume=tmp_path / "job", callback=lambda p: stages.append(p.stage)
        )  # type: ignore[call-arg]
    assert {str(each.message).split()[0] for each in seen} == {"allotment", "resume"}
    assert not [stage for stage in stages if "model" in stage]  # nothing is fitted again
    np.testing.assert_array_equal(before.image, now.image)


def test_stacks(tmp_path: Path) -> None:
    with pytest.warns(FutureWarning):
        denoise_stack(np.stack([IMAGE] * 2), "TYX", **QUICK, allotment="area", resume=tmp_path / "a")
    assert (tmp_path / "a" / "plane_0001").is_dir()
    with pytest.warns(FutureWarning, match="resume"):
        series = Series(Planes(IMAGE, "YX"), QUICK, resume=tmp_path)  # type: ignore[call-arg]
    assert series.checkpoint == tmp_path


def test_the_tables_know_present_names_only() -> None:
    names = {parameter.name for table in PARAMETERS.values() for parameter in table}
    assert set(KEYWORDS.values()) <= names
    assert not set(KEYWORDS) & names
    assert current_keywords({"allotment": "area", "seed": 3}) == {"allocation": "area", "seed": 3}
    assert earlier_keywords(current_keywords({"allotment": 1, "seed": 3})) == {"allotment": 1, "seed": 3}
    (preset,) = (parameter for parameter in FIT if parameter.name == "preset")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [preset.check(old) for old in RENAMED_PRESETS] == list(RENAMED_PRESETS.values())
    assert set(RENAMED_PRESETS.values()) <= set(PRESETS)


def test_a_mask_leaves_pixels_out() -> None:
    mask = np.zeros(IMAGE.shape, np.uint8)
    mask[4:6, 3:9] = 7
    gaps = np.where(mask, np.nan, IMAGE)
    by_mask = denoise(gaps, **QUICK, mask=mask)
    np.testing.assert_array_equal(by_mask.image, denoise(gaps, **QUICK, weight=mask == 0).image)
    assert np.isfinite(by_mask.image).all()
    weight = np.full(IMAGE.shape, 0.5)
    both = denoise(gaps, **QUICK, mask=mask, weight=weight, fill=False)
    np.testing.assert_array_equal(np.isnan(both.image), mask > 0)
    stack = denoise_stack(np.stack([gaps] * 2), "TYX", **QUICK, mask=np.stack([mask] * 2), warm_start=False)
    np.testing.assert_array_equal(stack.image[0], by_mask.image)
    for wrong, words in ((mask[:5], "mask has shape"), (mask.astype(str), "mask has type"), (mask + 1, "No pixel")):
        with pytest.raises(ValueError, match=words):
            denoise(gaps, **QUICK, mask=wrong)
