"""How the pixels of an image came about, from its spectrum: ``python -m benchmarks.reduction [--half report]``.

Images are reduced 2, 3 and 4 times by the mean and by bicubic interpolation with antialiasing, whole, in their middle
and in their corners. The weights of `enlarging.found_reduction` are learnt from them; printed are these weights and the
share of the cases in which the reduction is found, for images that were left out. With ``--half report`` nothing is
learnt, and the share is that of the weights in use.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize
from skimage import color, data, io

from benchmarks import machine
from benchmarks.enlarging import HALVES, pictures, reduced
from napari_rsmoe.bench.protocol import middle
from napari_rsmoe.enlarging.found_reduction import likely_bicubic, shape_of_spectrum
from napari_rsmoe.image.reduction import REDUCTIONS

FACTORS = (2, 3, 4)
SIDES = (320, 240)  # Of the middle part and of the corners, px.
SMALLEST = 58  # Shorter side of reduced images, px.
GREY = ("camera", "coins", "moon", "brick", "grass", "gravel")
COLOUR = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "rocket")
RIDGE = 0.3  # Weight of the squares of the weights. Above it they are too small, below it images decide too much.


def sources(half: str) -> dict[str, np.ndarray]:
    """Grey images on [0, 1]; with those of scikit-image and DIV2K to learn from."""
    found = dict(pictures(half))
    if half == "choose":
        paths = sorted(machine.data_folder("div2k").glob("*.png"))
        found |= {path.stem: color.rgb2gray(io.imread(path)) for path in paths}
        found |= {name: getattr(data, name)() / 255 for name in GREY}
        found |= {name: color.rgb2gray(getattr(data, name)()) for name in COLOUR}
    return {name: image.astype(np.float32) for name, image in found.items()}


def parts(image: np.ndarray) -> Iterator[np.ndarray]:
    """The image, its middle, and its corners."""
    yield image
    yield middle(image, SIDES[0])
    side = SIDES[1]
    for rows in (slice(0, side), slice(-side, None)):
        for columns in (slice(0, side), slice(-side, None)):
            yield image[rows, columns]


def cases(half: str) -> Iterator[tuple[str, int, str, np.ndarray]]:
    """Name, factor, reduction and reduced image."""
    for name, image in sources(half).items():
        for part in parts(image):
            for factor in FACTORS:
                for kind in REDUCTIONS:
                    small = reduced(part, factor, kind)[1]
                    if min(small.shape) >= SMALLEST:
                        yield name, factor, kind, small


def learnt(terms: np.ndarray, truth: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Weights of logistic regression, the last one without a term, from cases that count by their share."""
    spread = np.append(terms.std(0), 1)
    terms = np.c_[terms, np.ones(len(terms))] / spread

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = terms @ weights
        squares = np.append(weights[:-1], 0)
        value = (share * (np.logaddexp(0, score) - truth * score)).sum() + RIDGE * np.square(squares).sum()
        return float(value), terms.T @ (share * (1 / (1 + np.exp(-score)) - truth)) + 2 * RIDGE * squares

    found = minimize(loss, np.zeros(terms.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 5000})
    return np.asarray(found.x / spread)


def main() -> None:
    """Print the weights and how often they are right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="choose")
    options = parser.parse_args()
    names, factors, kinds, images = zip(*cases(options.half), strict=True)
    truth = np.array([kind == "bicubic" for kind in kinds], float)
    if options.half == "report":
        found = np.array([likely_bicubic([image]) for image in images])
    else:
        terms = np.array([shape_of_spectrum([image]) for image in images])
        count = np.array([names.count(name) for name in names])
        share = count.mean() / count  # Every image counts alike.
        weights = learnt(terms, truth, share)
        print("weights", ", ".join(f"{weight:.2f}" for weight in weights))
        found = np.empty(len(names))
        for name in set(names):
            held = np.array(names) == name
            rest = learnt(terms[~held], truth[~held], share[~held])
            found[held] = 1 / (1 + np.exp(-np.c_[terms[held], np.ones(held.sum())] @ rest))
    right = (found > 0.5) == (truth > 0.5)
    print(
        f"{len(names)} cases, right {right.mean():.3f}, mean distance from the truth {np.abs(found - truth).mean():.3f}"
    )
    for factor in FACTORS:
        chosen = np.array(factors) == factor
        print(f"{factor} times: right {right[chosen].mean():.3f}")
    for low, high in ((58, 90), (90, 130), (130, 1000)):
        chosen = np.array([low <= min(image.shape) < high for image in images])
        print(f"shorter side {low} to {high} px: right {right[chosen].mean():.3f}")


if __name__ == "__main__":
    main()
