"""The engine's threads: as many as allowed, asleep when idle, safe after fork and for several callers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from backends import ROOT
from mixtures import random_mixture

from napari_rsmoe import engine

HEIGHT, WIDTH = 200, 260
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

SETUP = """
import os, sys, threading, time
import numpy as np
import torch
from mixtures import random_mixture
from napari_rsmoe import engine
geometry, experts = random_mixture(500, 3, (200, 260), 0)
draw = lambda: engine.render(geometry, experts, 200, 260, tau=20.0).numpy()  # torch's own operators have other threads
helpers = lambda before: len(os.listdir("/proc/self/task")) - before
"""


FORKS = """
import json, traceback
for line in sys.stdin:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        failed = 1
        try:
            exec(json.loads(line))
            failed = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(failed)
    os.close(writing)
    with os.fdopen(reading) as file:
        printed = file.read()
    print(json.dumps([os.waitpid(child, 0)[1], printed]), flush=True)
"""
"""Runs each line of its input in a child, so that torch is loaded once, and no child has threads of another."""


@pytest.fixture(scope="module")
def in_process() -> Iterator[Callable[[str], str]]:
    """Runs code after the set-up in a process that has no helpers yet, and returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "helpers")}
    command = [sys.executable, "-c", SETUP + FORKS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:

        def run(code: str) -> str:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(code) + "\n")
            process.stdin.flush()
            status, printed = json.loads(process.stdout.readline())
            assert status == 0, printed
            return str(printed).strip()

        yield run
        assert process.stdin
        process.stdin.close()


needs_linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
needs_two = pytest.mark.skipif(PROCESSORS < 2, reason="needs two processors")


@needs_linux
@needs_two
def test_as_many_threads_as_allowed(in_process: Callable[[str], str]) -> None:
    """No helper for one thread or one processor, one for two, and no more than there are processors."""
    counts = in_process("""
before = len(os.listdir("/proc/self/task"))
torch.set_num_threads(1)
draw()
print(helpers(before))
allowed = os.sched_getaffinity(0)
torch.set_num_threads(64)
os.sched_setaffinity(0, {min(allowed)})
draw()
print(helpers(before))
os.sched_setaffinity(0, allowed)
torch.set_num_threads(2)
before = len(os.listdir("/proc/self/task"))
draw()
print(helpers(before))
torch.set_num_threads(64)
before = len(os.listdir("/proc/self/task"))
draw()
print(1 + helpers(before) <= len(allowed))
""").split()
    assert counts == ["0", "0", "1", "True"]


@needs_linux
@needs_two
def test_idle_helpers_sleep(in_process: Callable[[str], str]) -> None:
    used = in_process("""
torch.set_num_threads(2)
for _ in range(20):
    draw()
time.sleep(0.01)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before)
""")
    assert float(used) < 0.1


@needs_linux
def test_a_child_after_fork_has_threads_of_its_own(in_process: Callable[[str], str]) -> None:
    printed = in_process("""
torch.set_num_threads(2)
expected = draw()
for _ in range(5):
    child = os.fork()
    if child == 0:
        same = all(np.array_equal(draw(), expected) for _ in range(3))
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    assert np.array_equal(draw(), expected)
print("same")
""")
    assert printed == "same"


@needs_linux
def test_several_callers_at_once(in_process: Callable[[str], str]) -> None:
    """All get their results, and share the helpers of one."""
    printed = in_process("""
torch.set_num_threads(3)
expected = draw()
before, wrong = len(os.listdir("/proc/self/task")), []
def call():
    torch.set_num_threads(3)
    for _ in range(20):
        if not np.array_equal(draw(), expected):
            wrong.append(1)
callers = [threading.Thread(target=call) for _ in range(5)]
for caller in callers: caller.start()
most = 0
while any(caller.is_alive() for caller in callers):
    most = max(most, helpers(before))
    time.sleep(0.001)
print(len(wrong), most <= 5)
""").split()
    assert printed == ["0", "True"]


def test_the_interpreter_goes_on_meanwhile() -> None:
    """Other Python threads run while the engine works."""
    geometry, experts = random_mixture(2000, 3, (HEIGHT, WIDTH), 0)
    steps, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            steps[0] += 1
            time.sleep(0.0005)

    counter = threading.Thread(target=count)
    counter.start()
    for _ in range(3):
        engine.render(geometry, experts, HEIGHT, WIDTH, tau=torch.inf)
    stop.set()
    counter.join()
    assert steps[0] > 3


@needs_linux
def test_torch_is_alone_within_a_job_only() -> None:
    """In the thread of the job, until its end, whatever way it ends; a number set meanwhile stays."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    seen: dict[str, int] = {}

    def job(_: torch.device) -> None:
        seen["job"] = torch.get_num_threads()
        other = threading.Thread(target=lambda: seen.update(other=torch.get_num_threads()))
        other.start()
        other.join()
        engine.run_on("cpu", lambda _: seen.update(nested=torch.get_num_threads()))
        seen["after nested"] = torch.get_num_threads()

    def fail(_: torch.device) -> None:
        raise ValueError("spoilt")

    try:
        engine.run_on("cpu", job)
        assert seen == {"job": 1, "other": 3, "nested": 1, "after nested": 1}
        with pytest.raises(ValueError, match="spoilt"):
            engine.run_on("cpu", fail)
        assert torch.get_num_threads() == 3
        engine.run_on("cpu", lambda _: torch.set_num_threads(2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@needs_linux
@needs_two
def test_a_job_has_helpers_while_torch_is_alone(in_process: Callable[[str], str]) -> None:
    counts = in_process("""
torch.set_num_threads(2)
before = len(os.listdir("/proc/self/task"))
engine.run_on("cpu", lambda _: draw())
print(helpers(before))
""")
    assert counts == "1"
