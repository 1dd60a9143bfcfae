"""A queue of files: one after the other, stopped and taken up again, with a report."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_rsmoe import denoise_stack, read_image, write_image
from napari_rsmoe.batch.files import Files
from napari_rsmoe.batch.jobs import FILE_JOBS
from napari_rsmoe.batch.pairs import Target, pair_up
from napari_rsmoe.batch.queue import DONE, FAILED, KEPT, LOG_NAME, REPORT_NAME, STOPPED, WAITING, Queue

GIVEN = {"models": 2, "preset": "fast", "noise": 12.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two noisy images, and a damaged file between them."""
    monkeypatch.setenv("RSMOE_STATE", str(tmp_path / "state"))
    rng = np.random.default_rng(0)
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a", "c"):
        write_image(
            source / f"{name}.tif", np.clip(rng.normal(100, 12, (3, 24, 32)), 0, 255).astype(np.uint8), axes="ZYX"
        )
    (source / "b.tif").write_bytes(b"II*\0 no more of it")
    return source


def queue_of(source: Path, given: dict[str, Any] = GIVEN) -> Queue:
    target = source.parent / "out"
    pairs = pair_up("denoise", source, [Target("OUTPUT", f"{target}/")], "ome.tif")
    return Queue(pairs, FILE_JOBS["denoise"].work(given, Files(format="ome.tif")), given, target)


def states(queue: Queue) -> list[str]:
    return [entry.state for entry in queue.entries]


def table(source: Path) -> list[dict[str, str]]:
    with (source.parent / "out" / REPORT_NAME).open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_done_but_for_the_damaged_one(folder: Path) -> None:
    seen: list[float] = []
    queue = queue_of(folder)
    assert not queue.run(lambda progress: seen.append(progress.fraction))
    assert states(queue) == [DONE, FAILED, DONE]
    assert seen == sorted(seen)
    assert 0.9 < seen[-1] <= 1
    result = read_image(folder.parent / "out" / "a.ome.tif")
    assert result.axes == "ZYX"
    film = read_image(folder / "a.tif").numpy()
    np.testing.assert_array_equal(result.numpy(), denoise_stack(film, "ZYX", **GIVEN).image)
    rows = table(folder)
    assert [row["state"] for row in rows] == [DONE, FAILED, DONE]
    assert (rows[0]["planes"], rows[0]["noise"]) == ("3", "12")
    assert "b.tif" in rows[1]["error"]
    assert sorted(path.name for path in (folder.parent / "out").iterdir()) == [
        "a.ome.tif", "c.ome.tif", LOG_NAME, REPORT_NAME,
    ]  # fmt: skip


def test_a_stopped_queue_goes_on_where_it_was_with_the_same_result(folder: Path) -> None:
    (folder / "b.tif").unlink()
    whole = queue_of(folder)
    assert whole.run()
    expected = [read_image(entry.pair.target).numpy() for entry in whole.entries]
    for entry in whole.entries:
        entry.pair.target.unlink()

    queue, stages = queue_of(folder), []

    def stop_in_second_plane(progress: Any) -> bool:
        stages.append(progress.stage)
        return "file 2 of 2, plane 2 of 3" in progress.stage

    assert not queue.run(stop_in_second_plane)
    assert states(queue) == [DONE, STOPPED]
    unfinished = [path for path in (folder.parent / "out").iterdir() if path.name.endswith("unfinished")]
    assert len(unfinished) == 1  # the models of the first plane
    assert not (folder.parent / "out" / "c.ome.tif").exists()

    later = queue_of(folder)  # as after a restart
    assert states(later) == [KEPT, WAITING]
    assert later.run()
    assert states(later) == [KEPT, DONE]
    for entry, image in zip(later.entries, expected, strict=True):
        np.testing.assert_array_equal(read_image(entry.pair.target).numpy(), image)
    assert not unfinished[0].exists()
    assert [row["state"] for row in table(folder)] == [KEPT, DONE]


def test_what_has_changed_is_processed_again(folder: Path) -> None:
    (folder / "b.tif").unlink()
    assert queue_of(folder).run()
    assert states(queue_of(folder)) == [KEPT, KEPT]
    assert states(queue_of(folder, {**GIVEN, "seed": 1})) == [WAITING, WAITING]
    write_image(folder / "a.tif", np.zeros((2, 24, 32), np.uint8), axes="ZYX", overwrite=True)
    (folder.parent / "out" / "c.ome.tif").unlink()
    assert states(queue_of(folder)) == [WAITING, WAITING]
    (folder.parent / "out" / LOG_NAME).write_text("{ damaged")
    assert states(queue_of(folder)) == [WAITING, WAITING]


SMALL: dict[str, dict[str, Any]] = {
    "fit": {"n_kernels": 12, "iterations": 5},
    "upscale": {"n_kernels": 12, "iterations": 5, "scale": 2.0, "models": 1},
    "deblur": {"psf": "1.2", "noise": 0.0, "preset": "fast"},
}
"""Settings of each job that take little time."""


@pytest.mark.parametrize("job", sorted(set(FILE_JOBS) - {"denoise"}))
def test_other_jobs(folder: Path, job: str) -> None:
    (folder / "b.tif").unlink()
    (folder / "c.tif").unlink()
    given, target = SMALL[job], folder.parent / "out"
    pairs = pair_up(job, folder, [Target("OUTPUT", f"{target}/")], "ome.zarr", names="a*")
    queue = Queue(pairs, FILE_JOBS[job].work(given, Files(format="ome.zarr")), given, target)
    assert queue.run(), queue.entries[0].summary
    side = 2 if job == "upscale" else 1
    assert read_image(target / "a.ome.zarr").numpy().shape == (3, 24 * side, 32 * side)


def test_a_queue_stops_before_the_work_has_reported_anything(folder: Path) -> None:
    from napari_rsmoe.progress import pause

    heard: list[str] = []

    def silent(_pair: Any, _listener: Any) -> dict[str, Any]:
        while True:
            pause()

    pairs = pair_up("fit", folder, [Target("OUTPUT", f"{folder.parent / 'out'}/")], "ome.tif")
    queue = Queue(pairs, lambda _: silent, {}, folder.parent / "out")
    queue.run(lambda progress: heard.append(progress.stage) or len(heard) > 1)
    assert states(queue) == [STOPPED, WAITING, WAITING]
    assert heard == ["file 1 of 3, opening"] * 2
