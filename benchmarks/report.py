"""Make docs/results/benchmarks.md from the figures in benchmarks/results: ``python -m benchmarks.report``."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.load_page import beside_load
from benchmarks.machine import REPOSITORY
from benchmarks.page import load, machine_line, prose
from benchmarks.ratios_page import ratios
from napari_rsmoe.bench.tables import table

PAGE = REPOSITORY / "docs" / "results" / "benchmarks.md"


def speed(name: str, title: str, prefix: str = "") -> list[str]:
    """Section of a run of `benchmarks.speed`, if it was measured."""
    found = load(name)
    if not found:
        return []
    evaluations = [
        [
            str(r["threads"]), str(r["kernels_per_tile"]), str(r["channels"]), f"{r['forward_ns']:.3f}",
            f"{r['forward_backward_ns']:.3f}", str(r["vector_operations"]),
            f"{r['cache_bytes']} + {r['memory_bytes']:.2f}", f"{r['floor_ns']:.3f}",
            f"{r['forward_backward_ns'] / r['floor_ns']:.1f}",
        ]
        for r in found["results"]["evaluation"]
    ]  # fmt: skip
    fits = [
        [
            str(r["threads"]), str(r["kernels"]), f"{r['kernels_per_tile']:.1f}", f"{r['step_ms']:.2f}",
            f"{r['lists_ms']:.2f}", f"{r['tiles_ms']:.2f}", f"{r['optimiser_ms']:.2f}", f"{r['lists_ns']:.4f}",
            f"{r['optimiser_ns']:.4f}", f"{r['frames_per_second']:.0f}",
        ]
        for r in found["results"]["fit"]
    ]  # fmt: skip
    return [
        f"## {title}\n",
        prose(
            f"`{prefix}python -m benchmarks.speed --json benchmarks/results/{name}.json`",
            machine_line(found["machine"]),
            "Nanoseconds of clock time for one kernel at one pixel. The floor counts vector operations, two per "
            "cycle of the stated clock.",
        ),
        table(
            [
                "threads",
                "kernels/tile",
                "channels",
                "forward",
                "forward + backward",
                "operations",
                "cache + memory, bytes",
                "floor, ns",
                "times the floor",
            ],
            evaluations,
        ),
        prose(
            "A fit of a 768x512 RGB photograph: milliseconds per step, nanoseconds for one kernel at one pixel of the "
            "lists, and rendered frames per second."
        ),
        table(
            [
                "threads",
                "kernels",
                "kernels/tile",
                "step",
                "lists",
                "tiles",
                "optimiser",
                "lists, ns/evaluation",
                "optimiser, ns/evaluation",
                "frames/s",
            ],
            fits,
        ),
    ]


def fit_rows(found: dict[str, Any]) -> list[list[str]]:
    """Rows of a run of `benchmarks.ablation fit`."""
    return [
        [
            str(r["settings"]["kernels"]),
            str(r["settings"]["iterations"]),
            name,
            f"{r['mean']['psnr']:.2f}",
            f"{r['means']['choose']['psnr']:.2f}",
            f"{r['means']['report']['psnr']:.2f}",
            f"{r['mean']['ssim']:.4f}",
            f"{r['mean']['seconds']:.2f}",
            f"{r['mean']['kernels_per_tile']:.1f}",
        ]
        for name, r in found["results"].items()
    ]


def films() -> list[str]:
    """Section of `benchmarks.films`, if it was run, with means over the Kodak images of one scene."""
    found = load("films")
    if not found:
        return []
    scenes: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, ways in found["results"].items():
        for way, row in ways.items():
            scenes.setdefault(name.split(",")[0], {}).setdefault(way, []).append(row)

    def mean(rows: list[dict[str, Any]], figure: str, form: str, frames: slice = slice(None)) -> str:
        values = [row[figure] for row in rows if row.get(figure) is not None]
        if not values:
            return "-"
        return form.format(np.mean([value[frames] if isinstance(value, list) else value for value in values]))

    first, later, last = slice(1), slice(1, None), slice(-1, None)
    return [
        "## Films\n",
        prose(
            "`python -m benchmarks.films --json benchmarks/results/films.json`",
            machine_line(found["machine"]),
            "Films of five frames of 192x192 (cells: 130x130), preset `balanced`: PSNR in dB of the first, the later "
            "and the last frame; CPU time of later frames; flicker, the standard deviation over time in static places "
            "relative to that of the noisy film. The first three are means over films of Kodak 01, 05 and 09, on which "
            "no setting was tuned, with noise of variance 0.01.",
        ),
        table(
            ["film", "method", "first", "later", "last", "CPU s/frame", "flicker"],
            [
                [
                    scene,
                    way,
                    *(mean(rows, "psnr", "{:.2f}", frames) for frames in (first, later, last)),
                    mean(rows, "cpu_seconds", "{:.2f}", later),
                    mean(rows, "flicker", "{:.3f}"),
                ]
                for scene, ways in scenes.items()
                for way, rows in ways.items()
            ],
        ),
    ]


def correlated() -> list[str]:
    """Section of `benchmarks.correlated`, if it was run."""
    found = load("correlated")
    if not found:
        return []
    everything = found["results"]["psnr"]
    processes = {name: rows for name, rows in everything.items() if "sigma" in rows["mean"]}
    grey = {name: rows for name, rows in everything.items() if name not in processes}
    methods = [key for key in next(iter(processes.values()))["mean"] if not key.startswith("sigma")]
    stored = list(next(iter(grey.values()))["mean"])
    return [
        "## Noise that neighbours or channels share\n",
        prose(
            "`python -m benchmarks.correlated --json benchmarks/results/correlated.json`",
            "PSNR in dB against the clean image after the same processing, with noise of variance "
            f"{found['results']['variance']} before it, on the middle 256x256 pixels of Kodak images. Only the limits "
            "that distinguish noise from content were tuned on these images.",
        ),
        table(
            ["", "image", *methods, "true noise", "estimated noise"],
            [
                [
                    process,
                    image,
                    *(f"{row[m]:.2f}" for m in methods),
                    f"{row['sigma']:.4f}",
                    f"{row['sigma found']:.4f}",
                ]
                for process, rows in processes.items()
                for image, row in rows.items()
            ],
        ),
        prose(
            "The same images in grey, as grey images and stored as RGB, with `noise` estimated. Photon noise has the "
            "variance of the Gaussian noise at a value of 0.5."
        ),
        table(
            ["", "image", *stored],
            [
                [noise, image, *(f"{row[key]:.2f}" for key in stored)]
                for noise, rows in grey.items()
                for image, row in rows.items()
            ],
        ),
    ]


def memory() -> list[str]:
    """Section of `benchmarks.scaling --models`, if it was run."""
    found = load("memory")
    if not found:
        return []
    return [
        "## Memory of denoising\n",
        prose(
            "`python -m benchmarks.scaling --models 1 16 64 --json benchmarks/results/memory.json`",
            "768x512 RGB, preset `balanced`; peak above what Python and torch held before, each in a new process.",
        ),
        table(
            ["models", "kernel counts", "their kernels, MB", "peak, MB"],
            [
                [str(r["models"]), str(r["counts"]), f"{r['kernels_mb']:.1f}", f"{r['peak_mb']:.0f}"]
                for r in found["results"]
            ],
        ),
    ]


def fits() -> list[str]:
    """Section of several runs of `benchmarks.ablation fit`."""
    names = ("fits-2000", "fits-2000-fast", "fits-2000-content", "fits-10000")
    runs = [found for name in names if (found := load(name))]
    if not runs:
        return []
    return [
        "## Fits\n",
        prose(
            "`python -m benchmarks.ablation fit --half all --rows default --iterations 1000`, with `--iterations 250`, "
            "with `--rows content --iterations 1000`, and with `--kernels 10000 --iterations 500`",
            machine_line(runs[0]["machine"]),
            "Means over the 12 Kodak images with odd numbers, over the six that settings were tuned on (03, 07, 11, "
            "15, 19, 23), and over the other six.",
        ),
        table(
            ["kernels", "steps", "settings", "PSNR, dB", "tuned on", "others", "SSIM", "seconds", "kernels/tile"],
            [row for run in runs for row in fit_rows(run)],
        ),
    ]


def time_to_quality() -> list[str]:
    """Section of `benchmarks.time_to_quality`, if it was run."""
    found = load("time")
    if not found:
        return []
    rows = []
    for kernels, traces in found["results"].items():
        cells = []
        for level in ("28", "30", "32", "34"):
            times = [t[level] for t in traces.values() if level in t]
            cells.append(f"{np.median(times):.2f} s ({len(times)})" if times else "-")
        rows.append([kernels, *cells])
    return [
        "## Time to a quality\n",
        prose(
            "`python -m benchmarks.time_to_quality --kernels 2000 10000 --json benchmarks/results/time.json`",
            machine_line(found["machine"]),
            "Median over the Kodak images that reach the PSNR, and in brackets how many of 12 do.",
        ),
        table(["kernels", "28 dB", "30 dB", "32 dB", "34 dB"], rows),
    ]


def size() -> list[str]:
    """Section of `benchmarks.scaling`, if it was run."""
    found = load("scaling")
    if not found:
        return []
    rows = [
        [
            r["size"], str(r["kernels"]), str(r["threads"]), str(r["steps"]), f"{r['seconds']:.2f}",
            f"{r['ns_per_pixel_and_step']:.1f}", f"{r['render_seconds']:.3f}", f"{r['peak_mb']:.0f}",
        ]
        for r in found["results"]
    ]  # fmt: skip
    columns = "width x height x channels,kernels,threads,steps,seconds,ns/pixel/step,render (s),peak (MB)"
    return [
        "## Size\n",
        prose(
            "`python -m benchmarks.scaling --largest --json benchmarks/results/scaling.json`",
            machine_line(found["machine"]),
            "Times include the initialisation.",
        ),
        table(columns.split(","), rows),
    ]


def enlarging() -> list[str]:
    """Section of `benchmarks.enlarging`, if it was run."""
    found = load("enlarging")
    if not found:
        return []
    rows = [
        [f"{row['factor']}", row["reduction"], row["method"], f"{row['psnr']:.2f}", f"{row['gain']:+.2f}",
         f"{row['worst']:+.2f}", f"{row['cpu']:.2f}"]
        for row in found["results"]["rows"]
    ]  # fmt: skip
    return [
        "## Enlarging\n",
        prose(
            "`python -m benchmarks.enlarging --json benchmarks/results/enlarging.json`",
            "Six grey images of BSD68 and the brightness of six Kodak images, on which no setting was chosen, reduced "
            "by the mean over blocks or by bicubic interpolation with antialiasing, rounded to 8 bits, and enlarged "
            "again: mean PSNR, mean gain over bicubic interpolation, that of the worst image, CPU time for an image. "
            'The reduction is told, or found by `reduction="auto"`.',
            machine_line(found["machine"]),
        ),
        table(["times", "reduction", "method", "PSNR, dB", "gain, dB", "worst, dB", "CPU s"], rows),
    ]


def page() -> str:
    """The page, as Markdown."""
    return "\n".join(
        [
            "# Benchmarks\n",
            "Made by `python -m benchmarks.report` from `benchmarks/results/*.json`.\n",
            *ratios(),
            *beside_load(),
            *speed("speed", "Engine"),
            *speed("speed-avx2", "Engine with AVX2", "RSMOE_SIMD=avx2 "),
            *fits(),
            *time_to_quality(),
            *size(),
            *enlarging(),
            *films(),
            *correlated(),
            *memory(),
        ]
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
