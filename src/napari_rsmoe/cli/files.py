"""The pairs of input and output files, for single files and for folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from ..errors import ImageError
from ..io.formats import SUFFIXES, is_image_path, is_store


@dataclass(frozen=True)
class Pair:
    """One input file and its output files.

    Parameters
    ----------
    source : Path
        The image to read.
    target : Path
        The image to write.
    extras : mapping of str to Path
        Further files to write, by option name.
    """

    source: Path
    target: Path
    extras: Mapping[str, Path] = field(default_factory=dict)


def pair_up(
    source: Path, target: Path, suffix: str | None, extras: Mapping[str, tuple[Path | None, str | None]]
) -> list[Pair]:
    """List the pairs of files for the arguments INPUT and OUTPUT.

    Parameters
    ----------
    source, target : Path
        The arguments. A folder that is not a Zarr store stands for the images in it, and OUTPUT is then a folder too.
    suffix : str or None
        Value of --format.
    extras : mapping
        For each further output: its option name, the given path (or None), and the suffix of its files in a folder
        (None for that of the target).

    Raises
    ------
    click.UsageError
        If the arguments contradict each other.
    ImageError
        If there is no image to read.
    """
    given = {name: path for name, (path, _) in extras.items() if path is not None}
    if not source.exists():
        raise ImageError(f"There is no file {source}.")
    _check_distinct({"INPUT": source, "OUTPUT": target, **{f"--{name}": path for name, path in given.items()}})
    if not source.is_dir() or is_store(source):
        if suffix is not None:
            raise click.UsageError(
                "--format is for folders; the format of a single file follows from the suffix of OUTPUT."
            )
        return [Pair(source, target, given)]
    images = sorted(path for path in source.iterdir() if is_image_path(path))
    if not images:
        raise ImageError(f"There is no image in the folder {source}; accepted are {', '.join(SUFFIXES)}.")
    for name, path in {"OUTPUT": target, **{f"--{name}": path for name, path in given.items()}}.items():
        if path.suffix.lower() in (*SUFFIXES, ".rsmoe") or (path.exists() and not path.is_dir()):
            raise click.UsageError(f"INPUT is a folder, so {name} must be a folder too, not {path}.")
    pairs = []
    for image in images:
        stem, own = _split(image)
        ending = own if suffix is None else f".{suffix}"
        files = {name: path / f"{stem}{extras[name][1] or ending}" for name, path in given.items()}
        pairs.append(Pair(image, target / f"{stem}{ending}", files))
    _check_collisions(pairs)
    for folder in (target, *given.values()):
        folder.mkdir(parents=True, exist_ok=True)
    return pairs


def _split(path: Path) -> tuple[str, str]:
    """Split a name into stem and suffix; ``.ome`` belongs to the suffix."""
    stem, suffix = path.stem, path.suffix
    if stem.lower().endswith(".ome"):
        stem, suffix = stem[:-4], stem[-4:] + suffix
    return stem, suffix


def _check_distinct(paths: Mapping[str, Path]) -> None:
    """Reject outputs that overwrite the input, lie inside it, or coincide."""
    known: dict[Path, str] = {}
    for name, path in paths.items():
        real = path.resolve()
        if real in known:
            raise click.UsageError(f"{name} and {known[real]} are the same: {path}. Give another name.")
        known[real] = name
    source = paths["INPUT"].resolve()
    for path, name in known.items():
        if source in path.parents and is_store(source):
            raise click.UsageError(f"{name} lies inside INPUT, which is a Zarr store: {path}.")


def _check_collisions(pairs: list[Pair]) -> None:
    """Reject a folder in which two files would get the same name."""
    seen: dict[Path, Path] = {}
    for pair in pairs:
        for path in (pair.target, *pair.extras.values()):
            if path in seen:
                raise click.UsageError(
                    f"{seen[path].name} and {pair.source.name} would both become {path}; rename one of them "
                    "or leave --format out."
                )
            seen[path] = pair.source
