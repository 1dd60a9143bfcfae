"""Noise or fine texture: ``python -m benchmarks.texture [--half report]``.

The images of `benchmarks.reduction` reduced 2, 3 and 4 times by the mean and bicubically, whole and in their middle,
and their middle as it is, without and with white noise. Where `upscale` would remove noise from them, the numbers
by which `enlarging.noise_or_texture` tells noise from texture are learnt; printed are these numbers, and for images
that were left out the mean share of what was found that is removed. With ``--half report`` nothing is learnt, and the
shares are those of the numbers in use.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from benchmarks.enlarging import HALVES, reduced
from benchmarks.reduction import FACTORS, SIDES, SMALLEST, learnt, sources
from napari_rsmoe.bench.protocol import middle
from napari_rsmoe.enlarging.found_noise import found_noise
from napari_rsmoe.enlarging.noise_or_texture import terms_of
from napari_rsmoe.image.inputs import Inputs
from napari_rsmoe.image.reduction import REDUCTIONS

SIGMAS = (0, 4, 8, 20)  # Standard deviations of the noise, of 255.


def cases(half: str) -> Iterator[tuple[str, np.ndarray]]:
    """Name and image."""
    for name, image in sources(half).items():
        part = middle(image, SIDES[0])
        yield name, part
        for large in (image, part):
            for factor in FACTORS:
                for kind in REDUCTIONS:
                    small = reduced(large, factor, kind)[1]
                    if min(small.shape) >= SMALLEST:
                        yield name, small


def main() -> None:
    """Print the numbers and the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="choose")
    options = parser.parse_args()
    names, sigmas, terms, likely = [], [], [], []
    for number, (name, clean) in enumerate(cases(options.half)):
        for sigma in SIGMAS:
            noise = np.random.default_rng(number).normal(0, sigma / 255, clean.shape)
            image = (np.round(np.clip(clean + noise, 0, 1) * 255) / 255).astype(np.float32)
            inputs = Inputs.of(image)
            found = found_noise(inputs)
            each = terms_of(inputs.pixels.mean(2), found.sigma / inputs.layout.span) if found.sigma else None
            if each is not None:
                names.append(name)
                sigmas.append(sigma)
                terms.append(each)
                likely.append(found.likely)
    name, sigma, told = np.array(names), np.array(sigmas), np.array(terms)
    found = np.array(likely)
    if options.half == "choose":
        truth = (sigma > 0).astype(float)
        group = np.array([f"{each} {noisy}" for each, noisy in zip(name, truth, strict=True)])
        kinds, count = np.unique(group, return_counts=True)
        share = 1 / count[np.searchsorted(kinds, group)]  # Every image counts alike.
        for value in (0, 1):  # So do noise and texture.
            share[truth == value] *= len(kinds) / share[truth == value].sum()
        fall, present, certain = learnt(told, truth, share)
        print(f"CERTAIN {certain:.2f}, FALL {-fall:.2f}, PRESENT {present:.2f}")
        for each in set(names):
            weights = learnt(told[name != each], truth[name != each], share[name != each])
            found[name == each] = 1 / (1 + np.exp(-told[name == each] @ weights[:-1] - weights[-1]))
    for each in SIGMAS:
        held = found[sigma == each]
        print(f"noise of {each} of 255: found in {held.size} images, {held.mean():.2f} of it removed on average")


if __name__ == "__main__":
    main()
