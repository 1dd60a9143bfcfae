"""The benchmarks run, go on where they were, and find the order that is certain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import names, run
from skimage import data, io

from napari_rsmoe.bench import paper, protocol
from napari_rsmoe.bench.code import code_version, imported_by
from napari_rsmoe.bench.options import Options
from napari_rsmoe.bench.peers import rsmoe_denoising
from napari_rsmoe.bench.peers.methods import OURS, denoisers
from napari_rsmoe.bench.pictures import find_pictures
from napari_rsmoe.bench.printed import printed_rows
from napari_rsmoe.bench.runs import Run, complete
from napari_rsmoe.bench.store import Key, Store

Tables = dict[str, dict[str, dict[str, Any]]]
PAPER, RBF = "R-SMoE, paper's settings", "rasterized RBF, paper's settings"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one small photograph."""
    folder = tmp_path_factory.mktemp("photos")
    io.imsave(folder / "cat1.png", data.cat()[80:208, 120:280], check_contrast=False)
    return folder


def bench(name: str, *arguments: object) -> Tables:
    """Tables of a benchmark, from the command line."""
    result = run("bench", name, *arguments, "--quick", "--json", "--lpips", "none")
    assert result.exit_code == 0, result.stderr
    tables: Tables = json.loads(result.stdout)["tables"]
    return tables


def test_regression(photos: Path, tmp_path: Path) -> None:
    tables = bench("regression", photos, tmp_path, "--iterations", 100)
    whole = [rows for group, rows in tables.items() if "reduced" not in group]
    reduced = [rows for group, rows in tables.items() if "reduced" in group]
    assert (len(whole), len(reduced)) == (2, 2)
    for rows in (*whole, *reduced):
        assert rows[OURS]["psnr"] > rows[PAPER]["psnr"] > rows[RBF]["psnr"]
        assert all(row["kernels_per_tile"] >= 1 and row["decode_seconds"] > 0 for row in rows.values())
    for rows in reduced:
        assert rows["global SMoE"]["psnr"] > rows["global RBF"]["psnr"]
        assert rows["global SMoE"]["kernels_per_tile"] >= rows[PAPER]["kernels_per_tile"]
    for figure in ("psnr", "ssim", "paper_ssim"):
        assert whole[1][OURS][figure] > whole[0][OURS][figure]
    page = (tmp_path / "regression.md").read_text()
    assert "napari-rsmoe bench regression" in page
    assert "## Failure on texture" in page
    assert {"regression.json", "regression.md", "regression_texture.png", "drawn"} == set(names(tmp_path))


def test_denoising(photos: Path, tmp_path: Path) -> None:
    """Every kind of row; that single methods are right is tested with the peers."""
    methods = "ours, balanced|non-local|^MM-R-SMoE"
    only = f"^(?!.*released)(?=.*({methods}))"
    tables = bench("denoising", photos, tmp_path, "--models", 4, "--variance", 0.05, "--methods", only)
    (rows,) = (rows for group, rows in tables.items() if group.endswith("0.05"))
    noisy = rows["noisy"]["psnr"]
    assert all(row["psnr"] > noisy + 3 for name, row in rows.items() if name != "noisy")
    for kind in ("MM-R-SMoE", "MM-R-SMoE-seg-20", "MM-R-SMoE-seg-10"):
        assert rows[f"{kind}, 4 models"]["psnr"] > rows[f"{kind}, 1 model"]["psnr"]
    for name in (f"{OURS}, balanced", "non-local means"):
        assert rows[f"{name}, clipping corrected"]["psnr"] > rows[name]["psnr"]
    assert rows[f"{OURS}, balanced"]["psnr"] > rows["non-local means"]["psnr"]
    assert tables["constant image"][f"{OURS}, balanced"]["largest_change"] < 1e-3
    assert tables["pure noise"][f"{OURS}, balanced"]["left"] < 0.25


def test_superres(photos: Path, tmp_path: Path) -> None:
    tables = bench("superres", photos, tmp_path, "--iterations", 300, "--methods", "^(?!.*best)")
    (measured,) = (rows for group, rows in tables.items() if group.endswith(" 2x"))
    (ten,) = (rows for group, rows in tables.items() if group.endswith("10x"))
    assert measured["Lanczos"]["psnr"] > measured["bicubic"]["psnr"] > measured["nearest neighbour"]["psnr"]
    assert measured[OURS]["psnr"] > measured["nearest neighbour"]["psnr"]
    assert ten["nearest neighbour"]["overshoot"] == 0
    assert ten[f"{OURS}, sharpened 2x"]["overshoot"] < ten["GaussianImage, its settings, sharpened 2x"]["overshoot"]
    assert len(list(tmp_path.glob("superres_*.png"))) == 1


def test_scaling_and_going_on(photos: Path, tmp_path: Path) -> None:
    short = ("--methods", "SMoE|RBF", "--iterations", 100)
    tables = bench("scaling", photos, tmp_path, *short)
    few, many = tables.values()
    assert many[OURS]["psnr"] > few[OURS]["psnr"]
    for rows in (few, many):
        assert rows[PAPER]["psnr"] > rows[RBF]["psnr"]
    stored = json.loads((tmp_path / "scaling.json").read_text())
    course = next(e["rows"][OURS]["course"] for e in stored["results"] if OURS in e["rows"])
    assert course[-1][1] < 0.5 * course[0][1]
    assert stored["machine"]["torch"]
    assert len(list(tmp_path.glob("scaling_*.png"))) == 3

    arguments = ("bench", "scaling", photos, tmp_path, "--quick", "--lpips", "none", *short)
    again = run(*arguments)
    lines = again.stdout.splitlines()[:-1]
    assert len(lines) == 10
    assert all(line.endswith("(kept)") for line in lines)
    other = run(*arguments, "--seed", 1, "--n-kernels", 20)
    assert not any(line.endswith("(kept)") for line in other.stdout.splitlines())


def test_an_interrupted_run_keeps_what_is_finished(tmp_path: Path) -> None:
    done: list[str] = []

    def piece(name: str, fails: bool = False) -> Run:
        def work() -> dict[str, dict[str, float]]:
            if fails:
                raise KeyboardInterrupt
            done.append(name)
            return {name: {"psnr": 30.0}}

        return Run("group", "picture", name, {"level": 1}, 0, paper.__name__, protocol.__name__, work)

    store = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        complete([piece("a"), piece("b"), piece("c", fails=True)], Store(store), lambda _: None)
    outcomes = complete([piece("a"), piece("b"), piece("c")], Store(store), lambda _: None)
    assert done == ["a", "b", "c"]
    assert [next(iter(outcome.rows)) for outcome in outcomes] == ["a", "b", "c"]


def test_results_of_other_code_do_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.json")
    key = Key("kodak/kodim01", "method", {"kernels": 5}, 0, "abc")
    store.put(key, {"row": {"psnr": 30.0}})
    assert Store(store.path).get(key) == {"row": {"psnr": 30.0}}
    assert Store(store.path).get(Key("kodak/kodim01", "method", {"kernels": 5}, 0, "def")) is None
    assert Store(store.path).get(Key("kodak/kodim01", "method", {"kernels": 6}, 0, "abc")) is None
    store.path.write_text("{}")
    with pytest.raises(ValueError, match="Move it away"):
        Store(store.path)


def test_code_version_follows_imports() -> None:
    sources, outside = imported_by("napari_rsmoe.bench.peers.rsmoe")
    assert {"napari_rsmoe.fitting.fitter", "napari_rsmoe.fitting.starts.content", "napari_rsmoe._C"} <= set(sources)
    assert not {"napari_rsmoe.denoising.denoise", "napari_rsmoe.plugin", "napari_rsmoe.cli"} & set(sources)
    assert "torch" in outside
    versions = {code_version((f"napari_rsmoe.bench.peers.{name}",)) for name in ("rsmoe", "bm3d", "wavelet")}
    assert len(versions) == 3


def test_noise_is_the_protocol_s() -> None:
    clean = protocol.unit(data.cat()[:64, :64])
    level = protocol.Level.of_variance(0.01)
    drawn = np.random.default_rng(20250600 + 1000 * 2 + 5).normal(0, 0.1, clean.shape)
    np.testing.assert_allclose(level.add(clean, 5), np.clip(clean + drawn, 0, 1), atol=1e-6)
    unclipped = protocol.Level.of_sigma(50.0).add(clean, 5)
    assert unclipped.min() < 0
    assert np.std(unclipped - clean) == pytest.approx(50 / 255, rel=0.02)


def test_clipping_is_corrected_and_put_back() -> None:
    rng = np.random.default_rng(0)
    true = np.linspace(0, 1, 101, dtype=np.float32)
    noisy = np.clip(true + 0.2 * rng.standard_normal((20_000, 101)), 0, 1).astype(np.float32)
    mean = noisy.mean(0)
    assert np.abs(mean - true).max() > 0.05
    np.testing.assert_allclose(protocol.corrected(mean, 0.2), true, atol=0.01)
    clean = np.tile(true, (101, 1))
    np.testing.assert_allclose(rsmoe_denoising.uncorrected(clean, noisy[:101])[0], mean, atol=0.02)


def test_pairs_and_data_sets_are_found(photos: Path, tmp_path: Path) -> None:
    image = data.camera()[:40, :40]
    for part in ("gt", "raw"):
        (tmp_path / "fmd" / part).mkdir(parents=True)
        io.imsave(tmp_path / "fmd" / part / "cells_1.png", image, check_contrast=False)
    (tmp_path / "photos").symlink_to(photos)
    found = find_pictures(tmp_path)
    assert [(p.name, p.noisy_path is not None) for p in found] == [("cells_1", True), ("cat1", False)]
    assert [p.grey for p in found] == [True, False]
    assert [p.name for p in find_pictures(tmp_path / "fmd")] == ["cells_1"]
    assert [p.number for p in find_pictures(tmp_path, "fmd")] == [1]


def test_printed_figures_are_marked_and_stand_beside_their_own_images() -> None:
    rows = dict(printed_rows("BSD68", "sigma 25"))
    assert rows["DRUNet (trained), as printed"]["psnr"] == 29.48
    assert all("not run" in row["hardware"] and row["images"] == "68, all" for row in rows.values())
    assert "NL-Ridge, as printed" not in dict(printed_rows("bsd68", "sigma 50"))
    assert printed_rows("bsd68", "0.01") == printed_rows("fmd", "sigma 25") == []


def test_the_paper_s_numbers_agree_with_each_other() -> None:
    for table in ("table_1", "table_2"):
        for kernels in (2000, 10_000):
            for name, row in paper.regression_rows(table, kernels):
                assert row["paper_flops"] == pytest.approx(2 * row["kernels_per_tile"], abs=2), name  # rounded
                assert row["frames_per_second"] == pytest.approx(1 / row["decode_seconds"], rel=0.15), name
    rows = [dict(paper.denoising_rows(level)) for level in ("0.0037", "0.005", "0.01", "0.05")]
    assert [row["Noisy"]["psnr"] for row in rows] == [24.47, 23.19, 20.28, 13.90]
    assert [row["MM-RSMoE-seg-10, 64 models"]["psnr"] for row in rows] == [31.61, 31.05, 29.40, 24.94]
    assert len(rows[0]) == 3 + 14


def test_every_denoiser_has_a_name_of_its_own() -> None:
    found = [method.name for method in denoisers(64)]
    assert len(found) == len(set(found)) == 17 + 12


def test_wrong_use_is_explained(photos: Path, tmp_path: Path) -> None:
    result = run("bench", "regression", photos, tmp_path, "--images", "dog")
    assert result.exit_code == 1
    assert "no image that matches 'dog'" in result.stderr
    result = run("bench", "regression", tmp_path / "nowhere", tmp_path)
    assert (result.exit_code, "no folder" in result.stderr) == (1, True)
    assert run("bench", "painting", photos, tmp_path).exit_code == 2
    assert Options(photos, tmp_path).pictures(8)[0].shape == (128, 160, 3)


def test_films(photos: Path, tmp_path: Path) -> None:
    chosen = ("--images", "^(still|panning) camera", "--methods", "fast|mean|ndsafir")
    tables = bench("films", photos, tmp_path, *chosen)
    assert len(tables) == 2
    for rows in tables.values():
        alone, through = (rows[f"R-SMoE, ours, {way}, fast"] for way in ("plane by plane", "through planes"))
        assert through["psnr"] > alone["psnr"] + 0.5 > rows["noisy"]["psnr"] + 0.5
        assert 0.4 < through["within_1"] < 0.9
        assert "psnr" in rows["mean of 5 planes"]
    assert tables["still camera, 0.01"]["R-SMoE, ours, through planes, fast"]["flicker"] < 0.5
    assert "napari-rsmoe bench films" in (tmp_path / "films.md").read_text()
