"""OME-XML descriptions: read without trust in their numbers, and written again with everything that they hold.

A new description is made by tifffile for the pixels that are written. If the image was read with a description, that
one is kept, with its instruments, wavelengths, times of planes and annotations, and only what speaks of the pixels is
replaced. Models of all of OME-XML exist (ome-types), but they refuse documents with a number that makes no sense; to
keep what one does not know, the tree itself is enough.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from .details import Details
from .numbers import positive, real
from .units import PixelSize, canonical_unit, is_ome_unit, ome_symbol

_SIZES = (
    ("X", "PhysicalSizeX", "micrometer"),
    ("Y", "PhysicalSizeY", "micrometer"),
    ("Z", "PhysicalSizeZ", "micrometer"),
    ("T", "TimeIncrement", "second"),
)
_NO_TITLE = r"Image:?\d+"  # What writers put in that know no title.
_OWN = "napari-rsmoe:pixel-size"  # Namespace of the annotation that keeps units which OME-XML lacks.
_OF_PIXELS = {"DimensionOrder", "Type", "SizeX", "SizeY", "SizeZ", "SizeC", "SizeT", "Interleaved", "BigEndian"}
_OF_SIZES = {name for _, name, _ in _SIZES} | {f"{name}Unit" for _, name, _ in _SIZES}
_REFERRING = {"Project", "Dataset", "Folder", "Plate", "Screen", "BinaryOnly"}  # They refer to images that may go.


@dataclass
class Description:
    """What an OME-XML description says of one image.

    Attributes
    ----------
    pixel_size : dict of str to PixelSize
        By axis letter; numbers that make no sense are left out.
    name : str
        Title of the image.
    channel_names : tuple of str
        One for each channel, or none.
    details : Details
        Further metadata.
    notes : list of str
        Remarks for the user on what was left out.
    """

    pixel_size: dict[str, PixelSize] = field(default_factory=dict)
    name: str = ""
    channel_names: tuple[str, ...] = ()
    details: Details = field(default_factory=Details)
    notes: list[str] = field(default_factory=list)


def describe(xml: str, number: int = 0) -> Description:
    """Read the description of an image.

    Parameters
    ----------
    xml : str
        The OME-XML document.
    number : int
        Which image of the document.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If the document is not well-formed.
    """
    root = ElementTree.fromstring(xml)
    images = root.findall("{*}Image")
    pixels = images[number].find("{*}Pixels") if number < len(images) else None
    if pixels is None:
        return Description()
    image, found = images[number], Description()
    for axis, name, default in _SIZES:
        text = pixels.get(name)
        value = positive(text)
        if value is not None:
            found.pixel_size[axis] = PixelSize(value, canonical_unit(pixels.get(f"{name}Unit", default)))
        elif text is not None and real(text) != 0:  # 0 is how some writers say that the size is unknown.
            found.notes.append(f"the description gives {name} as {text!r}, which is no size, so it is left out")
    found.pixel_size |= _own_sizes(root)
    title = image.get("Name", "")
    found.name = "" if re.fullmatch(_NO_TITLE, title) else title
    channels = pixels.findall("{*}Channel")
    names = [channel.get("Name") or "" for channel in channels]
    found.channel_names = tuple(names) if any(names) else ()
    colours = [colour_text(channel.get("Color")) for channel in channels]
    text = image.findtext("{*}Description") or ""
    found.details = Details(
        colours=tuple(c for c in colours if c is not None) if None not in colours else (),
        position=_position(pixels, image),
        description=text.strip(),
        ome=_only(root, image, xml),
    )
    return found


def colour_text(colour: str | None) -> str | None:
    """RRGGBB of OME's colour, a signed integer of red, green, blue and opacity; None if there is none."""
    value = real(colour)
    return None if value is None else f"{(int(value) & 0xFFFFFFFF) >> 8:06X}"


def colour_number(text: str) -> int:
    """OME's colour for RRGGBB, opaque."""
    value = int(text, 16) << 8 | 0xFF
    return value - 2**32 if value >= 2**31 else value


def _position(pixels: ElementTree.Element, image: ElementTree.Element) -> dict[str, PixelSize]:
    """Where the first plane lies on the stage, if lengths say it."""
    plane = pixels.find("{*}Plane")
    found = {}
    for axis in "XYZ":
        value = unit = None
        if plane is not None:
            value, unit = real(plane.get(f"Position{axis}")), plane.get(f"Position{axis}Unit")
        unit = canonical_unit(unit)
        if value is not None and unit is not None and is_ome_unit(unit):
            found[axis] = PixelSize(value, unit)
    return found


def _own_sizes(root: ElementTree.Element) -> dict[str, PixelSize]:
    """The pixel sizes of the annotation that `_add_sizes` writes."""
    found = {}
    for annotation in root.iter():
        if annotation.get("Namespace") == _OWN:
            for entry in annotation.iter():
                axis, (value, _, unit) = entry.get("K", ""), (entry.text or "").partition(" ")
                size = positive(value)
                if axis in ("X", "Y", "Z", "T") and size is not None:
                    found[axis] = PixelSize(size, unit)
    return found


def _only(root: ElementTree.Element, image: ElementTree.Element, xml: str) -> str:
    """The document with this image only."""
    images = root.findall("{*}Image")
    if len(images) == 1:
        return xml
    for element in list(root):
        if _tag(element) in _REFERRING or (_tag(element) == "Image" and element is not image):
            root.remove(element)
    return _text(root)


# ---------------------------------------------------------------------------------------------- writing


def document(
    axes: str, shape: Sequence[int], dtype: np.dtype[Any], fields: Mapping[str, Any], details: Details
) -> bytes:
    """Return the OME-XML description of an image that is to be written.

    Parameters
    ----------
    axes, shape, dtype
        Of the image, in the order in which it is stored.
    fields : mapping
        Fields as tifffile's ``OmeXml.addimage`` takes them.
    details : Details
        Further metadata; the description that the image was read with is kept in all that does not speak of pixels.

    Returns
    -------
    bytes
        UTF-8.

    Raises
    ------
    tifffile.OmeXmlError
        If OME-XML cannot describe the axes or the data type.
    """
    new = tifffile.OmeXml()
    new.addimage(dtype, tuple(shape), _stored_shape(axes, shape), axes=axes, **fields)
    root = ElementTree.fromstring(new.tostring())
    if details.ome:
        root = _merged(root, ElementTree.fromstring(details.ome))
    return _text(root).encode()


def _stored_shape(axes: str, shape: Sequence[int]) -> tuple[int, int, int, int, int, int]:
    """Pages, separate samples, depth, length, width, samples side by side."""
    sizes = dict(zip(axes, shape, strict=True))
    pages = int(np.prod([n for axis, n in sizes.items() if axis not in "YXS"], dtype=np.int64))
    samples = sizes.get("S", 1)
    separate, contiguous = (1, samples) if axes.endswith("S") else (samples, 1)
    return pages, separate, 1, sizes["Y"], sizes["X"], contiguous


def _merged(new: ElementTree.Element, old: ElementTree.Element) -> ElementTree.Element:
    """The document `old`, with what `new` says of the pixels."""
    image, pixels = old.find("{*}Image"), old.find("{*}Image/{*}Pixels")
    fresh_image, fresh = new.find("{*}Image"), new.find("{*}Image/{*}Pixels")
    if image is None or pixels is None or fresh_image is None or fresh is None:
        return new
    namespace = old.tag.partition("}")[0] + "}"
    for element in new.iter():
        element.tag = namespace + _tag(element)
    for element in list(old):
        if _tag(element) in _REFERRING or (_tag(element) == "Image" and element is not image):
            old.remove(element)
    old.attrib.pop("UUID", None)
    image.set("Name", fresh_image.get("Name", ""))
    same_type = pixels.get("Type") == fresh.get("Type")
    same_planes = all(_number(pixels, f"Size{a}") == _number(fresh, f"Size{a}") for a in "ZCT")
    single = {name for axis, name, _ in _SIZES if _number(fresh, f"Size{axis}") == 1}  # Of axes that the image lacks.
    kept = {name for name in single | {f"{name}Unit" for name in single} if name not in fresh.attrib}
    for name in (_OF_PIXELS | _OF_SIZES | (set() if same_type else {"SignificantBits"})) - kept:
        pixels.attrib.pop(name, None)
    pixels.attrib |= {key: value for key, value in fresh.attrib.items() if key in _OF_PIXELS | _OF_SIZES}
    _merge_children(pixels, fresh, keep_planes=same_planes)
    _add_annotations(old, new)
    return old


def _merge_children(pixels: ElementTree.Element, fresh: ElementTree.Element, *, keep_planes: bool) -> None:
    """Channels and planes of the kept description if they fit, and the new places of the planes in the file."""
    kept = {name: [e for e in pixels if _tag(e) == name] for name in ("Channel", "Plane")}
    made = {name: [e for e in fresh if _tag(e) == name] for name in ("Channel", "TiffData", "Plane")}
    channels = made["Channel"]
    if len(kept["Channel"]) == len(channels):
        for old, new in zip(kept["Channel"], channels, strict=True):
            old.attrib |= {k: v for k, v in new.attrib.items() if k in ("Name", "Color", "SamplesPerPixel")}
        channels = kept["Channel"]
    for element in list(pixels):
        pixels.remove(element)
    planes = kept["Plane"] if keep_planes else []
    if planes and made["Plane"]:
        _move(planes, made["Plane"][0])
    pixels.extend([*channels, *made["TiffData"], *(planes or made["Plane"])])


def _move(planes: Sequence[ElementTree.Element], wanted: ElementTree.Element) -> None:
    """Move planes on the stage so that the first lies where it is wanted, as far as units are the same."""
    for axis in "XYZ":
        name, unit = f"Position{axis}", f"Position{axis}Unit"
        first, place = real(planes[0].get(name)), real(wanted.get(name))
        same = canonical_unit(planes[0].get(unit)) == canonical_unit(wanted.get(unit))
        if first is None or place is None or place == first or not same:
            continue
        for plane in planes:
            value = real(plane.get(name))
            if value is not None:
                plane.set(name, f"{value + place - first:.12g}")


def _add_annotations(old: ElementTree.Element, new: ElementTree.Element) -> None:
    """Add the annotations of the new document, in the place of those of the same namespace."""
    added = new.find("{*}StructuredAnnotations")
    there = old.find("{*}StructuredAnnotations")
    if there is not None:
        for annotation in [a for a in there if a.get("Namespace") == _OWN]:
            there.remove(annotation)
            for image in old.findall("{*}Image"):
                for reference in image.findall("{*}AnnotationRef"):
                    if reference.get("ID") == annotation.get("ID"):
                        image.remove(reference)
        if len(there) == 0:
            old.remove(there)
            there = None
    if added is None:
        return
    for annotation in added:
        annotation.set("ID", f"Annotation:napari-rsmoe-{annotation.get('ID', '').rpartition(':')[2]}")
    if there is None:
        regions = next((k for k, e in enumerate(old) if _tag(e) == "ROI"), len(old))
        old.insert(regions, added)
    else:
        there.extend(list(added))


def size_fields(sizes: Mapping[str, PixelSize]) -> dict[str, Any]:
    """Pixel sizes as fields of tifffile; a unit that OME-XML lacks goes into an annotation beside the number."""
    fields: dict[str, Any] = {}
    other: dict[str, str] = {}
    for axis, name, _ in _SIZES:
        if axis not in sizes:
            continue
        value, unit = sizes[axis]
        if axis == "T" and not is_ome_unit(unit):
            other[axis] = f"{value!r} {unit or ''}".strip()
            continue
        fields[name] = value
        fields[f"{name}Unit"] = ome_symbol(unit)
        if unit is not None and not is_ome_unit(unit):
            other[axis] = f"{value!r} {unit}"
    if other:
        fields["MapAnnotation"] = {"Namespace": _OWN, "Value": other}
    return fields


def _number(element: ElementTree.Element, name: str) -> int:
    value = real(element.get(name))
    return int(value) if value is not None and math.isfinite(value) else 1


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(root: ElementTree.Element) -> str:
    """The document as text, with its namespace as the default one."""
    ElementTree.register_namespace("", root.tag.partition("}")[0].lstrip("{"))
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, encoding="unicode")
