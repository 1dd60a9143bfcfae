"""The CPU engine under sanitizers, and planted faults that must be found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sanitized import FAULTS, SANITIZERS, Fault, at_once, build, execute, found, missing, supported

Images = list[tuple[float, np.ndarray]]
ROUNDS = {"address,undefined": 60, "thread": 50}
"""Rounds of random work at each instruction set: two to four seconds. `sanitized.py` itself runs more."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sanitized")


def require(sanitizer: str) -> None:
    if reason := missing(sanitizer):
        pytest.skip(reason)


def images(path: Path) -> Images:
    """The images that the program has drawn, each with its largest expert."""
    content, at, result = path.read_bytes(), 0, []
    while at < len(content):
        size = int(np.frombuffer(content, np.int32, 1, at)[0])
        largest, *values = np.frombuffer(content, np.float32, 1 + size, at + 4)
        result.append((float(largest), np.array(values)))
        at += 8 + 4 * size
    return result


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_sanitizers_find_nothing_and_instruction_sets_agree(folder: Path, sanitizer: str) -> None:
    require(sanitizer)
    program, levels = build(folder, sanitizer), supported(sanitizer)
    results = at_once(lambda level: execute(program, level, ROUNDS[sanitizer], 1, folder / level), levels)
    for level, (code, printed) in zip(levels, results, strict=True):
        assert code == 0, printed
        counts = json.loads(printed.strip().splitlines()[-1])
        assert counts["simd"] == level
        assert counts["drawings"] == counts["fits"] == ROUNDS[sanitizer]
    expected = images(folder / "base")
    for level in levels[1:]:
        for (largest, ours), (_, base) in zip(images(folder / level), expected, strict=True):
            assert np.abs(ours - base).max() <= 1e-4 * max(largest, np.abs(base).max())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(folder: Path, fault: Fault) -> None:
    require(fault.sanitizer)
    assert not (report := found(build(folder, fault.sanitizer), fault)), report
