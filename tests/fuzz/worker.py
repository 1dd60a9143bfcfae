"""One process that tries many inputs of one kind. What it tries is written down before, so that a crash is known.

Each line of the output is a JSON list: the number of the input, the outcome, and what to know of a wrong one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from napari_rsmoe.memory import limited

from . import outcomes
from .lines import INPUTS, lines
from .mutations import damaged, recipes
from .seeds import SEEDS, Files

SECONDS = 20  # Time for one input; what takes longer counts as hanging.
ROOM = 3 * 2**30  # Bytes of memory that the process may take besides what it begins with.
BUDGET = "256M"  # What may be planned for one job.
ALL = list(HealthCheck)
LINES, PLANTED = "command line", "planted"


def main(kind: str, count: int, start: int, skip: int, output: str, errors: str) -> None:
    """Try `count` inputs drawn from the seed `start`, but for the first `skip`, which were tried before.

    What is printed goes into the files `output` and `errors`.
    """
    for descriptor, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    report = os.fdopen(os.dup(1), "w")
    os.environ["RSMOE_STATE"] = tempfile.mkdtemp(prefix="fuzz-state-")
    begun = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        os.chdir(folder)
        if kind == PLANTED:
            work, inputs = _planted, st.integers(0, 9)
        else:
            work, inputs = _lines(folder) if kind == LINES else _files(kind, folder)
        grown = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (grown + ROOM, grown + ROOM))

        @seed(start)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(inputs)
        def trial(drawn: Any) -> None:
            nonlocal begun
            begun += 1
            if begun <= skip:
                return
            print(json.dumps([begun, "begun", repr(drawn)]), file=report, flush=True)
            signal.alarm(SECONDS)
            try:
                with limited(BUDGET):
                    found, why = work(drawn), ""
            except outcomes.WrongError as error:
                found, why = "wrong", f"{error}\n{drawn!r}"
            except BaseException:
                found, why = "wrong", f"{traceback.format_exc()}\n{drawn!r}"
            signal.alarm(0)
            print(json.dumps([begun, found, why]), file=report, flush=True)

        trial()


def _files(kind: str, folder: Path) -> tuple[Callable[[Any], str], st.SearchStrategy[Any]]:
    """Damaged files of a format."""
    seeds: list[Files] = SEEDS[kind]()
    judge = outcomes.load if kind == "rsmoe" else outcomes.read
    for files in seeds:
        assert judge(outcomes.put(files, folder)) == outcomes.RIGHT, files.keys()

    def work(drawn: tuple[int, Any]) -> str:
        number, recipe = drawn
        return judge(outcomes.put(damaged(seeds[number], recipe), folder))

    return work, st.tuples(st.integers(0, len(seeds) - 1), recipes)


def _lines(folder: Path) -> tuple[Callable[[Any], str], st.SearchStrategy[Any]]:
    """Command lines in a folder of small files."""
    files: Files = {}
    for kind in ("png", "npy", "ome-tiff", "jpeg", "zarr", "rsmoe"):
        files |= SEEDS[kind]()[-1 if kind == "zarr" else 0]
    files |= {"text.png": b"no image", "folder/b.png": files["a.png"], "folder/c.npy": files["a.npy"]}
    assert set(INPUTS) <= {name.split("/")[0] for name in files}

    def work(line: list[str]) -> str:
        outcomes.put(files, folder)
        return outcomes.run(line, folder)

    return work, lines()


def _planted(number: int) -> str:
    """Outcomes by which the fuzzer itself is tested: an exception, a crash, and sound ones."""
    if number == 3:
        raise KeyError("a defect")
    if number == 5:
        os.abort()
    return outcomes.RIGHT if number % 2 else outcomes.REFUSED
