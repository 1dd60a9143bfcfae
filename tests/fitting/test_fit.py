"""Fits: quality on real images, how many kernels and how long, progress and cancel, seeds, enlarging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data, transform

import napari_rsmoe
from napari_rsmoe import Progress, engine, fit, psnr, upscale
from napari_rsmoe.fitting.fitter import Fitter
from napari_rsmoe.fitting.settings import PRESETS
from napari_rsmoe.fitting.starts.methods import make_start

# ---------------------------------------------------------------------- quality


def test_more_kernels_and_more_steps_fit_better(photograph: np.ndarray) -> None:
    few = psnr(fit(photograph, 60, iterations=100).render(), photograph)
    many = psnr(fit(photograph, 400, iterations=100).render(), photograph)
    longer = psnr(fit(photograph, 400, iterations=400).render(), photograph)
    assert 24 < few < many - 2
    assert many + 0.5 < longer


@pytest.mark.parametrize("seed", [0, 1])
def test_two_gates_model_an_edge_where_two_gaussians_cannot(seed: int) -> None:
    """The paper's figure 2 in two dimensions."""
    image = np.zeros((48, 64), np.float32)
    image[:, 31:] = 1
    gated = psnr(fit(image, 2, iterations=300, seed=seed).render(), image)
    summed = psnr(fit(image, 2, iterations=300, seed=seed, mode="rbf").render(), image)
    assert gated > 30
    assert gated > summed + 10


def test_gaussians_that_overlap_begin_as_bright_as_the_image() -> None:
    image = np.full((64, 80), 0.5, np.float32)
    image[0, 0], image[-1, -1] = 0, 1
    drawn = fit(image, 800, mode="rbf", start="random", iterations=0).render()
    assert np.median(drawn) == pytest.approx(0.5, rel=0.1)  # the plain sum of 800 kernels of 5 px is 12 times that


def test_a_kernel_that_goes_astray_at_the_end_does_not_spoil_the_fit() -> None:
    image, seen = data.coffee()[100:292, 150:342], [0.0]
    model = fit(image, 400, iterations=500, callback=lambda progress: seen.append(progress.psnr or 0.0))
    assert psnr(model.render(), image) > max(seen) - 0.1  # the last step of this fit was 4 dB below


@pytest.mark.parametrize("start", ["content", "random", "segmentation"])
def test_every_start_arrives(photograph: np.ndarray, start: str) -> None:
    model = fit(photograph, 200, start=start, iterations=150)
    assert model.n_kernels == 200
    assert psnr(model.render(), photograph) > 27


def test_the_papers_preset_and_global_mixtures_fit(photograph: np.ndarray) -> None:
    image = photograph[:48, :64]
    paper = fit(image, 60, preset="paper", iterations=600)
    assert psnr(paper.render(), image) > 22
    assert paper.confidence == pytest.approx(3.035, abs=1e-3)
    for mode in ("smoe", "rbf"):
        whole = fit(image, 60, rasterized=False, mode=mode, iterations=150)  # type: ignore[arg-type]
        tiled = fit(image, 60, mode=mode, iterations=150)  # type: ignore[arg-type]
        assert psnr(whole.render(), image) == pytest.approx(psnr(tiled.render(), image), abs=1.0)


def test_ignored_pixels_take_after_their_neighbours() -> None:
    """A dead patch in a smooth image: with weight 0 it is filled in, without weights it is reproduced."""
    y, x = np.mgrid[:48, :64] / 64
    image = (0.5 + 0.3 * np.sin(3 * x + 2 * y) + 0.1 * y).astype(np.float32)
    damaged, weight = image.copy(), np.ones(image.shape)
    hole = np.s_[20:28, 30:40]
    damaged[hole], weight[hole] = 1.0, 0
    filled = fit(damaged, 60, weight=weight, iterations=200).render()
    kept = fit(damaged, 60, iterations=200).render()
    assert psnr(filled[hole], image[hole], 1) > 30
    assert psnr(kept[hole], image[hole], 1) < 15


def test_linear_experts_need_fewer_kernels_on_shading() -> None:
    y, x = np.mgrid[:64, :80] / 64
    shaded = np.where(x > 0.6 + 0.1 * y, 0.2 + 0.5 * y, 0.9 - 0.4 * x * y).astype(np.float32)
    constant = psnr(fit(shaded, 25, iterations=300).render(), shaded)
    linear = psnr(fit(shaded, 15, iterations=300, experts="linear").render(), shaded)  # 9 values against 6 a kernel
    assert linear > constant + 0.5


def test_linear_experts_fit_photographs_and_enlarge(photograph: np.ndarray) -> None:
    model = fit(photograph, 100, iterations=150, experts="linear")
    assert psnr(model.render(), photograph) > 24
    assert model.linear
    assert fit(photograph, 100, iterations=20, experts="linear", preset="upscale").render(scale=2).shape == (
        192,
        240,
        3,
    )


def test_ignored_pixels_neither_set_the_range_nor_need_be_numbers(photograph: np.ndarray) -> None:
    image = photograph[..., 0].astype(np.float64)
    weight = np.ones(image.shape)
    broken, weight[::16, ::16] = image.copy(), 0
    for value in (60_000.0, np.nan):
        broken[::16, ::16] = value
        drawn = fit(broken, 200, weight=weight, iterations=100).render()
        assert psnr(drawn[weight > 0], image[weight > 0], 255) > 25


# ---------------------------------------------------------------------- how many kernels, how long


@pytest.mark.parametrize("target", [28.0, 32.0])
@pytest.mark.parametrize("name", ["chelsea", "astronaut", "shading"])
def test_a_target_is_reached_with_about_as_few_kernels_as_can(name: str, target: float) -> None:
    if name == "shading":
        y, x = np.mgrid[:96, :96] / 96
        image = (255 * (0.5 + 0.4 * np.sin(7 * x + 5 * y * y))).astype(np.uint8)
    else:
        image = getattr(data, name)()[60:156, 120:216]
    model = fit(image, psnr=target, preset="fast")
    assert psnr(model.render(), image) >= target - 0.05  # rendering rounds to integers
    fewer = fit(image, max(1, round(0.8 * model.n_kernels) - 1), preset="fast")
    assert psnr(fewer.render(), image) < target


def test_an_impossible_target_warns_and_returns_the_best(photograph: np.ndarray) -> None:
    noise = np.random.default_rng(0).random((24, 24)).astype(np.float32)
    with pytest.warns(UserWarning, match="90 dB in a range of 1 are not reached"):
        model = fit(noise, psnr=90.0, iterations=30)
    assert model.n_kernels == 24 * 24 // 2


def test_the_automatic_number_follows_the_content(photograph: np.ndarray) -> None:
    y, x = np.mgrid[:96, :120]
    smooth = fit((x + y).astype(np.float32), preset="fast").n_kernels
    rough = fit(photograph, preset="fast").n_kernels
    assert 96 * 120 // 1000 <= smooth < rough <= 96 * 120 // 20
    assert fit(np.full((50, 50), 3.0), preset="fast").n_kernels <= 3


def test_the_time_is_kept(photograph: np.ndarray) -> None:
    short, long = (fit(photograph, 200, time=seconds).metadata["steps"] for seconds in (0.1, 0.5))
    assert 10 <= short < long
    seen: list[Progress] = []
    fit(photograph, time=0.5, callback=lambda p: seen.append(p))  # the pilot's time counts too
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert seen[0].stage == "find the number of kernels"
    assert fractions[-1] > 0.8


def test_the_pilot_can_be_stopped(photograph: np.ndarray) -> None:
    model = fit(photograph, callback=lambda _: True)
    assert model.n_kernels == 96 * 120 // 256
    assert fit(photograph, psnr=30, callback=lambda _: True).n_kernels == 96 * 120 // 256


# ---------------------------------------------------------------------- progress, seeds


def test_progress_and_cancel(photograph: np.ndarray) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> bool:
        seen.append(progress)
        return progress.step >= 60

    model = fit(photograph, 100, iterations=500, callback=watch)
    steps = [p.step for p in seen]
    assert steps == sorted(steps)
    assert 60 <= steps[-1] < 100
    assert all(p.total == 500 for p in seen)
    assert seen[-1].psnr is not None
    assert seen[0].psnr is not None
    assert seen[-1].psnr > seen[0].psnr
    assert seen[-1].preview().shape == photograph.shape
    assert psnr(model.render(), photograph) > seen[0].psnr


def test_progress_tells_the_true_psnr(photograph: np.ndarray) -> None:
    last: list[Progress] = []
    model = fit(photograph, 100, iterations=300, callback=lambda p: last.append(p))
    assert last[-1].psnr == pytest.approx(psnr(model.render(), photograph), abs=0.1)


def test_a_callback_that_fails_stops_the_fit(photograph: np.ndarray) -> None:
    def broken(_: Progress) -> None:
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        fit(photograph, 20, callback=broken)


def test_the_seed_fixes_every_bit(photograph: np.ndarray) -> None:
    def run(seed: int, threads: int) -> torch.Tensor:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return fit(photograph, 100, iterations=50, seed=seed).geometry
        finally:
            torch.set_num_threads(before)

    assert torch.equal(run(1, 1), run(1, 2))
    assert torch.equal(run(1, 2), run(1, 3))
    assert not torch.equal(run(1, 1), run(2, 1))


@pytest.mark.parametrize("haste", [1.0, 20.0])
def test_a_fit_that_nobody_follows_has_the_same_bits(photograph: np.ndarray, haste: float) -> None:
    """Steps are then taken many at once, also where their last ones are not the best."""
    pixels = np.ascontiguousarray(photograph[:32, :48], np.float32) / 255
    fast = PRESETS["fast"]
    rates = {"rate_position": haste * fast.rate_position, "rate_steering": haste * fast.rate_steering}
    if haste > 1:
        rates |= {"final_position": 1.0, "final_steering": 1.0}
    settings = replace(fast, iterations=83, **rates)
    results = []
    for followed in (True, False):
        rng, calls = np.random.default_rng(0), 0
        fitter = Fitter(pixels, make_start(settings.start, pixels, 40, rng), settings, rng=rng)
        while fitter.remaining:
            fitter.chunk(followed=followed)
            calls += 1
        last = fitter.mean_squared_error
        fitter.keep_best()
        assert (fitter.mean_squared_error < last) == (haste > 1)
        results.append((fitter.geometry, fitter.experts, torch.tensor(fitter.mean_squared_error)))
    assert calls < 10
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))


# ---------------------------------------------------------------------- enlarging


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_beats_bicubic(factor: int) -> None:
    """Average a photograph over larger pixels, enlarge it again by both."""
    full = data.coffee()[100:292, 200:392] / np.float32(255)
    small = full.reshape(192 // factor, factor, 192 // factor, factor, 3).mean((1, 3))
    ours = upscale(small, factor)
    bicubic = transform.resize(small, full.shape, order=3)
    assert ours.shape == full.shape
    assert psnr(ours, full, 1) > psnr(bicubic, full, 1) + 0.3


def test_upscale_keeps_type_and_channels(photograph: np.ndarray) -> None:
    large = upscale(photograph[:30, :40], 2.5, n_kernels=100, iterations=50)
    assert large.shape == (75, 100, 3)
    assert large.dtype == np.uint8


def test_upscale_reports_and_stops(photograph: np.ndarray) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> bool:
        seen.append(progress)
        return progress.stage == "model 2 of 4"

    large = upscale(photograph[:30, :40], 2, n_kernels=100, iterations=50, callback=watch)
    assert large.shape == (60, 80, 3)
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    assert [p.stage for p in seen].count("model 2 of 4") == 1
    assert seen[-1].stage == "model 2 of 4"


def test_metadata_says_how_the_model_was_made(photograph: np.ndarray) -> None:
    model = fit(photograph, 20, iterations=10, seed=4)
    assert model.metadata["seed"] == 4
    assert model.metadata["settings"]["iterations"] == 10
    assert napari_rsmoe.__version__ in model.metadata["made_by"]


# ---------------------------------------------------------------------- where it is drawn


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that are asked for, by whoever computes."""
    asked: list[str] = []
    run_on = engine.run_on

    def spy(device: str, job: Callable[[torch.device], Any]) -> Any:
        asked.append(device)
        return run_on(device, job)

    monkeypatch.setattr(engine, "run_on", spy)
    return asked


def test_a_preview_is_drawn_where_the_user_chose(photograph: np.ndarray, devices: list[str]) -> None:
    fit(photograph, 20, iterations=5, device="cpu", callback=lambda progress: progress.preview() is None)
    assert devices == ["cpu"] * 3  # the fit, a preview, and the rendering that is measured


def test_upscale_draws_where_the_user_chose(photograph: np.ndarray, devices: list[str]) -> None:
    upscale(photograph[:20, :20], 2, models=2, iterations=5, noise=0, device="cpu")
    assert devices == ["cpu"] * 5  # two fits, each rendered to be measured, and a drawing of their mean


@pytest.mark.parametrize(("value", "dtype"), [(60000, np.uint16), (3e38, np.float32), (-1e6, np.float32)])
def test_a_few_extreme_pixels_leave_a_sum_of_gaussians_its_detail(value: float, dtype: type) -> None:
    y, x = np.mgrid[:40, :40]
    image = (500 + 400 * np.sin(x / 6) * np.cos(y / 5)).astype(dtype)
    usual = np.ones(image.shape, bool)
    usual[[5, 20, 33], [7, 30, 12]] = False
    image[~usual] = value
    model = fit(image, 120, mode="rbf", defects="keep", nodata=-1, preset="fast")
    drawn = model.render().astype(float)
    assert np.std((drawn - image)[usual]) < 25
    assert np.allclose(drawn[~usual], value, rtol=0.3)
    np.testing.assert_array_equal(model.with_kernels(model.kernels()).render(), model.render())
