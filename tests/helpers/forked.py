"""Child processes that a server forks, with all libraries loaded already."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import threading
import types
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.fuzz.worker", "tests.faults.jobs"])
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""What the server has besides the environment of this process: children neither compete nor differ from run to run."""
ONE = threading.Lock()
"""Held by the thread that begins a child, as meanwhile the state of this process is another."""


def start(module: str, function: str, *arguments: object) -> BaseProcess:
    """Begin a function of a module in a child. The server is begun once, with all modules that have such."""
    child = CONTEXT.Process(target=_call, args=(module, function, *arguments))
    changed = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)])}  # The server finds the module.
    with ONE:
        main, before = sys.modules["__main__"], {name: os.environ.get(name) for name in changed}
        sys.modules["__main__"] = types.ModuleType("__main__")  # Else every child would import pytest, for seconds.
        os.environ.update(changed)
        try:
            forkserver.ensure_running()
            child.start()
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                del os.environ[name]
                if value is not None:
                    os.environ[name] = value
    return child


def _call(module: str, function: str, *arguments: object) -> None:
    getattr(importlib.import_module(module), function)(*arguments)
