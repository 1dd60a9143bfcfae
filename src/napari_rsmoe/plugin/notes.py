"""What a user should know about a result, in sentences made from its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NOISY = 0.02
"""Standard deviation of the noise, as a fraction of the range of most pixels, above which sharpening makes it visible.
Below it sharpening does no harm."""
SMALL_SIDE = 64
"""Pixels along the shorter side. In smaller images the noise is taken to be white and even, as there are too few pixels
to find out more."""


def summary(record: Mapping[str, Any]) -> str:
    """One line about the result."""
    metrics = record["metrics"]
    parts = ["Stopped" if metrics["stopped"] else "Done", f"{metrics['seconds']:.1f} s"]
    if "psnr" in metrics:
        span = f" in a range of {metrics['data_range']:.6g}" if "data_range" in metrics else ""
        parts.append(f"{metrics['psnr']:.2f} dB{span}")
    if "noise" in metrics and record["action"] == "denoise":
        parts.append(f"noise {metrics['noise']:.4g}" if metrics["noise"] else "no noise found")
    if "kernels" in metrics:
        parts.append(f"{metrics['kernels']} kernels")
    return ", ".join(parts)


def in_sentences(parts: Iterable[str]) -> str:
    """Join what is said into one text: each part begins with a capital letter, and one period is between two.

    Examples
    --------
    >>> in_sentences(["Done, 2 s", "no noise was found.", "“Noise level” gives it"])
    'Done, 2 s. No noise was found. “Noise level” gives it'
    """
    return ". ".join(part[:1].upper() + part[1:].removesuffix(".") for part in parts if part)


def notes(record: Mapping[str, Any]) -> list[str]:
    """Sentences about what may surprise, or what to do next."""
    metrics, parameters, source = record["metrics"], record["parameters"], record["source"]
    found = list(metrics.get("notes", ()))
    if metrics["planes_done"] < metrics["planes"]:
        found.append(f"{metrics['planes_done']} of {metrics['planes']} planes are finished; the others are zero.")
    if record["action"] == "denoise" and parameters.get("noise") == "auto":
        sides = [n for n, axis in zip(source["shape"], source["axes"], strict=True) if axis in "YX"]
        if min(sides) < SMALL_SIDE:
            found.append(
                f"The image is small ({sides[1]} x {sides[0]} pixels), so its noise is taken to be even and "
                "independent from pixel to pixel. Enter the Noise level if you know it."
            )
    if record["action"] == "upscale" and parameters["sharpen"] > 1 and metrics.get("noise_share", 0) > NOISY:
        found.append(
            f"The image is noisy (standard deviation {metrics['noise']:.3g}), and sharpening amplifies noise: denoise "
            "it first, then sharpen the result."
        )
    return found
