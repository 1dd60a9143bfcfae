"""Which files an image may draw in besides the one that was named: those below its own folder."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ImageError


def check_inside(path: Path, other: str | os.PathLike[str], *, whole: Path | None = None) -> None:
    """Check that a file that belongs to an image lies below the folder of the image.

    Parameters
    ----------
    path : Path
        The image that was named. If it is a symbolic link, the folder of its target counts too.
    other : path
        A file that the image names or links to; relative to the folder of the image, or absolute.
    whole : Path, optional
        The folder below which `other` must lie; by default that of `path`.

    Raises
    ------
    ImageError
        If the file lies elsewhere, by its name or by a symbolic link.
    """
    roots = [whole] if whole is not None else [path.parent, Path(os.path.realpath(path)).parent]
    real = Path(os.path.realpath(roots[0] / other))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        raise ImageError(
            f"{path} draws in {str(other)!r}, a file outside its folder, which is not read. Put a copy of that file "
            "beside the image; or, if you trust the image, allow it with allow_outside=True (on the command line "
            "--allow-outside)."
        )
