"""Large images from store to store: resumed with the same bits, on workers of Dask, and in an object store."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import dask.array as dask_array
import numpy as np
import pytest
import zarr
from large_jobs import TINY, picture, settings

from napari_rsmoe import ImageError, PixelSize, StoppedError, denoise, read_image, write_image
from napari_rsmoe.batch.denoise import DenoiseFile
from napari_rsmoe.batch.pairs import Pair
from napari_rsmoe.denoising.large import tasks
from napari_rsmoe.denoising.large.cluster import Workers
from napari_rsmoe.denoising.large.job import Job, JobSettings
from napari_rsmoe.denoising.large.names import folder_of, name_of
from napari_rsmoe.denoising.large.order import VisibleFirst
from napari_rsmoe.denoising.large.running import denoise_large, status_of
from napari_rsmoe.errors import CheckpointError
from napari_rsmoe.image.blocks import BlockPlan
from napari_rsmoe.image.seams import earlier, in_order
from napari_rsmoe.io import location
from napari_rsmoe.io.block_store import BlockStore
from napari_rsmoe.io.image_file import ImageFile
from napari_rsmoe.io.lazily import open_image
from napari_rsmoe.io.location import Location
from napari_rsmoe.ui.parameters.functions import PARAMETERS
from napari_rsmoe.ui.parameters.values import values


def test_the_result_is_the_image_with_its_metadata_in_every_format(source, expected, tmp_path):
    assert np.square(expected - picture().astype(float)).mean() < 150
    assert np.load(source.with_name("std.npy")).shape == expected.shape
    left = np.load(source.with_name("residual.npy"))
    np.testing.assert_array_equal(left, picture().astype(np.float32) - expected)
    for name in ("a.ome.tif", "b.npy"):
        denoise_large(settings(source, tmp_path / name))
        image = read_image(tmp_path / name)
        np.testing.assert_array_equal(image.numpy(), expected)
        assert name == "b.npy" or image.pixel_size["X"] == PixelSize(0.5, "micrometer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ome.tif", "b.npy"]
    with pytest.raises(ImageError, match="accepted are"):
        denoise_large(settings(source, tmp_path / "c.png"))


def test_chunks_shards_and_pyramid_of_both_versions(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_rsmoe.io.block_store.SMALLEST_LEVEL", 40)
    film = np.stack([np.stack([picture(), picture()[::-1]])] * 2)  # (T, C, Y, X)
    write_image(tmp_path / "in.ome.zarr", film, axes="TCYX")
    for version in ("0.5", "0.4"):
        target = tmp_path / f"v{version}.ome.zarr"
        denoise_large(JobSettings(str(tmp_path / "in.ome.zarr"), str(target), TINY, ome_zarr=version))
        group = zarr.open_group(target, mode="r")
        assert group.metadata.consolidated_metadata is not None
        assert group["0"].shards == ((1, 2, 32, 32) if version == "0.5" else None)
        assert (group["0"].shape, group["1"].shape) == ((2, 2, 70, 60), (2, 2, 35, 30))
        fine, coarse = np.asarray(group["0"][1, 1]), np.asarray(group["1"][1, 1])
        np.testing.assert_array_equal(coarse, np.rint(fine.reshape(35, 2, 30, 2).mean((1, 3))).astype(np.uint16))
        attributes = group.attrs.asdict()
        scales = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
        assert [level["coordinateTransformations"][0]["scale"][-1] for level in scales] == [1, 2]
        assert read_image(target).axes == "TCYX"


def test_a_stopped_job_goes_on_with_the_same_bits(source, expected, tmp_path):
    target, seen = tmp_path / "out.ome.zarr", []

    def stop(progress):
        seen.append(progress.stage)
        return progress.step >= 2 * progress.total / 6

    with pytest.raises(StoppedError):
        denoise_large(settings(source, target), callback=stop)
    assert not target.exists()
    status = status_of(str(target))
    assert 1 <= status.done < status.total == 6
    assert "min" in str(status)
    assert status.seconds is not None
    before = {path.name: path.stat().st_mtime_ns for path in (folder_of(str(target)).path / "done").iterdir()}
    with pytest.raises(CheckpointError, match="begun with other settings"):
        denoise_large(settings(source, target, seed=3))
    job = Job.opened(folder_of(str(target)))
    assert [tasks.wrong(job, task) for task in range(6) if name_of(task) in job.done()] == [False] * len(before)
    job.result.write((slice(0, 1), slice(0, 1)), np.array([[7]]))
    assert tasks.wrong(job, 0)
    job.result.write((slice(0, 1), slice(0, 1)), expected[:1, :1])
    done = []
    denoise_large(settings(source, target), callback=lambda progress: done.append(progress.stage))
    np.testing.assert_array_equal(read_image(target).numpy(), expected)
    assert f"block {len(before) + 1} of 6" in done[0]
    assert str(status_of(str(target))) == "finished"
    assert [path.name for path in tmp_path.iterdir()] == ["out.ome.zarr"]
    with pytest.raises(ImageError, match="no job"):
        status_of(str(tmp_path / "other.zarr"))


def test_a_command_that_is_stopped_says_how_it_goes_on(source, tmp_path):
    said = []
    heard = SimpleNamespace(callback=lambda: lambda progress: progress.step > 0, note=said.append, detail=said.append)
    work = DenoiseFile(values(PARAMETERS["denoise_stack"], TINY))
    with pytest.raises(StoppedError):
        work(Pair(source, tmp_path / "out.ome.zarr"), heard)
    assert "the same command goes on" in said[-1]


def test_killed_jobs_go_on(source, expected, tmp_path):
    """The program is killed when some blocks are done, and the same call finishes the job."""
    target = tmp_path / "out.ome.zarr"
    code = (
        "import sys; from napari_rsmoe.denoising.large.job import JobSettings as J\n"
        "from napari_rsmoe.denoising.large.running import denoise_large\n"
        f"denoise_large(J({str(source)!r}, {str(target)!r}, {TINY!r}))"
    )
    program = subprocess.Popen([sys.executable, "-c", code])
    done = folder_of(str(target)).path / "done"
    while program.poll() is None and not (done.exists() and any(done.iterdir())):
        time.sleep(0.005)
    program.send_signal(signal.SIGKILL)
    program.wait()
    denoise_large(settings(source, target))
    np.testing.assert_array_equal(read_image(target).numpy(), expected)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_is_named_and_the_job_goes_on(source, expected, tmp_path, monkeypatch, number):
    target, written = tmp_path / "out.ome.zarr", []
    keep = tasks._mark

    def fail(*given):
        if len(written) == 2:
            raise OSError(number, os.strerror(number))
        written.append(given)
        return keep(*given)

    monkeypatch.setattr(tasks, "_mark", fail)
    with pytest.raises(ImageError, match=r"(make room|only be read).*goes on where it was"):
        denoise_large(settings(source, target))
    monkeypatch.undo()
    assert status_of(str(target)).done == 2
    denoise_large(settings(source, target))
    np.testing.assert_array_equal(read_image(target).numpy(), expected)


def test_missing_chunks_are_skipped(tmp_path):
    """Most of a huge image is missing: the sample comes from what is there, and nothing is written elsewhere."""
    side = 2**10
    array = zarr.create_array(
        tmp_path / "in.zarr", shape=(side, side), chunks=(50, 50), dtype="uint16", fill_value=5,
        dimension_names=["y", "x"],
    )  # fmt: skip
    array[750:800, 550:600] = picture()[:50, :50]
    target = tmp_path / "out.zarr"
    job = denoise_large(settings(tmp_path / "in.zarr", target, block=128, n_kernels=250))
    assert (len(job), job.side) == (64, 128)
    result = zarr.open(target)["0"]
    assert (np.asarray(result[:100, :100]) == 5).all()


def test_a_huge_image_that_is_mostly_missing_begins_in_seconds_and_skips_empty_blocks(tmp_path):
    side, begun = 100_000, []
    array = zarr.create_array(
        tmp_path / "in.zarr", shape=(side, side), chunks=(512, 512), dtype="uint16", dimension_names=["y", "x"]
    )
    array[90_112:90_624, 50_176:50_688] = np.tile(picture(64, 64), (8, 8))
    target, began = tmp_path / "out.zarr", time.process_time()

    def stop(progress):
        if progress.stage.startswith("block"):
            begun.append(time.process_time() - began)
        return len(begun) >= 100

    with pytest.raises(StoppedError):
        denoise_large(settings(tmp_path / "in.zarr", target, block=2048, n_kernels=10_000), callback=stop)
    assert begun[0] < 10
    assert begun[-1] - begun[0] < 10  # Ninety-nine empty blocks; one that is not empty takes longer.
    done = list((folder_of(str(target)).path / "done").iterdir())
    assert len(done) >= 99
    assert all(json.loads(path.read_text())["empty"] for path in done)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_no_two_tasks_write_the_same_object(tmp_path, version):
    """Neither at full resolution nor in the pyramid, whatever the shape; a shard holds whole chunks."""
    store = BlockStore(Location.of(tmp_path / "a.ome.zarr"), "TYXC", (2, 2600, 1900, 3), "uint8", 384, version)
    store.create()
    for level, shape in enumerate(store.levels):
        array, seen = store.array(level), set()
        sizes = array.shards or array.chunks
        assert all(size % chunk == 0 for size, chunk in zip(sizes, array.chunks, strict=True))
        for block in BlockPlan(shape, 384, 0):
            for t in range(2):
                index = (slice(t, t + 1), slice(0, 3), *block.core)
                ranges = [range(p.start // n, -(-p.stop // n)) for p, n in zip(index, sizes, strict=True)]
                own = set(product(*ranges))
                assert not own & seen
                seen |= own


@pytest.mark.filterwarnings("ignore")
def test_workers_of_dask_yield_the_same_bits_and_see_few_tasks_at_once(source, expected, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, processes=False, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = Workers(client, threads=1, most=3)
        known = []
        submit = client.submit
        client.submit = lambda *given, **more: known.append(len(cluster.scheduler.tasks)) or submit(*given, **more)
        denoise_large(settings(source, tmp_path / "out.ome.zarr"), runner=workers)
        client.submit = submit
        np.testing.assert_array_equal(denoise(picture(), client=client, **TINY).image, expected)
        hole = np.zeros((70, 60), bool)
        hole[40:44, 20:24] = True
        masked = denoise(picture(), mask=hole, **TINY).image
        np.testing.assert_array_equal(denoise(picture(), client=client, mask=hole, **TINY).image, masked)
    np.testing.assert_array_equal(read_image(tmp_path / "out.ome.zarr").numpy(), expected)
    assert max(known) <= 4


def test_an_object_store_is_read_and_written(source, expected, tmp_path, monkeypatch):
    pytest.importorskip("s3fs")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        import s3fs

        system = s3fs.S3FileSystem(skip_instance_cache=True)
        system.mkdir("bucket")
        zarr_source = tmp_path / "in.ome.zarr"
        write_image(zarr_source, read_image(source))
        system.put(str(zarr_source), "bucket/in.ome.zarr", recursive=True)
        target = "s3://bucket/out.ome.zarr"
        asked = JobSettings("s3://bucket/in.ome.zarr", target, TINY)

        with pytest.raises(StoppedError):
            denoise_large(asked, callback=lambda progress: progress.step >= 2 * progress.total / 6)
        assert json.loads(system.cat("bucket/out.ome.zarr/zarr.json"))["attributes"] == {}  # It is no image yet.
        assert 1 <= status_of(target).done < 6
        denoise_large(asked)
        np.testing.assert_array_equal(open_image(target).numpy(), expected)
        assert json.loads(system.cat("bucket/out.ome.zarr/zarr.json"))["attributes"]["ome"]["version"] == "0.5"
        assert not system.exists("bucket/out.ome.zarr.rsmoe-job")
        with pytest.raises(FileExistsError, match="overwrite"):
            denoise_large(asked)
        np.save(tmp_path / "in.npy", picture())
        for name in (source.name, "in.npy"):  # Files of other formats are fetched as a whole.
            system.put(str(source.with_name(name) if name == source.name else tmp_path / name), f"bucket/{name}")
            with open_image(f"s3://bucket/{name}") as image:
                np.testing.assert_array_equal(image.data[10:40, 20:30], picture()[10:40, 20:30])
        system.put(str(source), "bucket/small.ome.tif")
        denoise_large(JobSettings("s3://bucket/small.ome.tif", "s3://bucket/done.npy", TINY))
        with open_image("s3://bucket/done.npy") as image:
            np.testing.assert_array_equal(image.numpy(), expected)
        assert {Path(name).name for name in system.ls("bucket")} >= {"done.npy", "small.ome.tif"}
        assert not any("rsmoe-job" in name for name in system.ls("bucket"))
        with pytest.raises(FileExistsError, match="overwrite"):
            denoise_large(JobSettings("s3://bucket/in.npy", "s3://bucket/done.npy", TINY))
        with pytest.raises(ImageError, match="there is no file s3"):
            open_image("s3://bucket/none.npy")
        system.pipe_file("bucket/fresh.npy", (tmp_path / "in.npy").read_bytes())
        # A store is replaced on request, and is an image only when all of it is there.
        write_image("s3://bucket/stack.ome.zarr", np.stack([picture()] * 2), axes="TYX")
        write_image("s3://bucket/stack.ome.zarr", picture()[None], axes="TYX", overwrite=True)
        np.testing.assert_array_equal(read_image("s3://bucket/stack.ome.zarr").numpy(), picture()[None])
        assert len([name for name in system.find("bucket/stack.ome.zarr") if "/c/" in name]) == 1
        with pytest.raises(ImageError, match="bucket does not exist"):
            write_image("s3://none/a.tif", picture())
        # What breaks off on the way there or back is not believed.
        client = location._filesystem("s3")
        monkeypatch.setattr(client, "put", lambda files, keys: client.pipe_file(keys[0], b"half"))
        with pytest.raises(ImageError, match=r"other.ome.zarr.* was written with \d+ bytes instead of"):
            write_image("s3://bucket/other.ome.zarr", picture())
        assert not system.exists("bucket/other.ome.zarr")
        monkeypatch.setattr(client, "put_file", lambda _, key: client.pipe_file(key, b"half"))
        with pytest.raises(ImageError, match="written with 4 bytes instead of"):
            Location.of("s3://bucket/other.npy").put(tmp_path / "in.npy")
        assert not system.exists("bucket/other.npy")
        monkeypatch.setattr(client, "get_file", lambda _, path: Path(path).write_bytes(b"half"))
        with pytest.raises(ImageError, match="read with 4 bytes instead of"):
            open_image("s3://bucket/fresh.npy")
    finally:
        server.stop()


def test_planes_of_a_stack_help_each_other_in_blocks_as_in_memory(tmp_path):
    """Along time and depth, with the same bits wherever a block is done; what is left out of a neighbour is no help."""
    clean = np.stack([np.roll(picture(32, 50, noise=0), t, 1) for t in range(3)])[:, :, 2:]
    noisy = (clean + np.random.default_rng(1).normal(0, 10, clean.shape)).astype(np.float32)
    hole = np.zeros(noisy.shape, np.uint8)
    hole[0] = 1
    write_image(tmp_path / "hole.tif", hole, axes="TYX")
    given = {"preset": "fast", "models": 1, "noise": 10.0, "n_kernels": 30}

    def error(axes, **more):
        write_image(tmp_path / "in.ome.zarr", noisy, axes=axes, overwrite=True)
        target = tmp_path / f"{axes}{len(more)}.npy"
        denoise_large(JobSettings(str(tmp_path / "in.ome.zarr"), str(target), given | {"block": 32}, **more))
        return np.square(np.load(target)[1] - clean[1]).mean()

    alone = np.square(denoise(noisy[1], **given).image - clean[1]).mean()
    whole = np.square(denoise(noisy, axes="TYX", **given).image - clean)[1].mean()
    in_time = error("TYX")
    assert in_time == pytest.approx(whole, rel=0.15)
    assert error("TYX", mask=str(tmp_path / "hole.tif")) > 1.1 * in_time
    assert error("ZYX") < 0.8 * alone
    lazy = denoise(dask_array.from_array(noisy, (1, 32, 32)), axes="TYX", block=32, **given).image
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), np.load(tmp_path / "TYX0.npy"))


def test_the_order_and_the_needs_of_many_blocks():
    from napari_rsmoe.image.blocks import BlockPlan

    plan = BlockPlan((500, 700), 100, 32)
    seen = set()
    for number in in_order(plan):
        assert seen.issuperset(earlier(plan, number))
        seen.add(number)
    assert seen == set(range(len(plan)))


def test_a_local_path_may_be_a_url(source, expected, tmp_path):
    target = Path(tmp_path / "out.ome.zarr")
    denoise_large(JobSettings(source.as_uri(), target.as_uri(), TINY))
    np.testing.assert_array_equal(read_image(target).numpy(), expected)


def test_blocks_in_view_come_first_with_the_same_bits(source, expected, tmp_path):
    order, begun = [], []
    view = (0, (slice(64, 70), slice(32, 60)))  # The last block of the six, which needs its neighbours.
    runner = VisibleFirst(lambda: view, begun.append, lambda job, task: order.append(task))
    denoise_large(settings(source, tmp_path / "out.ome.zarr"), runner=runner)
    assert len(begun) == 1
    assert sorted(order) == list(range(6))
    assert order.index(5) < order.index(1)
    np.testing.assert_array_equal(read_image(tmp_path / "out.ome.zarr").numpy(), expected)


def test_an_image_that_lies_in_no_file_and_its_mask(source, expected, tmp_path):
    target = tmp_path / "out.ome.zarr"
    image, hole = picture(), np.zeros((70, 60), np.uint8)
    image[40:44, 20:24], hole[40:44, 20:24] = 60_000, 255
    opened = {"cells": lambda: ImageFile(image, "YX"), "holes": lambda: ImageFile(hole, "YX")}
    asked = JobSettings("cells", str(target), TINY, mask="holes", opened=opened)
    with pytest.raises(StoppedError):
        denoise_large(asked, callback=lambda progress: progress.step > 0)
    denoise_large(asked)
    made = read_image(target).numpy().astype(float)
    assert np.abs(made[40:44, 20:24] - expected[40:44, 20:24]).mean() < 40
    np.testing.assert_allclose(made[:20], expected[:20], atol=12)
    write_image(tmp_path / "small.tif", hole[:30])
    with pytest.raises(ImageError, match="the mask has axes YX and shape"):
        denoise_large(JobSettings(str(source), str(tmp_path / "b.npy"), TINY, mask=str(tmp_path / "small.tif")))
