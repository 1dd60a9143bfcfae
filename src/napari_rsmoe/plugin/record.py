"""The record of a job in the metadata of its layers, which can be copied as Python code or as a command line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

from ..renamed import current_keywords
from ..ui.calls import Subject, command_line, python_call
from .copying import packed
from .names import METADATA_KEY
from .source import Source

_PACKAGES = ("napari-rsmoe", "torch", "numpy", "napari")


def make_record(
    action: str, source: Source, parameters: Mapping[str, Any], metrics: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a job, in values that JSON can hold.

    Parameters
    ----------
    action : {"denoise", "fit", "upscale", "deblur"}
        The job.
    source : Source
        The image.
    parameters : mapping
        All keywords of the function, including the seed.
    metrics : mapping, optional
        Figures of the result.
    """
    return {
        "action": action,
        "run": uuid4().hex,
        "parameters": {name: list(v) if isinstance(v, tuple) else v for name, v in parameters.items()},
        "metrics": dict(metrics or {}),
        "source": {
            "layer": source.name,
            "id": source.layer_id,
            "path": source.path,
            "part": source.part,
            "shape": [int(n) for n in source.data.shape],
            "dtype": str(source.data.dtype),
            "axes": source.axes,
            "alpha": source.has_alpha,
            "multiscale": source.multiscale,
            "mask": _mask(source),
            "psf": _psf(source),
            "spacing": source.spacing,
        },
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "made": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _mask(source: Source) -> dict[str, Any] | None:
    """The excluded pixels: their layer, its file, what was taken of it, and the pixels themselves."""
    if source.mask is None:
        return None
    where = {"layer": source.mask_name, "path": source.mask_path, "part": source.mask_part}
    return where | packed(source.mask)


def _psf(source: Source) -> dict[str, Any] | None:
    """The layer of the point spread function, its file, and whether it shows beads."""
    spread = source.spread
    return None if spread is None else {"layer": spread.name, "path": spread.path, "beads": spread.beads}


def record_of(layer: Any) -> dict[str, Any] | None:
    """The record in the metadata of a layer; None if this plugin has not made the layer."""
    found = layer.metadata.get(METADATA_KEY)
    return dict(found) if isinstance(found, Mapping) else None


def subject_of(record: Mapping[str, Any]) -> Subject:
    """The image of a job, as Python code for napari's console and as a file for the shell."""
    source = record["source"]
    layer, path, part = source["layer"], source["path"], source["part"]
    lines = [
        f"image = read_image({path!r}).data" if path else _of_layer("image", layer, source.get("multiscale", False))
    ]
    notes = [] if path else [f"save the layer {layer!r} to image.tif first"]
    if part:
        lines.append(f"image = image[{part}]")
        notes.append(f"the result is of a part only: image[{part}]; cut it out of the file first")
    shape = tuple(source["shape"])
    if source["alpha"]:
        lines.append("image = image[..., :3]  # without opacity")
        shape = (*shape[:-1], 3)
    subject = Subject(
        axes=source["axes"],
        shape=shape,
        modules=("read_image",) if path else (),
        lines=tuple(lines),
        path=path or "image.tif",
        notes=tuple(notes),
        spacing=source.get("spacing", {}),
    )
    subject = _with_psf(subject, source.get("psf"))
    mask = source.get("mask")
    if mask is None:
        return subject
    if mask.get("own"):
        return _with_mask_file(subject, mask["path"])
    return _with_mask(subject, mask["layer"], mask["part"])


def _with_psf(subject: Subject, psf: Mapping[str, Any] | None) -> Subject:
    """The image of a job with the layer that shows its point spread function."""
    if psf is None:
        return subject
    lines = [_of_layer("psf", psf["layer"])]
    if psf["path"]:
        lines = [f"psf = read_image({psf['path']!r}).numpy()"]
    modules = {*subject.modules, *(["read_image"] if psf["path"] else [])}
    if not psf["beads"] and psf["path"]:
        return replace(
            subject, modules=tuple(modules), lines=(*subject.lines, *lines), psf="psf", psf_path=psf["path"]
        )  # fmt: skip
    if psf["beads"]:
        lines.append("psf = measure_psf(psf)")
        modules.add("measure_psf")
    note = "save the point spread function to psf.tif first, in Python: napari_rsmoe.write_image('psf.tif', psf)"
    return replace(
        subject, modules=tuple(modules), lines=(*subject.lines, *lines), psf="psf", psf_path="psf.tif",
        notes=(*subject.notes, note),
    )  # fmt: skip


def _with_mask_file(subject: Subject, path: str) -> Subject:
    """The image of a job with a file that marks excluded pixels, as `copying` has written or found it."""
    return replace(
        subject,
        modules=tuple({*subject.modules, "read_image"}),
        lines=(*subject.lines, f"mask = read_image({path!r}).data"),
        mask="mask",
        mask_path=path,
    )


def _with_mask(subject: Subject, layer: str, part: str) -> Subject:
    """The image of a job with labels that mark excluded pixels."""
    lines = [_of_layer("mask", layer), *([f"mask = mask[{part}]"] if part else [])]
    cut = f", of which the part mask[{part}]" if part else ""
    return replace(
        subject,
        lines=(*subject.lines, *lines),
        mask="mask",
        notes=(*subject.notes, f"save the labels {layer!r}{cut} to mask.tif first"),
        mask_path="mask.tif",
    )


def _of_layer(name: str, layer: str, multiscale: bool = False) -> str:
    """Python code that assigns the pixels of a layer to a variable."""
    return f"{name} = viewer.layers[{layer!r}].data{'[0]' if multiscale else ''}  # in napari's console"


def as_python(record: Mapping[str, Any]) -> str:
    """Python code that repeats a job on the pixels of the layer; ``result`` is the image of the new layer."""
    return python_call(record["action"], current_keywords(record["parameters"]), subject_of(record), drawn=True)


def as_command_line(record: Mapping[str, Any]) -> str:
    """The shell command that repeats a job on the file; comments above it say what must be done before."""
    return command_line(record["action"], current_keywords(record["parameters"]), subject_of(record))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
