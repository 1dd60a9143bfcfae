"""The budget of memory: sizes as users write them, what is free, and the refusal of what exceeds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_rsmoe import memory
from napari_rsmoe.door import door
from napari_rsmoe.errors import NotEnoughMemoryError
from napari_rsmoe.memory import Need, available, budget, checked_memory, in_words, limited, require


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (None, None),
        (2**30, 2**30),
        ("4G", 4 * 2**30),
        ("4 GB", 4 * 2**30),
        ("1.5GiB", 1536 * 2**20),
        ("500m", 500 * 2**20),
        ("2097152", 2**21),
        ("1T", 2**40),
    ],
)
def test_sizes_as_users_write_them(given: int | str | None, size: int | None) -> None:
    assert checked_memory(given) == size


@pytest.mark.parametrize("given", ["", "G", "4X", "-4G", "nan", "1e9", "4", 0, -1, 2**63, True, 4e9, float("nan"), [1]])
def test_other_sizes_are_refused_with_what_is_accepted(given: object) -> None:
    with pytest.raises(ValueError, match=r"at least 1 MiB: a number of bytes, or a text such as '500M' or '4G'"):
        checked_memory(given)  # type: ignore[arg-type]


def test_budget_is_half_of_what_is_free_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1000)
    assert budget() == 500
    with limited("2G"):
        assert budget() == 2 * 2**30
        with limited(None):
            assert budget() == 2 * 2**30
    assert budget() == 500


def test_refusal_says_the_numbers_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    require(2**20, "A small job", "Nothing")
    monkeypatch.setattr(memory, "available", lambda: 3 * 2**30)
    with pytest.raises(NotEnoughMemoryError) as refused:
        require(6 * 2**30 + 1, "This job", "Take a part of the image")
    assert str(refused.value) == (
        "This job would take about 6 GiB of memory, and 1.5 GiB may be used, half of what is free. Take a part of the "
        "image; or allow more with memory='7G' (--memory 7G)."
    )
    with limited("2M"), pytest.raises(NotEnoughMemoryError, match="memory allows 2 MiB"):
        require(2**21 + 1, "This job", "Take a part of the image")


def test_sizes_in_words() -> None:
    assert [in_words(size) for size in (12, 2**20, 1.5 * 2**30, 1023 * 2**40)] == [
        "12 bytes", "1 MiB", "1.5 GiB", "1.02e+03 TiB",
    ]  # fmt: skip


def test_need_of_a_block_and_block_of_a_need() -> None:
    need = Need(10, 100) + Need(1, 5) * 2
    assert need.bytes(7) == 110 + 12 * 7
    assert need.pixels(need.bytes(7)) == 7
    assert need.pixels(50) == 0


def group(folder: Path, limit: str, usage: int, names: tuple[str, str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"cache 5\n{names[2]} 100\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def test_control_groups_of_both_versions_and_their_parents(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    groups = tmp_path / "proc/self/cgroup"
    assert list(memory._left_in_groups(tmp_path / "nothing")) == []

    groups.write_text("0::/batch/job\n")
    group(tmp_path / "sys/fs/cgroup/batch/job", "1000", 300, V2)
    group(tmp_path / "sys/fs/cgroup/batch", "max", 400, V2)
    group(tmp_path / "sys/fs/cgroup", "900", 500, V2)
    assert list(memory._left_in_groups(tmp_path)) == [800, 500]

    groups.write_text("5:devices:/outside\n4:memory:/outside\n")
    group(tmp_path / "sys/fs/cgroup/memory", "2000", 1000, V1)  # In a container, the path is that of the host.
    assert list(memory._left_in_groups(tmp_path)) == [1100]


def test_own_limit_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    before = available()
    assert before > 0
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10**6, 10**6))
    assert available() == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_out_of_memory_is_one_clear_error(error: Exception) -> None:
    @door
    def job(*, memory: str | None = None) -> int:
        if memory is None:
            raise error
        return budget()

    with pytest.raises(NotEnoughMemoryError, match=r"There is not enough memory.*Process a part of the image") as told:
        job()
    assert told.value.__cause__ is error
    assert job(memory="3M") == 3 * 2**20
    assert memory.memory_error(ValueError("odd")) is None


def test_memory_that_torch_and_numpy_cannot_get_is_named() -> None:
    for greedy in (lambda: np.ones(2**55), lambda: torch.zeros(2**50, dtype=torch.float64, device="cpu")):
        with pytest.raises(NotEnoughMemoryError), memory.out_of_memory_named():
            greedy()
