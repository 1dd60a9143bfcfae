"""The section of docs/results/benchmarks.md about ratios to other methods, measured by `benchmarks.ratios`."""

from __future__ import annotations

from typing import Any

from benchmarks.page import RESULTS, load, machine_line, prose
from napari_rsmoe.bench.tables import table

PRESETS = {"fast": "denoise, fast", "balanced": "denoise, balanced", "best": "denoise, best"}
"""Columns of the table in short, and the methods that they show."""


def ratios() -> list[str]:
    """Section of `benchmarks.ratios`, with the files of all processors on which it was run with all its parts."""
    measured = [found for name in runs() if (found := load(name))]
    if not measured:
        return []
    lines = [
        "## Ratios to other methods\n",
        prose(
            "`python -m benchmarks.ratios --table --json benchmarks/results/ratios.json` (of another processor: "
            "`ratios-NAME.json` beside it)",
            "Processor seconds as a fraction of those of BM3D (PyPI `bm3d`, in colour for colour images) on the same "
            "images under the same load, and mean PSNR. Our methods run with each instruction set, alone or beside "
            "processes that are always busy; peers choose their instructions themselves, and so does our reference, "
            "which draws the same kernels in plain torch. Colour: Kodak with noise of "
            f"variance {measured[0]['results']['variance']:g}. Grey: its brightness with that noise, 16 bits. "
            "Micrographs: frames of FMD with the noise that is there, 16 bits.",
            "`denoise` in short, means of the images, one thread and nothing beside:",
        ),
        table(
            ["images", "processor", "instructions", *PRESETS],
            sorted((row for found in measured for row in short(found)), key=lambda row: row[0]),
        ),
    ]
    for found in measured:
        lines += [f"### {found['machine']['processor']}\n", prose(machine_line(found["machine"]))]
        for part in found["results"]["parts"]:
            lines += ratios_of(part)
    return lines


def runs() -> list[str]:
    """Names of the files of `benchmarks.ratios`, one for each processor."""
    return sorted(path.stem for path in RESULTS.glob("ratios*.json"))


def short(found: dict[str, Any]) -> list[list[str]]:
    """Rows of the table in short: for each kind of images, of the part with most images, and instruction set."""
    alone = [part for part in found["results"]["parts"] if part["load"] == 0]
    rows = []
    for content in dict.fromkeys(part["content"] for part in alone):
        part = max((each for each in alone if each["content"] == content), key=lambda each: len(each["images"]))
        ours = {(r["simd"], r["method"]): r["ratio"] for r in part["rows"] if r["who"] == "ours" and r["threads"] == 1}
        rows += [
            [f"{len(part['images'])} {content}", found["machine"]["processor"], simd]
            + [f"{ours[simd, method]:.3f}" for method in PRESETS.values()]
            for simd in part["simd"]
        ]
    return rows


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
