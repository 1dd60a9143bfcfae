"""Stacks and films: neighbours, warm starts, averages, masks, in the API and on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_helpers import run
from scenes import noisy_of, scene

from napari_rsmoe import ImageError, PixelSize, denoise, denoise_stack, psnr, write_image
from napari_rsmoe.denoising.neighbours import Aligned, average
from napari_rsmoe.denoising.stack import Series
from napari_rsmoe.denoising.surroundings import Seen, Surroundings
from napari_rsmoe.image.planes import Planes

QUICK = {"models": 4, "preset": "fast"}
LONGER = {"models": 4, "preset": "best"}


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """(T, Y, X): a scene in which a square moves."""
    film = np.repeat(scene(80, 80, 1)[None, ..., 0], 3, 0)
    for t, frame in enumerate(film):
        frame[8:20, 10 + 9 * t : 22 + 9 * t] = 1
    return film


@pytest.fixture(scope="module")
def film(clean: np.ndarray) -> np.ndarray:
    return noisy_of(clean)


def test_neighbours_are_found_along_the_right_axis() -> None:
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    planes = Planes(data, "ZTYX")
    axis = planes.neighbour_axis()
    assert axis == 1  # T
    assert planes.neighbour_axis("z") == 0
    plane = list(planes)[4]  # Z 1, T 1
    after = planes.neighbour(plane, axis, 1)
    assert after is not None
    assert (after.number, after.label) == (5, "Z 1, T 2")
    np.testing.assert_array_equal(after.image, data[1, 2])
    assert planes.neighbour(plane, axis, 2) is None
    assert planes.neighbour(plane, axis, -2) is None
    assert Planes(data[:1, :1], "ZTYX").neighbour_axis() is None
    with pytest.raises(ImageError, match=r"along='Q'.*Z, T"):
        planes.neighbour_axis("Q")


def test_a_warm_start_is_better_and_keeps_the_identity_of_kernels(clean: np.ndarray) -> None:
    still = np.repeat(clean[:1], 2, 0)
    results = [result for _, result in Series(Planes(noisy_of(still), "TYX"), LONGER)]
    cold = denoise(noisy_of(still)[1], **LONGER)
    assert psnr(results[1].image, still[1], 1.0) > psnr(cold.image, still[1], 1.0) + 0.1
    assert results[1].models[0].metadata["steps"] < 0.7 * cold.models[0].metadata["steps"]
    # The disturbance of each plane is another, or its response would be counted twice.
    assert [result.models[0].metadata["generation"] for result in results] == [0, 1]
    first, warm, other = (result.models[1].kernels() for result in (*results, cold))
    moved, anywhere = (
        np.median(np.hypot(*(first.center[:n] - each.center[:n]).T))
        for each in (warm, other)
        for n in [min(len(first), len(each))]
    )
    assert moved < 0.3 * anywhere


def test_kernels_begin_anew_where_the_plane_has_changed(film: np.ndarray, clean: np.ndarray) -> None:
    warm = denoise_stack(film, "TYX", **QUICK)
    cold = denoise_stack(film, "TYX", warm_start=False, **QUICK)
    np.testing.assert_array_equal(warm.image[0], cold.image[0])
    assert psnr(warm.image, clean, 1.0) > psnr(cold.image, clean, 1.0) - 0.5
    assert warm.std.shape == film.shape
    assert len(warm.noise) == 3
    cut = list(Series(Planes(np.stack([film[0], film[0].T[::-1]]), "TYX"), QUICK))[1][1]
    assert cut.models[0].metadata["generation"] == 0


def test_what_moves_is_not_averaged(film: np.ndarray, clean: np.ndarray) -> None:
    pixels = film[..., None]
    variance = np.full(pixels[0].shape, 0.01, np.float32)
    mean, share = average(pixels[1], [Aligned(pixels[0]), Aligned(pixels[2])], variance)
    still, moving = (slice(40, 80), slice(0, 80)), (slice(10, 18), slice(25, 29))
    assert share[still].mean() < 0.4
    assert share[moving].mean() > 0.9
    assert psnr(mean[..., 0][still], clean[1][still], 1.0) > psnr(film[1][still], clean[1][still], 1.0) + 3.5
    alone = denoise_stack(film, "TYX", average=0, **QUICK)
    averaged = denoise_stack(film, "TYX", average=1, **QUICK)
    assert psnr(averaged.image, clean, 1.0) > psnr(alone.image, clean, 1.0) + 1


def test_neighbours_and_warm_starts_that_do_not_fit_are_refused(film: np.ndarray) -> None:
    before = denoise(film[0], **QUICK)
    with pytest.raises(ImageError, match="neighbour"):
        denoise(film[0], neighbours=[film[1, :-1]], **QUICK)
    for options in ({**QUICK, "models": 5}, {**QUICK, "n_kernels": 7}):
        with pytest.raises(ValueError, match="warm_start"):
            denoise(film[1], warm_start=before, **options)
    with pytest.raises(ValueError, match="warm_start"):
        denoise(film[1, :-1], warm_start=before, **QUICK)


def test_planes_may_begin_with_fewer_kernels_than_asked() -> None:
    still = np.repeat(noisy_of(scene(48, 56), 0.03)[None], 2, 0)
    options = {"start": "segmentation", "threshold": 10, "allocation": "paper", "n_kernels": 100}
    both = [result for _, result in Series(Planes(still, "TYXS"), QUICK | options)]
    (first, warm) = (each.models[0] for each in both)
    assert first.n_kernels == warm.n_kernels < 100
    assert warm.metadata["generation"] == 1


def test_each_plane_has_its_own_mask_and_checkpoint(film: np.ndarray, tmp_path: Path) -> None:
    weight = np.ones(film.shape)
    weight[1, 10:14, 40:50] = 0
    broken = np.where(weight > 0, film, np.nan)
    options = {"weight": weight, "fill": False, "checkpoint": tmp_path / "job", **QUICK}
    first = denoise_stack(broken, "TYX", **options)
    np.testing.assert_array_equal(np.isnan(first.image), weight == 0)
    assert len(list((tmp_path / "job").glob("plane_000?/model_00?.safetensors"))) == 12
    np.testing.assert_array_equal(denoise_stack(broken, "TYX", **options).image, first.image)
    with pytest.raises(ImageError, match="weight has shape"):
        denoise_stack(broken, "TYX", weight=weight[:2], **QUICK)


def test_command_line_takes_masks_neighbours_and_checkpoints(film: np.ndarray, tmp_path: Path) -> None:
    mask = np.zeros(film.shape[1:], np.uint8)
    mask[30:33, 40:60] = 1
    stack = np.where(mask > 0, np.nan, film).astype(np.float32)
    np.save(tmp_path / "film.npy", stack)
    np.save(tmp_path / "mask.npy", mask)
    command = ("denoise", tmp_path / "film.npy", tmp_path / "out.npy", "--axes", "TYX", "--models", 4)
    options = ("--preset", "fast", "--mask", tmp_path / "mask.npy", "--average", 1, "--checkpoint", tmp_path / "job")
    for _ in range(2):
        result = run(*command, *options)
        assert result.exit_code == 0, result.stderr
        expected = denoise_stack(stack, "TYX", ignore_nan=True, average=1, **QUICK)
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected.image)
    result = run(*command, "--preset", "fast", "--ignore-nan", "--no-fill", "--no-warm-start")
    assert result.exit_code == 0, result.stderr
    assert np.isnan(np.load(tmp_path / "out.npy")[:, mask > 0]).all()
    result = run(*command, "--ignore-nan", "--along", "Z")
    assert result.exit_code == 2
    assert "along='Z'" in result.stderr


def test_a_plane_without_neighbours_is_not_looked_at_for_them() -> None:
    nothing = Seen(None, None, None)  # type: ignore[arg-type]  # Whoever looks at it fails.
    assert Surroundings({}, 1).around(0, nothing, []) == (None, [])


def test_distances_say_how_many_planes_along_depth_help() -> None:
    def helping(number: int, spacing: object, count: int = 9, axes: str = "ZYX", **settings: str) -> list[int]:
        planes = Planes(np.zeros((count, 8, 8)), axes, spacing=spacing)  # type: ignore[arg-type]
        series = Series(planes, settings)
        return [offset for _, offset, _ in series._neighbours(planes[number])]

    isotropic, far = {"Z": 1, "Y": 1, "X": 1}, {"z": 1.0, "y": 0.2, "x": 0.2}
    assert helping(4, isotropic, preset="fast") == [-1, 1, -2, 2]
    assert helping(4, far, preset="best") == [-1, 1]
    assert helping(4, None, preset="fast") == [-1, 1]
    assert helping(4, isotropic, axes="TYX", preset="fast") == [-1, 1]
    # Beside the ends others help instead; a film is denoised while it arrives, so that its first frames do not wait.
    assert helping(0, isotropic) == [1, 2, 3, 4]
    assert helping(7, None, axes="TYX") == [-1, 1, -2, -3]
    assert helping(0, None, axes="TYX") == [1, 2]
    assert helping(0, isotropic, count=1) == []
    assert Planes(np.zeros((3, 8, 8)), "ZYX", spacing=far).depth_step(0) == pytest.approx(5)
    for wrong in ({"Z": 0}, {"ZY": 1}, [1, 1, 1]):
        with pytest.raises(ValueError, match="spacing"):
            Planes(np.zeros((3, 8, 8)), "ZYX", spacing=wrong)  # type: ignore[arg-type]


def test_distances_come_from_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float | None] = []
    original = Series.__init__

    def spy(self: Series, planes: Planes, *arguments: object, **settings: object) -> None:
        found.append(planes.depth_step(0))
        original(self, planes, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Series, "__init__", spy)
    sizes = {"Z": PixelSize(0.5, "micrometer"), "Y": PixelSize(100, "nanometer"), "X": PixelSize(100, "nanometer")}
    volume = np.random.default_rng(0).poisson(20, (2, 24, 24)).astype(np.uint16)
    denoise_stack(volume, "ZYX", spacing=sizes, models=1, preset="fast")
    write_image(tmp_path / "volume.ome.tif", volume, axes="ZYX", pixel_size=sizes)
    run("denoise", tmp_path / "volume.ome.tif", tmp_path / "clean.tif", "--models", 1, "--preset", "fast")
    assert found == [pytest.approx(5)] * 2
