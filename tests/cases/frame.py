"""What a case is, how it is run, and what its check may ask."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from napari_rsmoe.cli.program import main
from napari_rsmoe.io.files import read_image
from napari_rsmoe.io.image_file import ImageFile


@dataclass(frozen=True)
class Case:
    """One input, what is done with it, and the right outcome.

    Parameters
    ----------
    name : str
        A short name, unique in all kinds.
    make : callable
        Writes the input into the folder that it gets; what it returns, such as the truth, reaches `check`.
    commands : sequence of str
        Command lines without the program's name, run one after the other in the folder. ``fast`` as the last word
        stands for ``--preset fast``.
    check : callable
        Gets a `Ran` and returns a `Found`; raises AssertionError if the outcome is wrong.
    right : str
        The right outcome, in a sentence.
    quick : bool
        Whether `make test` runs it: its commands take less than a second of processor time together.
    """

    name: str
    make: Callable[[Path], object]
    commands: Sequence[str]
    check: Callable[[Ran], Found]
    right: str
    quick: bool = False


@dataclass(frozen=True)
class Found:
    """What a check has found, a row of the table.

    Parameters
    ----------
    outcome : str
        One word or two: denoised, refused, unchanged, converted, read.
    before, after : float or None
        PSNR of the input and of the result against the truth, in dB.
    kept : str
        What was kept, or how the loss was named.
    """

    outcome: str
    before: float | None = None
    after: float | None = None
    kept: str = ""


@dataclass(frozen=True)
class Command:
    """A command line that was run, its exit code, and what it printed."""

    line: str
    code: int
    out: str
    err: str


@dataclass
class Ran:
    """A case that was run: what its check may ask.

    Parameters
    ----------
    folder : Path
        The folder with the input and the outputs.
    made : object
        What `Case.make` has returned.
    commands : list of Command
        The commands that were run.
    """

    folder: Path
    made: object
    commands: list[Command] = field(default_factory=list)

    @property
    def last(self) -> Command:
        """The last command."""
        return self.commands[-1]

    @property
    def said(self) -> str:
        """Everything that was printed, by all commands, on one line with single spaces."""
        return " ".join(" ".join(each.out + " " + each.err for each in self.commands).split())

    def image(self, name: str) -> ImageFile:
        """Read an image of the folder."""
        return read_image(self.folder / name)

    def pixels(self, name: str) -> np.ndarray:
        """The pixels of an image of the folder."""
        return self.image(name).numpy()

    def ended_well(self) -> None:
        """Check that all commands have ended with exit code 0."""
        for each in self.commands:
            assert each.code == 0, f"{each.line!r} ended with {each.code}: {each.err.strip()[-400:]}"

    def refused(self, words: str, *outputs: str) -> Found:
        """Check that the last command failed with a message that matches `words`, without writing `outputs`."""
        assert self.last.code in (1, 2), f"{self.last.line!r} ended with {self.last.code}"
        assert "Traceback" not in self.last.err, self.last.err[-400:]
        assert re.search(words, self.last.err, re.IGNORECASE), f"the message is {self.last.err.strip()!r}"
        for name in outputs:
            assert not (self.folder / name).exists(), f"{name} was written"
        return Found("refused", kept=_short(self.last.err))

    def noted(self, words: str) -> str:
        """Check that something printed matches `words`, and return what matched."""
        match = re.search(words, self.said, re.IGNORECASE)
        assert match, f"nothing printed matches {words!r}: {self.said!r}"
        return match[0]

    def denoised(
        self,
        source: str | np.ndarray,
        result: str | np.ndarray,
        truth: np.ndarray,
        *,
        gain: float = 1.0,
        kept: str = "",
    ) -> Found:
        """Check that all commands ended well and the result is closer to the truth by `gain` decibels at least.

        Parameters
        ----------
        source, result : str or ndarray
            Names of files in the folder, or pixels.
        truth : ndarray
            The truth, in the shape of both. Pixels where it is NaN are not counted.
        gain : float
            Least gain, in dB.
        kept : str
            What was kept, for the table.
        """
        self.ended_well()
        noisy, clean = (self.pixels(each) if isinstance(each, str) else each for each in (source, result))
        before, after = psnr(noisy, truth), psnr(clean, truth)
        assert after >= before + gain, f"PSNR goes from {before:.2f} to {after:.2f} dB"
        return Found("denoised", before, after, kept)


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """PSNR in dB over the range of the truth, for the same shape; pixels where the truth is NaN are not counted."""
    assert image.shape == truth.shape, f"shapes {image.shape} and {truth.shape}"
    error = (image.astype(np.float64) - truth)[np.isfinite(truth)]
    peak = float(np.nanmax(truth) - np.nanmin(truth)) or 1.0
    return float(10 * np.log10(peak**2 / max(np.mean(error**2), 1e-30)))


def run_case(case: Case, folder: Path) -> Found:
    """Run a case in an empty folder; AssertionError if its outcome is wrong."""
    made = case.make(folder)
    ran = Ran(folder, made)
    with contextlib.chdir(folder):
        for line in case.commands:
            ran.commands.append(_run(line))
    return case.check(ran)


def _run(line: str) -> Command:
    words = [*line.split()] if os.name == "nt" else shlex.split(line)
    if words[-1] == "fast":
        words[-1:] = ["--preset", "fast"]
    done = CliRunner().invoke(main, words, prog_name="napari-rsmoe")
    return Command(line, done.exit_code, done.stdout, done.stderr)


def _short(message: str) -> str:
    """The last sentence-like line of a message, for the table."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    return lines[-1][:90] if lines else ""


def scene(height: int = 48, width: int = 48, seed: int = 1, blobs: int = 14) -> np.ndarray:
    """Clean picture with values from 0 to 1: discs and soft spots on a slope, (height, width) float64."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    side = min(height, width)
    image = 0.1 + 0.1 * x / width
    for number in range(blobs):
        cy, cx, radius = random.uniform(0, height), random.uniform(0, width), random.uniform(0.04, 0.14) * side
        distance = np.hypot(y - cy, x - cx)
        height_of = random.uniform(0.2, 0.7)
        edge = 1 / (1 + np.exp((distance - radius) / 0.7))
        image = image + height_of * (edge if number % 2 else np.exp(-((distance / radius) ** 2)))
    return np.clip(image, 0, 1)


def noisy_bytes(clean: np.ndarray, sigma: float = 8, seed: int = 7) -> np.ndarray:
    """Values from 0 to 255 with Gaussian noise of standard deviation `sigma`, as uint8."""
    noise = np.random.default_rng(seed).normal(0, sigma, clean.shape)
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
