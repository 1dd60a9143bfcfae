"""Cost and quality as ratios to well-known methods: ``python -m benchmarks.ratios [--json FILE]``.

Processor seconds and PSNR of `fit`, `denoise` (each preset) and `upscale`, and of their peers in the same run: BM3D in
colour and channel by channel, non-local means, wavelets, bicubic interpolation, and our own reference, which draws a
model in plain torch. Our methods run in processes of their own, once for each instruction set and number of threads,
alone and beside busy processes. Peers run once for each load, as they choose their instructions themselves. A ratio of
processor seconds depends little on the processor, so it can be compared between machines.

With ``--grey`` the photographs are grey images of 16 bits, and the peer is BM3D for such images; with ``--micrographs``
the images are frames of FMD with the noise that is there, of 16 bits too, as ``--images Confocal_FISH_1``.

``--table --json benchmarks/results/ratios.json`` measures all parts of the table in docs/results/benchmarks.md, in 18
minutes; then ``python -m benchmarks.report`` writes the page. The figures of another processor go beside it, as
``ratios-intel.json``, and the page shows both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from skimage import io

from benchmarks import machine
from napari_rsmoe.bench.protocol import Level, middle, quality, unit

if TYPE_CHECKING:
    from napari_rsmoe.model.model import Model

IMAGES = ("05", "13")
"""Kodak images on which no setting was chosen."""
VARIANCE = 0.01
"""Variance of the added noise on [0, 1]."""
KERNELS, STEPS = 2000, 300
"""Of the fit."""
FACTOR = 4
"""Of the enlargement, from images made smaller by averaging."""
STRIP = 16
"""Rows that the reference draws at once; it takes memory for each kernel at each of their pixels."""
PEER = "BM3D"
"""Whose processor seconds are 1; colour BM3D for colour images."""
DRAWING = "draw the kernels"
"""Name of the drawing of a model with so many kernels as the fit has."""
LEVELS = 65535
"""The largest value of 16 bits, as which grey images are given."""
SIMD = ("avx512", "avx2", "base")
Content = Literal["colour", "grey", "micrographs"]
Work = tuple[str, Callable[[], np.ndarray], np.ndarray]
Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A part of the table: images, our instruction sets and numbers of threads, busy processes beside, side in px."""

    content: Content
    images: tuple[str, ...]
    simd: tuple[str, ...] = SIMD
    threads: tuple[int, ...] = (1,)
    load: int = 0
    crop: int | None = 256
    reference: bool = False
    """Whether our reference is measured too."""


REPORTED = tuple(f"{number:02d}" for number in range(1, 24, 2))
"""Half of Kodak: the 12 images with odd numbers."""
MICROGRAPHS = ("Confocal_FISH_2", "TwoPhoton_MICE_2", "Confocal_BPAE_G_2", "WideField_BPAE_R_2")
"""Frames of FMD."""
TABLE = (
    Part("colour", REPORTED, simd=("avx512", "avx2")),
    *(Part("colour", IMAGES[:1], threads=(1, 2), load=load, reference=True) for load in (0, 2)),
    Part("grey", REPORTED, simd=("avx512", "avx2")),
    Part("grey", IMAGES[:1], threads=(1, 2)),
    Part("micrographs", MICROGRAPHS),
    *(Part("micrographs", MICROGRAPHS[:1], threads=(1, 2), load=load) for load in (0, 2)),
)
"""What the documentation shows; 18 minutes on two cores without other load."""


@dataclass(frozen=True)
class Scene:
    """An image to be denoised, as it is given, its truth on [0, 1], and the standard deviation of its noise there."""

    given: np.ndarray
    clean: np.ndarray
    sigma: float

    @classmethod
    def of(cls, content: Content, image: str, crop: int | None) -> Scene:
        """A photograph of Kodak with noise, by its number, or a frame of FMD, by its name."""
        if content == "micrographs":
            folder = machine.data_folder("fmd")
            noisy, clean = (middle(unit(io.imread(folder / kind / f"{image}.png")), crop) for kind in ("raw", "gt"))
            return cls(np.rint(noisy * LEVELS).astype(np.uint16), clean, float(np.std(noisy - clean)))
        clean = middle(unit(io.imread(machine.data_folder("kodak") / f"kodim{image}.png")), crop)
        if content == "grey":
            clean = clean.mean(2)
        noisy = Level.of_variance(VARIANCE).add(clean, int(image))
        given = np.rint(noisy * LEVELS).astype(np.uint16) if content == "grey" else noisy
        return cls(given, clean, VARIANCE**0.5)


def smaller(image: np.ndarray) -> np.ndarray:
    """Mean over squares of FACTOR pixels."""
    height, width = (length // FACTOR for length in image.shape[:2])
    means = image.reshape(height, FACTOR, width, FACTOR, *image.shape[2:]).mean((1, 3))
    return means.astype(np.float32)


def ours(scene: Scene) -> Iterator[Work]:
    """Name, work and truth of what we do."""
    from napari_rsmoe import denoise, fit, upscale

    clean = scene.clean
    model = fitted(clean)
    yield "fit", lambda: fit(clean.astype(np.float32), KERNELS, iterations=STEPS, device="cpu").render(), clean
    yield DRAWING, model.render, clean

    def denoised(preset: str) -> np.ndarray:
        return np.asarray(denoise(scene.given, preset=preset, device="cpu").image)

    for preset in ("fast", "balanced", "best"):
        yield f"denoise, {preset}", partial(denoised, preset), clean
    yield f"upscale by {FACTOR}", lambda: upscale(smaller(clean), FACTOR, device="cpu"), clean


def peers(scene: Scene) -> Iterator[Work]:
    """Name, work and truth of what others do."""
    from napari_rsmoe.bench.peers import bm3d, interpolation, nonlocal_means, wavelet
    from napari_rsmoe.bench.peers.denoiser import Noisy

    clean = scene.clean
    seen = Noisy(unit(scene.given).astype(np.float32), scene.sigma, True, clean)
    denoisers = {PEER: bm3d.colour, "non-local means": nonlocal_means.denoise, "wavelets": wavelet.denoise}
    if clean.ndim == 3:
        denoisers["BM3D, each channel"] = bm3d.each_channel
    for name, method in denoisers.items():
        yield name, partial(method, seen, 0), clean
    bicubic = interpolation.enlarge("bicubic")
    yield f"bicubic by {FACTOR}", lambda: bicubic(smaller(clean), FACTOR, 1.0, 0), clean


def fitted(clean: np.ndarray) -> Model:
    """A model with little training, which is drawn."""
    from napari_rsmoe import fit

    return fit(clean.astype(np.float32), KERNELS, iterations=1, device="cpu")


def reference(scene: Scene) -> Iterator[Work]:
    """Name, work and truth of our own reference: plain torch, 64 bits, every kernel at every pixel."""
    import torch

    from napari_rsmoe.engine.reference import evaluate

    clean = scene.clean
    model = fitted(clean)
    geometry, experts = model.geometry.double(), model.experts.double()

    def drawn() -> np.ndarray:
        y, x = (torch.arange(length, dtype=geometry.dtype) for length in clean.shape[:2])
        strips = [
            evaluate(geometry, experts, torch.cartesian_prod(rows, x), linear=model.linear) for rows in y.split(STRIP)
        ]
        return torch.cat(strips).reshape(clean.shape).numpy()

    yield f"{DRAWING}, our reference", drawn, clean


def measure(who: str, content: Content, image: str, crop: int | None, threads: int) -> dict[str, dict[str, float]]:
    """Processor seconds, seconds and PSNR of each method on one image, in this process."""
    import torch

    from napari_rsmoe import denoise
    from napari_rsmoe.bench.machine import measured

    torch.set_num_threads(threads)
    scene = Scene.of(content, image, crop)
    if who == "ours":
        denoise(scene.given[:48, :48], preset="fast")  # loads everything
    rows = {}
    for name, work, truth in {"ours": ours, "peers": peers, "reference": reference}[who](scene):
        done = measured(work)
        rows[name] = {
            "cpu_seconds": done.cpu_seconds,
            "seconds": done.seconds,
            "psnr": quality(unit(np.asarray(done.result)), truth)["psnr"],
        }
    return rows


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other programs that keep the processor busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def alone(
    who: str, content: Content, image: str, crop: int | None, threads: int, simd: str | None
) -> dict[str, dict[str, float]]:
    """`measure` in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)} | ({"RSMOE_SIMD": simd} if simd else {})
    case = ["--case", who, content, image, str(crop or 0), str(threads)]
    command = [sys.executable, "-m", "benchmarks.ratios", *case]
    text = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    rows: dict[str, dict[str, float]] = json.loads(text)
    return rows


def means(rows: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Mean over the images."""
    return {name: {key: float(np.mean([row[name][key] for row in rows])) for key in rows[0][name]} for name in rows[0]}


def print_row(row: Row) -> None:
    """Print a line of the table."""
    print(
        f"{row['load']:4d} {row['simd'] or '-':>7s} {row['threads']:7d} {row['method']:24s} {row['ratio']:10.3f} "
        f"{row['cpu_seconds']:8.2f} {row['seconds']:8.2f} {row['psnr']:9.2f}",
        flush=True,
    )


def rows_of(part: Part) -> Iterator[Row]:
    """The means over the images for each method, instruction set and number of threads, as soon as they are known."""
    with busy(part.load):
        others = means([alone("peers", part.content, image, part.crop, 1, None) for image in part.images])
        unit = others[PEER]["cpu_seconds"]
        if part.reference:
            others |= means([alone("reference", part.content, image, part.crop, 1, None) for image in part.images])

        def rows(who: str, simd: str | None, threads: int, found: dict[str, dict[str, float]]) -> Iterator[Row]:
            for name, row in found.items():
                of = {"load": part.load, "who": who, "simd": simd, "threads": threads, "method": name}
                yield of | {"ratio": row["cpu_seconds"] / unit} | row

        yield from rows("peers", None, 1, others)
        for simd in part.simd:
            for threads in part.threads:
                own = [alone("ours", part.content, image, part.crop, threads, simd) for image in part.images]
                yield from rows("ours", simd, threads, means(own))


def measured_parts(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The parts with their rows, printed on the way."""
    found = []
    for part in parts:
        began = time.monotonic()
        print(f"{part.content}, {len(part.images)} images ({', '.join(part.images)}), {part.load} busy processes")
        print("busy     set threads method                    CPU / BM3D    CPU s        s  PSNR, dB")
        rows = []
        for row in rows_of(part):
            print_row(row)
            rows.append(row)
        print(f"{time.monotonic() - began:.0f} s\n", flush=True)
        found.append({**asdict(part), "rows": rows})
    return found


def main() -> None:
    """Measure, print, and on request write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", default=list(IMAGES), help="numbers of Kodak images, or names in FMD")
    parser.add_argument("--crop", type=int, help="side of the square in the middle that is used")
    parser.add_argument("--simd", nargs="+", default=list(SIMD), help="instruction sets")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--load", type=int, nargs="+", default=[0, 2], help="numbers of busy processes beside")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--grey", dest="content", action="store_const", const="grey", default="colour")
    parser.add_argument("--micrographs", dest="content", action="store_const", const="micrographs")
    parser.add_argument("--table", action="store_true", help="measure all parts of the table in the documentation")
    parser.add_argument("--case", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        who, content, image, crop, threads = options.case
        print(json.dumps(measure(who, content, image, int(crop) or None, int(threads))))
        return
    asked = [
        Part(options.content, tuple(options.images), tuple(options.simd), tuple(options.threads), load, options.crop)
        for load in options.load
    ]
    found = measured_parts(TABLE if options.table else asked)
    if options.json:
        machine.write(options.json, {"variance": VARIANCE, "parts": found})


if __name__ == "__main__":
    main()
