"""The section of `benchmarks.load` on the page of benchmarks."""

from __future__ import annotations

from typing import Any

from benchmarks.page import load, machine_line, prose
from napari_rsmoe.bench.tables import table


def beside_load() -> list[str]:
    """Section of `benchmarks.load`, if it was run."""
    found = load("load")
    if not found:
        return []
    command = "`python -m benchmarks.load --json benchmarks/results/load.json`"
    lines = prose(command, description(found), machine_line(found["machine"]))
    return ["## Beside other programs\n", lines, rows(found)]


def description(found: dict[str, Any]) -> str:
    """What the table shows."""
    most = max(row["others"] for row in found["results"]["load"])
    return (
        "Time of a job beside 0, 1, 2 and 4 processes that are always busy, over the time with fair sharing of two "
        "processors, which the command defines; 1 is fair. `tasks` are independent tasks of two threads that nobody "
        "waits for, so what they take is the system's own sharing. Other programs took up to "
        f"{100 * most:.0f} % of the processors meanwhile; the second figures leave their time out. The share of the "
        "work that helpers do would fall if they waited while they should work. The last column is the processor time "
        "of four calls at once from four Python threads over that of four calls one after the other."
    )


def rows(found: dict[str, Any]) -> str:
    """A row for each job, with its figures beside 0, 1, 2 ... busy processes."""
    measured = found["results"]["load"]
    loads = list(dict.fromkeys(row["busy"] for row in measured))
    cells: dict[str, dict[int, dict[str, Any]]] = {}
    for row in measured:
        cells.setdefault(row["job"], {})[row["busy"]] = row

    def each(job: str, key: str, digits: str) -> str:
        return " / ".join(format(cells[job][load][key], digits) for load in loads)

    return table(
        ["job", "ratio to fair sharing", "less other programs", "share of helpers", "four calls at once"],
        [
            [
                job, each(job, "ratio", ".2f"), each(job, "ratio_less_others", ".2f"), each(job, "helpers", ".2f"),
                "" if job == "tasks" else f"{cells[job][loads[0]]['calls_at_once']:.2f}",
            ]
            for job in cells
        ],
    )  # fmt: skip
