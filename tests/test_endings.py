"""Threads that work when the program ends: they are stopped and awaited, together."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = """
import threading, time
from napari_rsmoe import endings

stop = threading.Event()

def work():
    while not stop.is_set():
        time.sleep(0.01)
    time.sleep(0.1)
    print("ended", flush=True)

for function, ask in ((work, stop.set), (lambda: time.sleep(60), lambda: None)):
    thread = threading.Thread(target=function, daemon=True)
    endings.end_with_the_program(thread, ask)
    thread.start()
print("left", flush=True)
"""


def test_threads_are_stopped_and_awaited_but_not_for_ever() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["left", "ended"]
    assert done.stderr == ""


IN_CXX = """
import threading
import numpy as np
from scipy.fft import rfft2
from napari_rsmoe import endings

endings.PATIENCE = 0.02
image = np.ones((1500, 1500))

def work():
    while True:
        rfft2(image)

thread = threading.Thread(target=work, daemon=True)
endings.end_with_the_program(thread, lambda: None)
thread.start()
raise SystemExit(3)
"""


def test_a_thread_that_goes_on_in_cxx_does_not_abort_the_program() -> None:
    done = subprocess.run([sys.executable, "-c", IN_CXX], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (3, "")


LEAVING = """
import atexit, sys, threading, time
from napari_rsmoe.endings import leave

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()
atexit.register(print, "at exit", end="")
threading.Thread(target=lambda: (time.sleep(0.05), print("awaited"))).start()
if sys.argv[1:] == ["watched"]:
    sys.setprofile(lambda *event: None)
leave(3)
sys.setprofile(None)
raise SystemExit(4)
"""


def test_a_program_leaves_in_good_order_without_being_taken_apart() -> None:
    command = [sys.executable, "-c", LEAVING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "awaited\nat exit", "")
    watched = subprocess.run([*command, "watched"], capture_output=True, text=True, timeout=30, check=False)
    assert (watched.returncode, watched.stdout.splitlines()[0]) == (4, "awaited")


AT_ONCE = """
import atexit, sys, threading, time
from napari_rsmoe import endings

atexit.register(print, "at exit", end="")
for daemon in (False, True):
    thread = threading.Thread(target=time.sleep, args=(60,), daemon=daemon)
    endings.end_with_the_program(thread, lambda: print("asked"))
    thread.start()
sys.setprofile(lambda *event: None)
endings.leave(3, wait=False)
"""


def test_a_program_can_leave_beside_threads_that_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "at exit", "")


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="needs a full device")
def test_output_that_cannot_be_written_is_an_error_as_usual() -> None:
    command = [sys.executable, "-c", "import napari_rsmoe.endings as e; print('text'); e.leave(0)"]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    with pathlib.Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False, env=buffered)
    assert done.returncode == 120
