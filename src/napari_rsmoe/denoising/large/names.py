"""Names in the folder of a job."""

from __future__ import annotations

from ...io.location import Location

FOLDER = ".rsmoe-job"
"""Ending of the name of the folder of a job."""
LOCK = "lock"
"""File of that folder by which a process keeps others away."""


def folder_of(target: str) -> Location:
    """The folder of the job on a result, by its path or URL."""
    return Location.of(target).beside(FOLDER)


def name_of(task: int, level: int = 0) -> str:
    """The name of a task, of which its marker is made."""
    return f"{level}-{task:09d}"
