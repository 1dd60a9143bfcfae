"""How a result was made: kept in the layer's metadata, and turned into the Python or command line that repeats it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

from ..ui.parameters import PARAMETERS, call, changed
from .names import METADATA_KEY
from .source import Source

_OPTION_OF = {"n_kernels": "--kernels"}  # where the command line's name is another
_PACKAGES = ("napari-rsmoe", "torch", "numpy", "napari")


def make_record(
    action: str, source: Source, parameters: Mapping[str, Any], metrics: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a job, in values that JSON can hold.

    Parameters
    ----------
    action : {"denoise", "fit", "upscale"}
        What was done.
    source : Source
        To what.
    parameters : mapping
        All keywords of the function, the seed among them.
    metrics : mapping, optional
        What came out, in figures.
    """
    return {
        "action": action,
        "run": uuid4().hex,
        "parameters": dict(parameters),
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
        },
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "made": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def record_of(layer: Any) -> dict[str, Any] | None:
    """The record in a layer's metadata, if it is a result of ours."""
    found = layer.metadata.get(METADATA_KEY)
    return dict(found) if isinstance(found, Mapping) else None


def python_call(record: Mapping[str, Any]) -> str:
    """Python that repeats a job on the image as the layer held it."""
    action, source = record["action"], record["source"]
    axes, alpha = source["axes"], source["alpha"]
    colour = axes.endswith("S")
    given = record["parameters"]
    plain = set(axes) <= set("YXS")  # neither planes to loop over nor channels
    lines = [f"from napari_rsmoe import {action}"]
    if not plain and action != "denoise":
        lines.append("from napari_rsmoe import map_planes")
    if source["path"]:
        lines += ["from napari_rsmoe import read_image", "", f"image = read_image({source['path']!r}).data"]
    else:
        lines += ["", f"image = viewer.layers[{source['layer']!r}].data  # in napari's console"]
    if source["part"]:
        lines.append(f"image = image[{source['part']}]")
    if alpha:
        lines.append("image = image[..., :3]  # opacity is kept out")
    tail = {"denoise": ".image", "fit": ".render()", "upscale": ""}[action]
    if plain:
        name = {"denoise": "result", "fit": "model", "upscale": "result"}[action]
        lines.append(f"{name} = {call(action, given)}")
        lines.append(f"image = {name}{tail}" if tail else "image = result")
    elif action == "denoise":
        lines[0] = "from napari_rsmoe import denoise_stack"
        lines.append(f"image = {call('denoise_stack', given, f'image, {axes!r}')}.image")
    else:
        channels = ["channel_axis=2"] if "C" in axes or colour else []
        work = call(action, given, "plane", *channels) + tail
        lines.append(f"image = map_planes(lambda plane: {work}, image, {axes!r})")
    return "\n".join(lines) + "\n"


def command_line(record: Mapping[str, Any]) -> str:
    """The shell command that repeats a job on the file; what it cannot say stands in comments before it."""
    action, source = record["action"], record["source"]
    notes = []
    if not source["path"]:
        notes.append(f"save the layer {source['layer']!r} to image.tif first")
    if source["part"]:
        notes.append(f"the result is of a part only: image[{source['part']}]; cut it out of the file first")
    path = source["path"] or "image.tif"
    words = ["napari-rsmoe", action, path, f"{action}.tif"]
    from ..cli.program import main

    known = {name for option in _command(main, action).params for name in (*option.opts, *option.secondary_opts)}
    given = dict(record["parameters"])
    if action == "upscale":
        words += ["--scale", _word(given.pop("scale"))]
    stack = not set(source["axes"]) <= set("YXS")
    for name, value in changed(PARAMETERS["denoise_stack" if stack and action == "denoise" else action], given).items():
        option = _OPTION_OF.get(name, f"--{'no-' if value is False else ''}{name.replace('_', '-')}")
        if option not in known:
            notes.append(f"the command line has no option for {name}={value!r}; Python has")
        else:
            words += [option] if isinstance(value, bool) else [option, _word(value)]
    if stack:
        words += ["--axes", source["axes"]]
    return "".join(f"# {note}\n" for note in notes) + shlex.join(words) + "\n"


def _command(group: Any, name: str) -> Any:
    import click

    return group.get_command(click.Context(group), name)


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
