"""Every instruction set that this processor has gives the reference's values and gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_rsmoe import engine

LEVELS = ["base", "avx2", "avx512"]
FILES = (
    "engine/test_engine.py",
    "engine/test_fit_steps.py",
    "engine/test_hostile.py",
    "denoising/test_nonlocal_bayes.py",
)


def run_with(level: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RSMOE_SIMD": level}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def other_levels() -> list[str]:
    """The levels below the one in use; the suite itself runs at that one."""
    current = engine.simd_level()
    return LEVELS[: LEVELS.index(current)]


def test_the_best_level_of_the_processor_is_chosen() -> None:
    """As torch finds it in its own way."""
    known = {"AVX512": "avx512", "AVX2": "avx2"}
    result = run_with("", "-c", "from napari_rsmoe import engine; print(engine.simd_level())")
    assert result.stdout.strip() == known.get(torch.backends.cpu.get_cpu_capability(), "base"), result.stderr


@pytest.mark.parametrize("level", LEVELS[:-1])
def test_lower_levels_agree_with_the_reference(level: str) -> None:
    if level not in other_levels():
        pytest.skip(f"the suite itself runs at {engine.simd_level()}")
    tests = [str(Path(__file__).parents[1] / name) for name in FILES]
    values = "(test_values_and_gradients or test_linear_experts) and (-3- or -5- or -6-) and rasterized"
    twins = "(agrees_with_the_twin and 20-9) or (test_hostile and cpu)"
    chosen = f"(test_extreme_scales or ({values}) or adam or linear_steps or {twins}) and not cuda"
    result = run_with(level, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", chosen)
    assert result.returncode == 0, result.stdout[-3000:]


def test_the_override_is_obeyed_or_refused() -> None:
    code = "from napari_rsmoe import engine; print(engine.simd_level())"
    result = run_with("base", "-c", code)
    assert result.stdout.strip() == "base", result.stderr
    result = run_with("mmx", "-c", code)
    assert result.returncode != 0
    assert "RSMOE_SIMD=mmx" in result.stderr
