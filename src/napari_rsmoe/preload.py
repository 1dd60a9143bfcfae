"""Load torch so that a window stays alive meanwhile, and other imports go on.

`import torch` takes a second. For most of the first half Python's lock is held while the system loads torch's largest
library; every now and then, Python's collector visits all objects there are. Both stop a window for several tenths of a
second, also from another thread.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from .endings import before_python_ends

BEFORE = (
    "secrets",
    "shutil",
    "numpy",
    "csv",
    "socket",
    "mmap",
    "multiprocessing.synchronize",
    "psutil",
    "PIL.Image",
    "decimal",
)
"""Modules that every job on an image needs, and that have compiled parts or load modules that do.

The system loads one library at a time. What comes after torch's would wait for a fifth of a second."""

SHAPES_ALONE = "torch._meta_registrations"
"""A module of torch that is imported for what it registers: kernels for tensors without values, which only compilers of
programs need. With all that it imports it takes a third of the time of `import torch`."""


class _Later(ModuleType):
    """Stands for a module of torch, and becomes it when something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _forget_later()
        return getattr(import_module(self.__name__), name)


def load_early() -> None:
    """Begin to load torch's libraries in the background, for a program that will need them in a moment.

    `importing_torch` then leaves out what a program does not need. NumPy's BLAS gets a single thread, unless the
    environment says otherwise: only small products are left to it, and its threads would take turns with the engine's.
    """
    if "torch" not in sys.modules:
        sys.modules[SHAPES_ALONE] = _Later(SHAPES_ALONE)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in BEFORE:
        with suppress(ImportError):  # Not every platform has all of them.
            import_module(name)
    thread = threading.Thread(target=load_libraries, name="libraries of torch", daemon=True)
    thread.start()
    # Libraries that are only half loaded would crash Python at its end.
    before_python_ends(thread.join)


def load_libraries() -> bool:
    """Load torch's large libraries into this process, without Python's lock and without importing torch.

    `import torch` then finds them loaded. It is meant for a thread of its own.

    Returns
    -------
    bool
        False where it does not work: on Windows, whose libraries need paths that torch sets itself, or without torch.
        Then `import torch` loads them, as always.
    """
    # Imported here to save start-up time.
    import ctypes

    spec = find_spec("torch")
    folders = None if spec is None else spec.submodule_search_locations
    if not folders or os.name != "posix":
        return False
    # The order and the scopes of torch/__init__.py. Through `ctypes.CDLL` itself the lock would be held.
    end = "dylib" if sys.platform == "darwin" else "so"
    libraries = (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch_cpu", os.RTLD_LOCAL))
    load = ctypes.CDLL(None).dlopen
    load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
    files = [(Path(folders[0]) / "lib" / f"{name}.{end}", scope) for name, scope in libraries]
    return all(bool(load(os.fsencode(file), os.RTLD_NOW | scope)) for file, scope in files)


@contextmanager
def importing_torch() -> Iterator[None]:
    """Import torch in less time; afterwards all of its modules can be imported."""
    try:
        with collector_paused():
            yield
    finally:
        _forget_later()


def _forget_later() -> None:
    """Let the next import of a module that was left out load it."""
    if isinstance(sys.modules.get(SHAPES_ALONE), _Later):
        del sys.modules[SHAPES_ALONE]
    torch, _, name = SHAPES_ALONE.partition(".")
    if isinstance(getattr(sys.modules.get(torch), name, None), _Later):
        delattr(sys.modules[torch], name)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's collector from visiting what is loaded meanwhile, which stays until the end anyway."""
    enabled, modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        # To the oldest generation without a visit: a full collection right now would stop the window too. Nothing is
        # moved where nothing was loaded, as what the program has frozen itself would come back for good.
        if len(sys.modules) > modules:
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()
