"""What to do where a disk is full or may not be written to."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping

from ...errors import ImageError


@contextlib.contextmanager
def clear_errors(target: str) -> Iterator[None]:
    """Say what to do where a result cannot be written; its job goes on afterwards."""
    try:
        yield
    except OSError as error:
        reasons: Mapping[int | None, str] = {
            errno.ENOSPC: "the disk is full: make room",
            errno.EDQUOT: "the quota is used up: make room",
            errno.EROFS: "the disk can only be read: choose another place",
            errno.EACCES: "there is no permission to write: allow it",
        }
        reason = reasons.get(error.errno, f"{error.strerror or error}")
        raise ImageError(
            f"{target} cannot be written: {reason}, and give the same command again, which goes on where it was."
        ) from error
