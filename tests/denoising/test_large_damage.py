"""Damaged, forged and hostile folders of jobs: named clearly, never executed, followed or believed."""

import io
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from large_jobs import settings

from napari_rsmoe import StoppedError, read_image
from napari_rsmoe.denoising.large import trusted
from napari_rsmoe.denoising.large.names import folder_of
from napari_rsmoe.denoising.large.running import denoise_large, status_of
from napari_rsmoe.errors import CheckpointError


@pytest.fixture(scope="module")
def half_done(source, tmp_path_factory):
    """A folder with a job of which four of six blocks are done."""
    folder = tmp_path_factory.mktemp("half")
    with pytest.raises(StoppedError):
        denoise_large(
            settings(source, folder / "out.ome.zarr"), callback=lambda progress: progress.step >= 3 * progress.total / 6
        )
    return folder


def other_values(job):
    known = json.loads((job / "job.json").read_text())
    known["survey"]["error"] = 1e308
    return json.dumps(known).encode()


def forged(job, **changes):
    """A job as an earlier version wrote it, without a checksum."""
    known = json.loads((job / "job.json").read_text()) | changes
    del known[trusted.SEAL]
    return json.dumps(known).encode()


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def strips_with(job, change):
    with np.load(next((job / "margins").iterdir())) as arrays:
        changed = {name: change(values) if name[-1] in "01" else values for name, values in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **changed)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [
    lambda job: b"", lambda job: b"[" * 100_000, lambda job: b"[]", lambda job: b"\xff\xfe{", other_values,
    lambda job: forged(job, side=0), lambda job: forged(job, side=1e400), lambda job: forged(job, identity=None),
    lambda job: forged(job, survey={"layout": 5}), lambda job: forged(job, asked=5),
])  # fmt: skip
def test_a_damaged_job_file_is_named(source, half_done, tmp_path, content):
    target = shutil.copytree(half_done, tmp_path / "copy") / "out.ome.zarr"
    job = folder_of(str(target)).path
    (job / "job.json").write_bytes(content(job))
    for call in (lambda: denoise_large(settings(source, target)), lambda: status_of(str(target))):
        with pytest.raises(CheckpointError, match=r"job\.json is damaged .*begin again"):
            call()


def test_damaged_markers_and_margins_are_named_and_done_anew(source, expected, half_done, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = shutil.copytree(half_done, tmp_path / "copy") / "out.ome.zarr"
    job = folder_of(str(target)).path
    for content in (b"", b"[]", b"5", b"\xff", b'{"ended": "x"}', b'{"ended": -1e300}'):
        for marker in (job / "done").iterdir():
            marker.write_bytes(content)
        (job / "done" / "0-other.json").write_bytes(content)
        assert 1 <= status_of(str(target)).done < 6
    pickled = io.BytesIO()
    np.savez(pickled, **{"0-part": np.array([Harmful()], object)})
    whole = strips_with(job, np.asarray)
    hostile = [
        b"", b"no archive", whole[:300], pickle.dumps(Harmful()), pickled.getvalue(), None,
        *(strips_with(job, change) for change in (lambda v: v[:1], lambda v: v + 1j, lambda v: v.astype(str))),
    ]  # fmt: skip
    for content in hostile:
        for margin in half_done.glob("*/margins/*"):
            place = job / "margins" / margin.name
            place.unlink(missing_ok=True) if content is None else place.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"margins.* is damaged .*delete .*done.*does this block anew"):
            denoise_large(settings(source, target))
    assert not Path("executed").exists()
    for marker in (job / "done").iterdir():
        marker.unlink()
    denoise_large(settings(source, target))
    np.testing.assert_array_equal(read_image(target).numpy(), expected)


def test_values_of_a_margin_that_changed_are_found(source, half_done, tmp_path):
    target = shutil.copytree(half_done, tmp_path / "copy") / "out.ome.zarr"
    job = folder_of(str(target)).path
    content = strips_with(job, lambda values: np.full_like(values, np.nan))
    for margin in (job / "margins").iterdir():
        margin.write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum"):
        denoise_large(settings(source, target))


@pytest.mark.parametrize("name", ["", "job.json", "lock", "done", "margins", "image.ome.zarr/0", "done/link.json"])
def test_links_in_the_folder_of_a_job_are_not_followed(source, half_done, tmp_path, name):
    target = shutil.copytree(half_done, tmp_path / "copy") / "out.ome.zarr"
    place, outside = folder_of(str(target)).path / name, tmp_path / "outside"
    if place.exists():
        shutil.move(place, outside)
    place.symlink_to(outside)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    for call in (lambda: denoise_large(settings(source, target)), lambda: status_of(str(target))):
        with pytest.raises(CheckpointError, match="is a link, which is not followed"):
            call()
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "0", "0/zarr.json"])
def test_a_result_that_is_damaged_before_it_is_finished_is_named(source, half_done, tmp_path, name):
    target = shutil.copytree(half_done, tmp_path / "copy") / "out.ome.zarr"
    place = folder_of(str(target)).path / "image.ome.zarr" / name
    place.write_bytes(b"{") if place.is_file() else shutil.rmtree(place)
    with pytest.raises(CheckpointError, match="of the result is damaged; delete"):
        denoise_large(settings(source, target))
