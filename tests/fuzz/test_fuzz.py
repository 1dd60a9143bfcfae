"""A fixed number of damaged files and odd command lines: each is right or refused. ``make fuzz`` tries more."""

from __future__ import annotations

import pytest

from .__main__ import KINDS, fuzz

COUNT = 200
"""Inputs of each kind; a few seconds in all."""


NEEDED = {"instruments": "mrcfile", "rsmoe": "pint"}
"""A library without which inputs of a kind cannot be judged: napari brings pint."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_outcome_is_right_or_a_clear_refusal(kind: str) -> None:
    if kind in NEEDED:
        pytest.importorskip(NEEDED[kind])
    found = fuzz(kind, int(COUNT * KINDS[kind]), seed=1)
    assert not found.wrong, "\n".join(found.wrong[:3])
    assert found.counts["right"] > 0
    assert found.counts["refused"] > 0


def test_planted_exceptions_and_crashes_are_found() -> None:
    found = fuzz("planted", 10, seed=0)
    assert any("KeyError: 'a defect'" in why for why in found.wrong)
    assert any("the process ended with -6: 5" in why for why in found.wrong)
    assert found.counts["right"] >= 3
    assert found.counts["refused"] >= 4
