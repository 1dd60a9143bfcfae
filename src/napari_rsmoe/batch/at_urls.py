"""The pairs of input and output files of which some lie at URLs, for single files and for folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ImageError
from ..io.formats import READABLE, ZARR_MARKERS, is_store, kind_to_write
from ..io.placing import check_place
from .pairs import MODEL, SEPARATORS, Pair, Place, Target, WrongUseError, images_in, place_of


def pair_at_urls(
    verb: str,
    source: str,
    targets: Sequence[Target],
    suffix: str | None = None,
    *,
    overwrite: bool = False,
    goes_on: Callable[[Place], bool] = lambda target: False,
) -> list[Pair]:
    """List the pairs of files of which some lie at URLs.

    Parameters
    ----------
    verb, targets, suffix, overwrite
        As for `pair_up`. A folder at a URL has a name without the suffix of an image, or with a slash at its end.
    source : str
        INPUT, a path or URL.
    goes_on : callable
        Whether there is an unfinished job on a target, which may then exist already.

    Raises
    ------
    WrongUseError, ImageError, FileExistsError
        As for `pair_up`.
    """
    place = place_of(source)
    images = _images_at(place)
    folders = [each for each in targets if images is not None or _names_folder(each)]
    if images is not None and any(each.names_file for each in targets):
        raise WrongUseError("INPUT is a folder, so all outputs must be folders too, without the suffix of an image.")
    if images is None and suffix is not None and targets[0] not in folders:
        raise WrongUseError("--format is for folders; the format of a single file follows from the suffix of OUTPUT.")
    pairs: list[Pair] = []
    for image in [place] if images is None else images:
        named = {
            each.option: each.place / each.name_of(image, suffix) if each in folders else each.place for each in targets
        }
        extras = {each.name: named[each.option] for each in targets[1:]}
        pairs.append(Pair(image, named[targets[0].option], extras, f"napari-rsmoe {verb} {image}"))
    everything = [str(each) for pair in pairs for each in (pair.source, *pair.targets)]
    if len(set(everything)) < len(everything):
        raise WrongUseError("INPUT and the outputs must have different names.")
    for each in targets:
        if each.suffix != MODEL:
            kind_to_write(Path(named[each.option].name))
    for pair in pairs:
        for target in pair.targets if not goes_on(pair.target) else ():
            check_place(str(target), maker=pair.maker, overwrite=overwrite)
    for each in folders:
        if isinstance(each.place, Path):
            each.place.mkdir(parents=True, exist_ok=True)
    return pairs


def _names_folder(target: Target) -> bool:
    return target.given.endswith(SEPARATORS) or target.is_folder


def _images_at(place: Place) -> list[Place] | None:
    """The images in a folder; None if the place is an image or a model itself."""
    if isinstance(place, Path):
        return list(images_in(place)) if place.is_dir() and not is_store(place) else None
    if place.suffix.lower() in (*READABLE, MODEL) or any((place / name).exists() for name in ZARR_MARKERS):
        return None
    names = sorted(each for each in place.names() if Path(each).suffix.lower() in READABLE and not each.startswith("."))
    if not names:
        raise ImageError(f"There is no image in {place}; accepted are {', '.join(READABLE)}, and folders of them.")
    return [place / each for each in names]
