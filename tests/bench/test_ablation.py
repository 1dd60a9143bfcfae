"""Constants that the table of ideas changes."""

from __future__ import annotations

import pytest
from benchmarks import ablation

from napari_rsmoe.denoising import result


def test_constants_of_modules_on_every_floor_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ablation.constant_of("denoising.large.job.SIDE=2.5") == ("denoising.large.job", "SIDE", 2.5)
    monkeypatch.setattr(result, "LEFT", result.LEFT)
    ablation.change_constant(*ablation.constant_of("denoising.result.LEFT=0.25"))
    assert result.LEFT == 0.25
    with pytest.raises(SystemExit, match="no NOTHING"):
        ablation.change_constant("denoising.result", "NOTHING", 1)
