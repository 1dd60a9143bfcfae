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


TESTED = """
import os, sys
import pytest, torch, hypothesis, scipy.ndimage, skimage.data  # All levels share what takes longest to load.
wrong = []
for level in sys.argv[1].split(","):
    child = os.fork()
    if child == 0:
        os.environ["RSMOE_SIMD"] = level
        from napari_rsmoe import engine
        assert engine.simd_level() == level
        code = pytest.main(sys.argv[2:])
        sys.stdout.flush()
        os._exit(code)
    if os.waitpid(child, 0)[1]:
        wrong.append(level)
sys.exit(f"failed at {wrong}" if wrong else 0)
"""


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
    if os.environ.get("RSMOE_SIMD"):
        pytest.skip("RSMOE_SIMD chooses another level")
    known = {"AVX512": "avx512", "AVX2": "avx2"}
    assert engine.simd_level() == known.get(torch.backends.cpu.get_cpu_capability(), "base")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the levels share a process until they begin")
def test_lower_levels_are_obeyed_and_agree_with_the_reference() -> None:
    if not other_levels():
        pytest.skip(f"the suite itself runs at {engine.simd_level()}")
    tests = [str(Path(__file__).parents[1] / name) for name in FILES]
    values = "(test_values_and_gradients or test_linear_experts) and (-3- or -5- or -6-) and rasterized"
    twins = "(agrees_with_the_twin and 20-9) or (test_hostile and cpu)"
    chosen = f"(test_extreme_scales or ({values}) or adam or linear_steps or {twins}) and not cuda"
    options = ("-q", "-p", "no:cacheprovider", "-k", chosen)
    result = run_with("", "-c", TESTED, ",".join(other_levels()), *options, *tests)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


def test_an_unknown_level_is_refused() -> None:
    result = run_with("mmx", "-c", "from napari_rsmoe import engine; print(engine.simd_level())")
    assert result.returncode != 0
    assert "RSMOE_SIMD=mmx" in result.stderr
