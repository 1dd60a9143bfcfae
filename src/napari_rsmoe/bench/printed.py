"""Printed PSNR of denoisers that are not run: from their papers, on whole sets of images, with unclipped noise."""

from __future__ import annotations

from typing import Any

PRINTED: dict[str, dict[str, tuple[float | None, ...]]] = {
    "bsd68": {
        "NL-Ridge": (31.20, 28.67, None),
        "WNNM": (31.37, 28.83, 25.87),
        "FFDNet (trained)": (31.63, 29.19, 26.29),
        "DRUNet (trained)": (31.91, 29.48, 26.59),
    },
    "set12": {
        "NL-Ridge": (32.46, 30.00, 26.73),
        "WNNM": (32.70, 30.28, 27.05),
        "FFDNet (trained)": (32.75, 30.43, 27.32),
        "DRUNet (trained)": (33.25, 30.94, 27.90),
    },
    "kodak": {"FFDNet (trained)": (34.63, 32.13, 28.98), "DRUNet (trained)": (35.31, 32.89, 29.86)},
}
"""PSNR in dB at `LEVELS`, by data set and method; None: not printed. Sources are in docs/results/denoising.md."""
LEVELS = ("sigma 15", "sigma 25", "sigma 50")
"""Standard deviations of the noise, of 255."""
IMAGES = {"bsd68": "68, all", "set12": "12, all", "kodak": "24, all"}
"""Which images the figures are means over; they differ from those of the rows that are run."""


def printed_rows(dataset: str, level: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and figures of the printed rows of a data set (in any case of letters) at a level; none elsewhere."""
    name = dataset.lower()
    if name not in PRINTED or level not in LEVELS:
        return []
    rows = [(method, values[LEVELS.index(level)]) for method, values in PRINTED[name].items()]
    facts = {"given": "the noise", "images": IMAGES[name], "hardware": "as printed, not run"}
    return [(f"{method}, as printed", {"psnr": value} | facts) for method, value in rows if value is not None]
