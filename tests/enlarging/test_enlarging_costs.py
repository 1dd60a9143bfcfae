"""How long enlarging is said to take."""

from __future__ import annotations

from napari_rsmoe.enlarging.costs import upscale_seconds


def refinement(channels: int, side: int, rounds: int) -> float:
    return upscale_seconds((64, 64, channels), (side, side), 4, 1024, None, "balanced", rounds)[-1]


def test_the_time_of_refinement_is_that_of_what_is_filtered() -> None:
    grey = refinement(1, 128, 6)
    assert refinement(3, 128, 6) == grey  # Colour differences are not filtered.
    assert refinement(2, 128, 6) == 2 * grey
    assert refinement(1, 256, 6) == 4 * grey
    assert refinement(1, 640, 6) == refinement(1, 256, 6)  # Patches are compared at 4 times the size at most.
    assert refinement(1, 128, 2) < grey / 3
