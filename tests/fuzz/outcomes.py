"""What becomes of one input: right, a clear refusal, or anything else, which is wrong."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from napari_rsmoe.cli.program import main
from napari_rsmoe.errors import ImageError, ModelFileError, NotEnoughMemoryError
from napari_rsmoe.io.files import read_image

from .seeds import Files

RIGHT, REFUSED = "right", "refused"


class WrongError(Exception):
    """An outcome that is neither right nor a clear refusal."""


def put(files: Files, folder: Path) -> Path:
    """Write the files into an empty folder; returns the image, which is the first name."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / min(files).split("/")[0]


def read(path: Path) -> str:
    """Read an image at once, lazily, and by `info`: all three agree, or refuse."""
    whole: Any = None
    try:
        whole = read_image(path)
    except (ImageError, NotEnoughMemoryError) as error:
        _check_message(str(error), path)
    try:
        with read_image(path, lazy=True) as lazy:
            part = lazy.data[...]
            if whole is not None and (
                (lazy.axes, lazy.name) != (whole.axes, whole.name) or not _same(part, whole.data)
            ):
                raise WrongError("read lazily, the image is another")
    except (ImageError, NotEnoughMemoryError) as error:
        _check_message(str(error), path)
        if whole is not None:
            raise WrongError(f"read at once it is sound, lazily it is not: {error}") from error
    code, out, _ = call(["info", str(path), "--json"])
    if whole is not None:
        if code:
            raise WrongError(f"info refuses what can be read: {out}")
        facts = json.loads(out)
        if (facts["shape"], facts["dtype"]) != (list(whole.shape), whole.dtype.name):
            raise WrongError(f"info says {facts}")
    return REFUSED if whole is None else RIGHT


def load(path: Path) -> str:
    """Load a model in Python, in napari and by `info`: all three work, or refuse with a ModelFileError."""
    from napari_rsmoe import Model  # here: torch takes seconds
    from napari_rsmoe.plugin.files import read as read_layers

    model = None
    try:
        model = Model.load(path)
        model.save(path.with_name("again.rsmoe"), overwrite=True)
        drawn = model.render(device="cpu", shape=(8, 8))
        if not np.isfinite(drawn.astype(float)).all():
            raise WrongError("it is drawn with NaN")
    except ModelFileError as error:
        _check_message(str(error), path)
    except NotEnoughMemoryError:
        model = None
    try:
        layers = read_layers(str(path))
        if model is None or len(layers) != 2:
            raise WrongError("napari reads what Python refuses")
    except ModelFileError as error:
        _check_message(str(error), path)
        if model is not None and _in_user_terms(model):
            raise WrongError(f"napari refuses what Python loads: {error}") from error
    except NotEnoughMemoryError:
        pass
    code, out, _ = call(["info", str(path), "--json"])
    if model is not None and code:
        raise WrongError(f"info refuses what can be loaded: {out}")
    return REFUSED if model is None else RIGHT


def _in_user_terms(model: Any) -> bool:
    """Whether napari can show a model: not one whose weights overflow, nor an image larger than may be drawn."""
    try:
        model.kernels()
    except ValueError:
        return False
    return float(np.prod(model.shape, dtype=float)) < 1e6


def run(line: list[str], folder: Path) -> str:
    """Run a command line in a folder: done, or a clear message, and nothing half."""
    before = _contents(folder)
    code, out, err = call(line)
    after = _contents(folder)
    half = [name for name in after if name.endswith((".part", ".old"))]
    if half:
        raise WrongError(f"it leaves {half}")
    allowed = {"models", *(line if "--overwrite" in line else ())}  # A user may ask to replace any file.
    if any(after.get(name) != content for name, content in before.items() if name.split("/")[0] not in allowed):
        raise WrongError("it changes files that it did not make")
    if code == 0:
        return RIGHT
    if code not in (1, 2) or not ("Error" in err or '"ok": false' in out):
        raise WrongError(f"it ends with code {code} and says {out} {err}")
    return REFUSED


def call(line: list[str]) -> tuple[int, str, str]:
    """Run the program in this process: its exit code, its output and its errors."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(line, prog_name="napari-rsmoe")
        except SystemExit as end:
            code = end.code
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    if "Traceback" in texts[1] or "\x1b" in "".join(texts):
        raise WrongError(f"it prints {texts[1][-2000:]!r}")
    return code, texts[0], texts[1]


def _same(first: Any, second: Any) -> bool:
    return first.shape == second.shape and np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _check_message(message: str, path: Path) -> None:
    if str(path) not in message:
        raise WrongError(f"the message does not name the file: {message}")


def _contents(folder: Path) -> dict[str, bytes]:
    return {os.path.relpath(file, folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
