"""A queue of files that can be stopped and taken up again, with a report of what became of each."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoppedError
from ..io.atomic import replacing_file
from ..io.existing import state_of
from ..progress import Callback, Parts, Progress, pausing
from .one_by_one import Done, Work, one_by_one
from .pairs import Pair

if TYPE_CHECKING:
    import numpy as np

WAITING, RUNNING, DONE, KEPT, FAILED, STOPPED = "waiting", "running", "done", "done before", "failed", "stopped"
"""What a file of a queue is. "done before": an earlier run with the same settings has finished it."""
LOG_NAME = "napari-rsmoe-queue.json"
"""In the folder of the results: which files are finished, with which settings, for a later run."""
REPORT_NAME = "napari-rsmoe-report.csv"
"""In the folder of the results: a table for people and spreadsheets."""
QUEUE = ":queue"
"""Entry of that file for the queue itself; no name of a file has a colon at its beginning."""
COLUMNS = ("input", "output", "state", "seconds", "planes", "noise", "kernels", "psnr", "notes", "error", "finished")
DIGITS = 8
"""Hexadecimal digits of the fingerprint of the settings in the names of folders of unfinished work."""


INTERVAL = 0.1
"""Seconds after which the callback is asked again whether to stop, where work makes no reports of its own."""


@dataclass
class Entry:
    """A file of a queue.

    Attributes
    ----------
    pair : Pair
        The files.
    state : str
        One of the states above.
    fraction : float
        Fraction of the work on the file that is done, 0 to 1.
    seconds : float
        Time that it took.
    summary : str
        The result in a line for the user, or why there is none.
    notes : list of str
        What the user should know about the image.
    facts : dict
        The result, in values that JSON can hold.
    finished : str
        When it was finished; empty if it is not.
    """

    pair: Pair
    state: str = WAITING
    fraction: float = 0.0
    seconds: float = 0.0
    summary: str = ""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    finished: str = ""

    @property
    def open(self) -> bool:
        """Whether there is work left."""
        return self.state not in (DONE, KEPT)

    def row(self) -> dict[str, Any]:
        """The row of the report."""
        planes = self.facts.get("planes", ())
        means: dict[str, Any] = {}
        for name in ("noise", "kernels", "psnr"):
            known = [plane[name] for plane in planes if plane.get(name) is not None]
            means[name] = f"{sum(known) / len(known):.6g}" if known else ""
        failed = self.state in (FAILED, STOPPED)
        return {
            "input": str(self.pair.source),
            "output": "" if self.open else str(self.pair.target),
            "state": self.state,
            "seconds": f"{self.seconds:.1f}" if self.seconds else "",
            "planes": len(planes) or "",
            **means,
            "notes": " ".join(self.notes),
            "error": self.summary if failed else "",
            "finished": self.finished,
        }


class Queue:
    """Processes files one after the other on the thread that calls `run`; other threads may read its entries.

    What is finished is recorded in the folder of the results. A later queue with the same settings leaves files out
    whose input and output have not changed since, also after the program was closed.

    Parameters
    ----------
    pairs : sequence of Pair
        The files; all outputs lie in `folder`.
    work : callable
        Returns the work on one file; called with the folder for its unfinished parts, which a later run takes up.
    settings : mapping
        Everything that determines the results, in values that JSON can hold.
    folder : Path
        The folder of the results.
    """

    def __init__(
        self, pairs: Sequence[Pair], work: Callable[[Path], Work], settings: Mapping[str, Any], folder: Path
    ) -> None:
        self.entries = [Entry(pair) for pair in pairs]
        self.folder = folder
        self._work = work
        text = json.dumps(settings, sort_keys=True, default=str)
        self._fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self._stop = threading.Event()
        self._recorded = _records(folder / LOG_NAME)
        self._asked: dict[str, Any] = {}
        for entry in self.entries:
            record = self._recorded.get(entry.pair.target.name)
            if isinstance(record, dict) and record == {**record, **self._identity(entry.pair)}:
                entry.state, entry.fraction = KEPT, 1.0
                entry.summary, entry.facts = str(record.get("summary", "")), dict(record.get("facts", {}))
                entry.seconds, entry.finished = float(record.get("seconds", 0)), str(record.get("finished", ""))
                entry.notes = list(record.get("notes", ()))

    @property
    def open(self) -> list[Entry]:
        """The files that are not finished."""
        return [entry for entry in self.entries if entry.open]

    def keep(self, asked: Mapping[str, Any]) -> None:
        """Keep the queue in the folder of the results, with what the user asked for, in values that JSON can hold.

        `kept_queue` gives it to a later session.
        """
        self._asked = dict(asked)
        self._write_log()

    def forget(self) -> None:
        """Count all files as waiting, also those that an earlier run has finished."""
        self.entries = [Entry(entry.pair) for entry in self.entries]

    def stop(self) -> None:
        """Ask `run` to end. The file that is being processed is not written; a later run goes on with it."""
        self._stop.set()

    def run(self, callback: Callback | None = None) -> bool:
        """Process the files that are open; returns whether all files are finished.

        Parameters
        ----------
        callback : callable, optional
            Called with a `Progress` over all open files; if it returns True, the queue is stopped.
        """
        self._stop.clear()
        waiting = self.open
        for entry in waiting:
            entry.state, entry.fraction, entry.summary = WAITING, 0.0, ""
        parts = Parts(callback, len(waiting))
        for number, entry in enumerate(waiting):
            if self._stop.is_set():
                break
            self._process(entry, _Hearing(self._stop, entry, parts, number, len(waiting)))
        self._write_report()
        return not self.open

    def _process(self, entry: Entry, hearing: _Hearing) -> None:
        parts = self._unfinished(entry.pair)
        entry.state, entry.notes = RUNNING, []
        stopped = False

        def describe(error: Exception) -> str:
            nonlocal stopped
            stopped = isinstance(error, StoppedError)
            return "stopped" if stopped else hearing.described(error)

        hearing.open()
        with pausing(hearing.asked):
            (done,) = one_by_one([entry.pair], self._work(parts), hearing, describe)
        entry.seconds += done.seconds
        if done.ok:
            entry.facts, entry.summary, entry.fraction = done.facts, done.summary, 1.0
            entry.finished = time.strftime("%Y-%m-%d %H:%M:%S")
            entry.state = DONE
            self._record(entry, done)
            shutil.rmtree(parts, ignore_errors=True)
        else:
            entry.state, entry.summary = (STOPPED, "") if stopped else (FAILED, done.error)
            self._write_log()
        self._write_report()

    def _unfinished(self, pair: Pair) -> Path:
        """The folder for what is finished of one file; those of other settings are removed."""
        stem = f".{pair.target.name}."
        own = self.folder / f"{stem}{self._fingerprint[:DIGITS]}.rsmoe-unfinished"
        for other in self.folder.iterdir():
            if other != own and other.name.startswith(stem) and other.name.endswith(".rsmoe-unfinished"):
                shutil.rmtree(other, ignore_errors=True)
        return own

    def _identity(self, pair: Pair) -> dict[str, Any]:
        """What must be as before for a file to count as finished; empty entries if a file is missing."""
        found: dict[str, Any] = {"settings": self._fingerprint, "input": str(pair.source)}
        found |= {"content": pair.content} if pair.content else {}
        for name, path in (("source", pair.source), ("target", pair.target), *pair.extras.items()):
            found[f"state of {name}"] = state_of(Path(str(path)))
        return found

    def _record(self, entry: Entry, done: Done) -> None:
        """Remember that a file is finished. Without a record the next run only does more work than it must."""
        self._recorded[entry.pair.target.name] = {
            **self._identity(entry.pair),
            **{"summary": done.summary, "facts": done.facts, "seconds": entry.seconds},
            **{"finished": entry.finished, "notes": entry.notes},
        }
        self._write_log()

    def _write_log(self) -> None:
        """Write what is finished, and the queue itself."""
        if self._asked:
            rows = [
                {"input": str(e.pair.source), "output": str(e.pair.target), "state": e.state, "summary": e.summary}
                for e in self.entries
            ]
            self._recorded[QUEUE] = {"asked": self._asked, "entries": rows}
        with suppress(OSError, ValueError, TypeError), replacing_file(self.folder / LOG_NAME) as temporary:
            temporary.write_text(json.dumps(self._recorded, indent=1), "utf-8")

    def _write_report(self) -> None:
        with suppress(OSError):  # The table in the window has the same.
            self.write_report(self.folder / REPORT_NAME)

    def write_report(self, path: Path) -> None:
        """Write the table of all files as CSV."""
        with replacing_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(entry.row() for entry in list(self.entries))


class _Hearing:
    """Hears of the work on one file of a queue; see `Listener`."""

    def __init__(self, stop: threading.Event, entry: Entry, parts: Parts, number: int, count: int) -> None:
        self._stop, self._entry, self._parts, self._number = stop, entry, parts, number
        self._place = f"file {number + 1} of {count}"
        self._last = Progress("opening", 0, 1, None, _nothing)
        self._asked_at = 0.0

    def begin(self, number: int, name: str) -> None:
        """Nothing to do: the entry is known."""

    def open(self) -> None:
        """Say that the file is being opened."""
        self.callback()(self._last)

    def asked(self) -> bool:
        """Whether the work should stop, also between two reports."""
        now = time.monotonic()
        if not self._stop.is_set() and now - self._asked_at > INTERVAL:
            self._asked_at = now
            self.callback()(self._last)
        return self._stop.is_set()

    def callback(self) -> Callback:
        """The callback that shows the progress in the entry, and in that of the whole queue."""

        def report(progress: Progress) -> bool:
            self._last, self._asked_at = progress, time.monotonic()
            self._entry.fraction = progress.fraction
            whole = self._parts.part(self._number, f"{self._place}, {progress.stage}")
            if whole is not None and whole(replace(progress, psnr=None)):
                self._stop.set()
            return self._stop.is_set()

        return report

    def note(self, text: str) -> None:
        """Keep a note for the report."""
        if text not in self._entry.notes:
            self._entry.notes.append(text)

    def detail(self, text: str) -> None:
        """Nothing to do: details are for the command line."""

    def described(self, error: Exception) -> str:
        """The message of an error; that of a defect with its type."""
        from ..ui.jobs import plain_text  # here: only failures need it

        return plain_text(error) or f"{type(error).__name__}: {error}"


def _nothing() -> np.ndarray:
    """The preview of a file that is not open yet."""
    import numpy as np  # here, as it takes a tenth of a second

    return np.zeros((1, 1))


def kept_queue(folder: Path) -> tuple[dict[str, Any], list[Entry]] | None:
    """What was asked for, and the entries, of the queue that `Queue.keep` has left in a folder; None if there is none.

    A file that was being processed when the program ended counts as stopped.
    """
    found = _records(folder / LOG_NAME).get(QUEUE)
    if not isinstance(found, dict):
        return None
    try:
        entries = [
            Entry(
                Pair(Path(row["input"]), Path(row["output"])),
                STOPPED if row["state"] == RUNNING else row["state"],
                1.0 if row["state"] in (DONE, KEPT) else 0.0,
                summary=str(row["summary"]),
            )
            for row in found["entries"]
        ]
        return dict(found["asked"]), entries
    except (KeyError, TypeError, ValueError):
        return None


def _records(path: Path) -> dict[str, Any]:
    """What an earlier run has recorded; empty if there is nothing that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
