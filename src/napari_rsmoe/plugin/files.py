"""The reader and the writer of model files in napari."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelFileError
from ..plain_text import plain_text
from .editing import EditableKernels
from .names import METADATA_KEY
from .place import Place
from .preferences import preferences

if TYPE_CHECKING:
    from ..model.model import Model

SUFFIX = ".rsmoe"
LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """The reader if all paths are model files, else None."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    return read if paths and all(str(each).lower().endswith(SUFFIX) for each in paths) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read model files: an image and a kernels layer for each.

    Raises
    ------
    ModelFileError
        If a file is not a model file, is damaged, or has a newer version.
    """
    layers: list[LayerData] = []
    for each in [path] if isinstance(path, str | Path) else path:
        layers += read_model(Path(each))
    return layers


def read_model(path: Path) -> list[LayerData]:
    """The image and the kernels of one file."""
    # Imported here to save start-up time: torch takes seconds.
    from ..io.rsmoe import damage_named
    from ..model.model import Model

    with damage_named(path):  # A file may be sound and still hold what cannot be drawn.
        return layers_of_model(plain_text(path.stem), Model.load(path), str(path))


def layers_of_model(name: str, model: Model, path: str = "") -> list[LayerData]:
    """The image and the kernels of a model; `path` is its file, empty if it has none."""
    from .layers.kernels import kernels_output  # here: torch takes seconds
    from .record import make_record
    from .source import Source

    place = _place(model.metadata)
    drawn = model.render(device=preferences().device)
    colour = model.channels == 3 and model.layout.channel_axis == 2
    if model.layout.channel_axis is not None and not colour:
        drawn = np.moveaxis(drawn, model.layout.channel_axis, 0)
        place = _with_channel_axis(place)
    joined = 0 if drawn.ndim == 3 and not colour else None
    source = Source(data=drawn, rgb=colour, name=name, place=place, channel_axis=joined, path=path)
    record = make_record("model", source, model.metadata.get("settings", {}), {"kernels": model.n_kernels})
    image = {
        "name": name, "rgb": colour, **place.options(), "metadata": {METADATA_KEY: {**record, "role": "image"}}
    }  # fmt: skip
    table = EditableKernels([model], [(0,) * (len(place.scale) - 2)])
    kernels = kernels_output(table, place, f"{name} kernels", record, preferences().drawn_kernels)
    return [(drawn, image, "image"), kernels.as_tuple()]


def _place(metadata: Mapping[str, Any]) -> Place:
    """The transform of the image of a model: that of its layer, or the pixel size of its file."""
    scale, units = np.ones(2), ["pixel", "pixel"]
    kept = metadata.get("napari_place")
    if isinstance(kept, Mapping):
        values = {name: np.array(kept[name], float) for name in ("scale", "translate", "rotate", "shear", "affine")}
        known = all(map(known_unit, kept["units"]))
        kept_units = tuple(kept["units"]) if known else ("pixel", "pixel")
        return Place(**values, units=kept_units, axis_labels=tuple(map(plain_text, kept["axis_labels"])))
    for k, axis in enumerate("YX"):
        if axis in metadata.get("pixel_size", {}):
            size, unit = metadata["pixel_size"][axis]
            scale[k], units[k] = float(size), str(unit or "pixel")
    if units[0] != units[1] or not known_unit(units[0]):
        units = ["pixel", "pixel"]
    return Place(scale, np.zeros(2), np.eye(2), np.zeros(1), np.eye(3), (units[0], units[1]), ("y", "x"))


def known_unit(unit: str) -> bool:
    """Whether napari can use a unit."""
    if not unit.isalpha():  # Pint computes terms such as "m**9**9", which may come from others.
        return False
    # Imported here to save start-up time.
    import pint

    try:
        pint.get_application_registry().Unit(unit)
    except (pint.PintError, AttributeError, ValueError):
        return False
    return True


def _with_channel_axis(place: Place) -> Place:
    """The transform with an additional first axis."""
    n = len(place.scale) + 1
    rotate, affine = np.eye(n), np.eye(n + 1)
    rotate[1:, 1:], affine[1:, 1:] = place.rotate, place.affine
    return replace(
        place, scale=np.r_[1.0, place.scale], translate=np.r_[0.0, place.translate], rotate=rotate,
        shear=np.zeros(n * (n - 1) // 2), affine=affine, units=("pixel", *place.units),
        axis_labels=("channel", *place.axis_labels),
    )  # fmt: skip


def write_kernels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write a kernels layer to a model file, with the edits of its shapes.

    Parameters
    ----------
    path : str
        The file.
    data : sequence of numpy.ndarray
        The shapes.
    meta : mapping
        The state of the layer.

    Raises
    ------
    ModelFileError
        If the layer holds no kernels of a model.
    """
    table = edited_table(data, meta)
    place = {
        name: np.asarray(meta[name], float).tolist() for name in ("scale", "translate", "rotate", "shear", "affine")
    } | {"units": [str(unit) for unit in meta["units"]], "axis_labels": [str(label) for label in meta["axis_labels"]]}
    return write_table(path, table, meta["metadata"].get(METADATA_KEY, {}), place)


def edited_table(data: Any, meta: Mapping[str, Any]) -> EditableKernels:
    """The kernels of a layer, with the edits of its shapes; arguments as for `write_kernels`.

    Raises
    ------
    ModelFileError
        If the layer holds no kernels of a model.
    """
    # Imported here to save start-up time: torch takes seconds.
    from .layers.following import apply_changes, find_changes
    from .layers.kernels import TABLE_KEY

    table = meta.get("metadata", {}).get(TABLE_KEY)
    if not isinstance(table, EditableKernels):
        raise ModelFileError(
            f"The layer {meta.get('name', '')!r} holds no kernels of a model. Choose a kernels layer from a fit or a "
            ".rsmoe file; other shapes are saved as .csv."
        )
    kinds = meta["shape_type"]
    kinds = [kinds] * len(data) if isinstance(kinds, str) else list(kinds)
    table = table.copy()  # Saving changes nothing in the window.
    changes = find_changes(table, data, meta["features"], kinds)
    if changes:  # The shapes were edited while the Kernels widget was closed.
        apply_changes(table, changes, data, kinds, np.asarray(meta["face_color"]))
    return table


def write_table(
    path: str | Path, table: EditableKernels, record: Mapping[str, Any], place: Mapping[str, Any] | None = None
) -> list[str]:
    """Write the model of each plane to `path`, or several planes to ``name_0.rsmoe``, ``name_1.rsmoe``, ...

    Returns the paths. Raises ModelFileError for another suffix, and OSError if a file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise ModelFileError(f"{path.name}: model files end in {SUFFIX}.")
    written = []
    for plane in range(len(table)):
        target = path if len(table) == 1 else path.with_name(f"{path.stem}_{plane}{SUFFIX}")
        model = table.model(plane)
        model.metadata["napari"] = {key: record[key] for key in ("parameters", "source") if key in record}
        if place is not None and len(table.planes[plane]) == 0:
            model.metadata["napari_place"] = dict(place)
        model.save(target, overwrite=target == path)  # napari has asked before it replaces the file that was named.
        written.append(str(target))
    return written
