"""The section of docs/results/benchmarks.md about ratios to other methods, measured by `benchmarks.ratios`."""

from __future__ import annotations

from typing import Any

from benchmarks.page import load, machine_line, prose
from napari_rsmoe.bench.tables import table


def ratios() -> list[str]:
    """Section of `benchmarks.ratios`, if it was run with all its parts."""
    found = load("ratios")
    if not found:
        return []
    lines = [
        "## Ratios to other methods\n",
        prose(
            "`python -m benchmarks.ratios --table --json benchmarks/results/ratios.json`",
            "Processor seconds as a fraction of those of BM3D (PyPI `bm3d`, in colour for colour images) on the same "
            "images under the same load, and mean PSNR. Our methods run with each instruction set, alone or beside "
            "processes that are always busy; peers choose their instructions themselves, and so does our reference, "
            "which draws the same kernels in plain torch. Colour: Kodak with noise of "
            f"variance {found['results']['variance']:g}. Grey: its brightness with that noise, 16 bits. Micrographs: "
            "frames of FMD with the noise that is there, 16 bits.",
            machine_line(found["machine"]),
        ),
    ]
    for part in found["results"]["parts"]:
        lines += ratios_of(part)
    return lines


def ratios_of(part: dict[str, Any]) -> list[str]:
    """A table of one part of `benchmarks.ratios`: a row for each method, a column for each way to run it."""
    ways = list(dict.fromkeys((r["simd"], r["threads"]) for r in part["rows"] if r["who"] == "ours"))
    rows: dict[str, dict[Any, str]] = {}
    for r in part["rows"]:
        cells = rows.setdefault(r["method"], {"PSNR": f"{r['psnr']:.2f}"})
        cells[r["simd"], r["threads"]] = f"{r['ratio']:.{3 if r['ratio'] >= 0.001 else 4}f}"
    beside = f", beside {part['load']} busy processes" if part["load"] else ""
    size = f", {part['crop']} px in the middle" if part["crop"] else ""
    return [
        f"{part['content'].capitalize()}{beside}: {', '.join(part['images'])}{size}.\n",
        table(
            ["method", *(f"{simd}, {n} thread{'s' * (n > 1)}" for simd, n in ways), "its own", "PSNR, dB"],
            [
                [method, *(cells.get(way, "") for way in ways), cells.get((None, 1), ""), cells["PSNR"]]
                for method, cells in rows.items()
            ],
        ),
    ]
