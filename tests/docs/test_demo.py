"""The demonstration: its drawing, and one run from end to end on a small part of its photograph."""

from __future__ import annotations

from pathlib import Path

import demo
import numpy as np
import pytest
import skimage.io
from click.testing import CliRunner

from napari_rsmoe import Kernels


def one_kernel(center: tuple[float, float], axes: tuple[float, float], angle: float) -> Kernels:
    return Kernels(np.array([center]), np.array([axes]), np.array([angle]), np.ones(1), np.full((1, 3), 0.5))


def test_the_noise_is_what_it_says_and_the_same_each_time() -> None:
    grey = np.full((200, 200, 3), 0.5, np.float32)
    noisy = demo.add_noise(grey)
    assert noisy.var() == pytest.approx(demo.NOISE_VARIANCE, rel=0.02)
    np.testing.assert_array_equal(noisy, demo.add_noise(grey))


def test_an_ellipse_has_the_moments_of_its_kernel() -> None:
    kernel = one_kernel((60.0, 75.0), (20.0, 6.0), np.pi / 6)
    drawn = demo.draw_kernels(np.zeros((121, 151, 3)), kernel, zoom=1)[..., 0] == 1.0
    points = np.argwhere(drawn)
    np.testing.assert_allclose(points.mean(axis=0), kernel.center[0], atol=0.1)
    longest = points[np.argmax(((points - kernel.center[0]) ** 2).sum(axis=1))] - kernel.center[0]
    assert np.hypot(*longest) == pytest.approx(20.0, abs=0.8)
    assert np.arctan(longest[0] / longest[1]) == pytest.approx(np.pi / 6, abs=0.03)


def test_ellipses_are_cut_at_the_border() -> None:
    kernel = one_kernel((2.0, 2.0), (30.0, 30.0), 0.0)
    picture = demo.draw_kernels(np.zeros((40, 60, 3)), kernel, zoom=1)
    assert picture.shape == (40, 60, 3)
    assert 0 < (picture == 1.0).sum() < picture.size / 10


def test_enlarging_a_ramp_keeps_it_a_ramp() -> None:
    ramp = np.linspace(0.2, 0.8, 16)[None, :, None].repeat(8, axis=0).repeat(3, axis=2)
    large = demo.resize(ramp, 4, order=3)
    assert large.shape == (32, 64, 3)
    steps = np.diff(large[16, 16:-16, 0])  # splines ring near the border
    np.testing.assert_allclose(steps, (0.8 - 0.2) / 15 / 4, rtol=5e-3)


def test_heat_goes_from_black_to_white() -> None:
    colours = demo.heat(np.linspace(0.0, 1.0, 1000).reshape(1, 1000, 1))
    np.testing.assert_array_equal(colours[0, 0], 0.0)
    np.testing.assert_array_equal(colours[0, -1], 1.0)
    np.testing.assert_array_equal(demo.heat(np.zeros((4, 4, 1))), 0.0)


def test_panels_are_arranged_in_rows() -> None:
    panels = [np.full((10, 20, 3), value) for value in (0.1, 0.2, 0.3, 0.4)]
    picture = demo.side_by_side(panels, columns=2)
    assert picture.shape == (20 + demo.GAP, 40 + demo.GAP, 3)
    assert picture[0, 0, 0] == 0.1
    assert picture[-1, -1, 0] == 0.4
    assert picture[0, 20, 0] == 1.0


def test_the_demo_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_part = demo.photograph()[80:128, 130:194]
    monkeypatch.setattr(demo, "photograph", lambda: small_part)
    result = CliRunner().invoke(demo.main, ["--output", str(tmp_path / "pictures")], catch_exceptions=False)
    assert result.exit_code == 0
    overview = skimage.io.imread(tmp_path / "pictures" / "overview.png")
    assert overview.shape == (2 * 48 + demo.GAP, 4 * 64 + 3 * demo.GAP, 3)
    for path in (tmp_path / "pictures").iterdir():
        assert str(path) in result.output
