"""The pairs of input and output files, for single files and for folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from ..errors import ImageError
from ..io.existing import check_replaceable, may_replace
from ..io.formats import READ_ONLY, READABLE, is_image_path, is_store, kind_to_write
from ..io.location import Location, is_url

SEPARATORS = ("/", os.sep)
"""A name that ends with one of these is that of a folder."""
MODEL = ".rsmoe"
"""Suffix of model files."""
Place = Path | Location
"""A file of this machine, or one at a URL."""
NAMED = 3
"""Number of existing files that a message names."""


class WrongUseError(ValueError):
    """The input and the outputs contradict each other."""


@dataclass(frozen=True)
class Pair:
    """One input file and its output files.

    Parameters
    ----------
    source : Path or Location
        The image to read.
    target : Path or Location
        The image to write.
    extras : mapping of str to Path or Location
        Further files to write, by option name.
    maker : str
        The verb and the input. Files that were made by them before may be replaced.
    content : str
        What tells an image that lies in no file from others of its name; empty for a file.
    """

    source: Place
    target: Place
    extras: Mapping[str, Place] = field(default_factory=dict)
    maker: str = ""
    content: str = ""

    @property
    def targets(self) -> list[Place]:
        """All files to write."""
        return [self.target, *self.extras.values()]


@dataclass(frozen=True)
class Target:
    """OUTPUT, or an option that names a further output.

    Parameters
    ----------
    option : str
        ``"OUTPUT"``, or the name of the option such as ``"--std"``.
    given : str
        What the user gave.
    suffix : str or None
        Suffix of its files in a folder; None for that of the image.
    dtype : str or None
        Data type of an image; None for that of the input.
    """

    option: str
    given: str
    suffix: str | None = None
    dtype: str | None = None

    @property
    def name(self) -> str:
        """The name of the option, without dashes."""
        return self.option.lstrip("-")

    @property
    def path(self) -> Path:
        """What the user gave, as a path."""
        return Path(self.given)

    @property
    def names_file(self) -> bool:
        """Whether the name has the suffix of an image or a model."""
        return self.path.suffix.lower() in (*READABLE, MODEL)

    @property
    def is_folder(self) -> bool:
        """Whether files are to be written into the folder of this name, which need not exist yet."""
        if self.names_file or is_store(self.path):
            return False
        return self.given.endswith(SEPARATORS) or self.path.is_dir()

    def inside(self, image: Place, suffix: str | None) -> Path:
        """The file for an image in this folder, with the suffix that --format names."""
        return self.path / self.name_of(image, suffix)

    def name_of(self, image: Place, suffix: str | None) -> str:
        """The name of that file."""
        stem, own = _split(Path(image.name))
        own = ".ome.tif" if own.lower() in READ_ONLY else own
        return f"{stem}{self.suffix or (own if suffix is None else f'.{suffix}')}"

    @property
    def place(self) -> Place:
        """What the user gave, as a path or a location at a URL."""
        return place_of(self.given)


def pair_up(
    verb: str,
    source: Path,
    targets: Sequence[Target],
    suffix: str | None = None,
    *,
    overwrite: bool = False,
    names: str = "*",
    advice: str = "",
) -> list[Pair]:
    """List the pairs of files for an input and its outputs, and create the folders of the outputs.

    Parameters
    ----------
    verb : str
        The verb.
    source : Path
        INPUT. A folder that is not a Zarr store stands for the images in it, and all outputs are then folders too.
    targets : sequence of Target
        OUTPUT, by whatever name, and the further outputs that were given. A folder gets a file with the name of the
        image.
    suffix : str or None
        Value of --format, for files in a folder.
    overwrite : bool
        Whether existing files are replaced, whatever they are.
    names : str
        Pattern of the names of the images of a folder, such as "*_c1*.tif".
    advice : str
        Appended to an error where the user may have meant several images.

    Raises
    ------
    WrongUseError
        If the arguments contradict each other, or the suffix of an output has no format.
    ImageError
        If there is no image to read.
    FileExistsError
        If an output exists that may not be replaced.
    """
    if source.is_dir() and not is_store(source):
        _check_distinct(source, {target.option: target.path for target in targets})
        images = images_in(source, names)
        if not images:
            like = "" if names == "*" else f" with a name like {names}"
            raise ImageError(f"There is no image{like} in the folder {source}; accepted are {', '.join(READABLE)}.")
        for target in targets:
            if target.names_file or (target.path.exists() and not target.path.is_dir()):
                raise WrongUseError(f"INPUT is a folder, so {target.option} must be a folder too, not {target.path}.")
        folders = list(targets)
    else:
        images, folders = [source], [target for target in targets if target.is_folder]
        if suffix is not None and targets[0] not in folders:
            raise WrongUseError(
                "--format is for folders; the format of a single file follows from the suffix of OUTPUT."
            )
    pairs = []
    for image in images:
        named = {t.option: t.inside(image, suffix) if t in folders else t.path for t in targets}
        _check_distinct(image, named)
        extras = {target.name: named[target.option] for target in targets[1:]}
        pairs.append(Pair(image, named[targets[0].option], extras, _maker_of(verb, image)))
    _check_collisions(pairs)
    if not source.exists():
        raise ImageError(f"There is no file {source}.{advice if set(source.name) & set('*?') else ''}")
    for target in targets:
        if target not in folders:
            _check_format(target)
    _check_free(pairs, overwrite=overwrite, advice=advice)
    for folder in folders:
        folder.path.mkdir(parents=True, exist_ok=True)
    return pairs


def pair_images(
    verb: str, images: Mapping[str, str], targets: Sequence[Target], suffix: str, *, overwrite: bool = False
) -> list[Pair]:
    """List the pairs of images that lie in no file and of their output files, and create the folders of the outputs.

    Parameters
    ----------
    verb : str
        The verb.
    images : mapping of str to str
        Names of the images, which become those of files, and what tells each from others of its name.
    targets, suffix, overwrite
        As for `pair_up`; all outputs are folders.

    Raises
    ------
    FileExistsError
        If an output exists that may not be replaced.
    """
    pairs = []
    for name, content in images.items():
        named = {each.option: each.path / f"{name}{each.suffix or f'.{suffix}'}" for each in targets}
        extras = {each.name: named[each.option] for each in targets[1:]}
        maker = f"napari-rsmoe {verb} {name} {content}"
        pairs.append(Pair(Path(name), named[targets[0].option], extras, maker, content))
    _check_free(pairs, overwrite=overwrite, advice="")
    for folder in targets:
        folder.path.mkdir(parents=True, exist_ok=True)
    return pairs


def place_of(name: str) -> Place:
    """The path that a name is, or for a URL that leads to no file of this machine its location."""
    location = Location.of(name) if is_url(name) else None
    return Path(name) if location is None else location.path or location


def images_in(folder: Path, names: str = "*") -> list[Path]:
    """The images in a folder whose names match a pattern, without further files of sets."""
    found = (each for each in folder.iterdir() if fnmatch(each.name, names) and is_image_path(each))
    return _without_parts(sorted(found))


def _without_parts(images: Sequence[Path]) -> list[Path]:
    """The images, with only the first file of each multi-file OME-TIFF, from which the whole set is read."""
    from ..io.tiff.sets import files_of_set  # here: tifffile would delay the help of every verb

    kept: list[Path] = []
    parts: set[Path] = set()
    for image in images:
        if image in parts:
            continue
        kept.append(image)
        parts |= files_of_set(image)
    return kept


def _maker_of(verb: str, source: Path) -> str:
    """The verb and its input, by which `napari_rsmoe.io.existing` knows that the same command is run again."""
    return f"napari-rsmoe {verb} {os.path.realpath(source)}"


def _check_free(pairs: Iterable[Pair], *, overwrite: bool, advice: str) -> None:
    """Raise a FileExistsError, before any work is done, if a file exists that may not be replaced."""
    if overwrite:
        return
    taken = [(path, pair) for pair in pairs for path in _paths(pair) if not may_replace(path, pair.maker)]
    if len(taken) > 1:
        names = ", ".join(str(path) for path, _ in taken[:NAMED]) + (", ..." if len(taken) > NAMED else "")
        raise FileExistsError(
            f"{len(taken)} files exist that were not written by this command, or were changed since: {names}. "
            "Give another OUTPUT, or replace them with --overwrite."
        )
    for path, pair in taken:
        try:
            check_replaceable(path, pair.maker, overwrite=False)
        except FileExistsError as error:
            raise FileExistsError(f"{error}{advice if is_image_path(path) else ''}") from None


def _paths(pair: Pair) -> list[Path]:
    """The files of this machine to write."""
    return [each for each in pair.targets if isinstance(each, Path)]


def _check_format(target: Target) -> None:
    """Reject an image whose suffix no format has that is written; models are checked where they are saved."""
    if target.suffix == MODEL:
        return
    try:
        kind_to_write(target.path)
    except ImageError as error:
        hint = " A model is saved by fit, with --model FILE.rsmoe." if target.path.suffix.lower() == MODEL else ""
        raise WrongUseError(f"{target.option} is an image, but {error}{hint}") from None


def _split(path: Path) -> tuple[str, str]:
    """Split a name into stem and suffix; ``.ome`` belongs to the suffix."""
    stem, suffix = path.stem, path.suffix
    if stem.lower().endswith(".ome"):
        stem, suffix = stem[:-4], stem[-4:] + suffix
    return stem, suffix


def _check_distinct(source: Path, targets: Mapping[str, Path]) -> None:
    """Reject outputs that overwrite the input, lie inside it, or coincide."""
    known = {source.resolve(): "INPUT"}
    for name, path in targets.items():
        real = path.resolve()
        if real in known:
            raise WrongUseError(f"{name} and {known[real]} are the same: {path}. Give another name.")
        known[real] = name
        if is_store(source) and source.resolve() in real.parents:
            raise WrongUseError(f"{name} lies inside INPUT, which is a Zarr store: {path}.")


def _check_collisions(pairs: list[Pair]) -> None:
    """Reject a folder in which two files would get the same name."""
    seen: dict[Place, Place] = {}
    for pair in pairs:
        for path in pair.targets:
            if path in seen:
                raise WrongUseError(
                    f"{seen[path].name} and {pair.source.name} would both become {path}; rename one of them "
                    "or leave --format out."
                )
            seen[path] = pair.source
