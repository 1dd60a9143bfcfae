"""Plain, slow twin of ``csrc/cpu/segment.cpp``: sets of pixels and Python floats, one statement at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

MIN_SEGMENT = 50
MIN_ISLAND = 30
Pixel = tuple[int, int]
STEPS_4 = ((-1, 0), (1, 0), (0, -1), (0, 1))
STEPS_8 = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0))


def neighbours(pixel: Pixel, shape: tuple[int, int], steps: tuple[Pixel, ...]) -> Iterator[Pixel]:
    for dy, dx in steps:
        y, x = pixel[0] + dy, pixel[1] + dx
        if 0 <= y < shape[0] and 0 <= x < shape[1]:
            yield y, x


def distance2(a: list[float], b: list[float]) -> float:
    total = 0.0
    for u, v in zip(a, b, strict=True):
        total += (u - v) * (u - v)
    return total


def flood(shape: tuple[int, int], joins: Callable[[Pixel, Pixel, Pixel], bool]) -> np.ndarray:
    """Regions that spread over 4-neighbours; ``joins(pixel, reached_from, seed)``."""
    labels = np.full(shape, -1, np.int32)
    count = 0
    for seed in np.ndindex(shape):
        if labels[seed] >= 0:
            continue
        labels[seed] = count
        queue = [seed]
        for member in queue:  # grows while it is read: first in, first out
            for pixel in neighbours(member, shape, STEPS_4):
                if labels[pixel] < 0 and joins(pixel, member, seed):
                    labels[pixel] = count
                    queue.append(pixel)
        count += 1
    return labels


def grow(image: np.ndarray, threshold: float) -> np.ndarray:
    """Step 1: regions whose pixels resemble their seed and the neighbour they were reached from."""
    colour = image.astype(np.float64).tolist()

    def joins(pixel: Pixel, member: Pixel, seed: Pixel) -> bool:
        value = colour[pixel[0]][pixel[1]]
        to_seed = distance2(value, colour[seed[0]][seed[1]])
        to_member = distance2(value, colour[member[0]][member[1]])
        return 0.62 * to_seed + 0.38 * to_member < threshold * threshold

    return flood(image.shape[:2], joins)


class Region:
    """Pixels of one region, with running sums of colour and position."""

    def __init__(self, image: np.ndarray, pixels: list[Pixel]) -> None:
        self.pixels = set(pixels)
        self.sums = [0.0] * (image.shape[2] + 2)
        for pixel in pixels:
            for c, value in enumerate([*image[pixel].tolist(), *pixel]):
                self.sums[c] += value

    def means(self) -> list[float]:
        return [total / len(self.pixels) for total in self.sums]

    def take(self, other: Region) -> None:
        self.pixels |= other.pixels
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]


def regions_of(image: np.ndarray, labels: np.ndarray) -> dict[int, Region]:
    pixels: dict[int, list[Pixel]] = {}
    for pixel in np.ndindex(labels.shape):
        pixels.setdefault(int(labels[pixel]), []).append(pixel)
    return {label: Region(image, pixels[label]) for label in sorted(pixels)}


def merge_small(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Step 2: small segments join the most alike of those they touch, corners included."""
    labels = labels.copy()
    regions = regions_of(image, labels)
    for label in sorted(regions):
        region = regions[label]
        if len(region.pixels) >= MIN_SEGMENT:
            continue
        border = {q for p in region.pixels for q in neighbours(p, labels.shape, STEPS_8)} - region.pixels
        touching = {int(labels[q]) for q in border}
        if not touching:
            continue
        mine = region.means()

        def cost(other: int, mine: list[float] = mine) -> float:
            theirs = regions[other].means()
            return distance2(mine[:-2], theirs[:-2]) + 2.0 * distance2(mine[-2:], theirs[-2:])

        target = min(sorted(touching), key=cost)
        regions[target].take(region)
        for pixel in region.pixels:
            labels[pixel] = target
    return labels


def absorb_islands(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Step 3: small islands take the label of the bordering pixel closest in colour to their mean."""
    parts = flood(labels.shape, lambda pixel, member, _: bool(labels[pixel] == labels[member]))
    label_of = {int(parts[pixel]): int(labels[pixel]) for pixel in np.ndindex(labels.shape)}
    regions = regions_of(image, parts)
    for part in sorted(regions):
        region = regions[part]
        if len(region.pixels) >= MIN_ISLAND:
            continue
        border = {q for p in region.pixels for q in neighbours(p, labels.shape, STEPS_4)} - region.pixels
        if not border:
            continue
        mean = region.means()[:-2]
        closest = min(sorted(border), key=lambda q: distance2(mean, image[q].astype(np.float64).tolist()))
        target = int(parts[closest])
        regions[target].take(region)
        for pixel in region.pixels:
            parts[pixel] = target
    return np.array([[label_of[int(part)] for part in row] for row in parts], np.int32)


def renumber(labels: np.ndarray) -> np.ndarray:
    number: dict[int, int] = {}
    flat = [number.setdefault(int(label), len(number)) for label in labels.ravel()]
    return np.array(flat, np.int32).reshape(labels.shape)


def segment(image: np.ndarray, threshold: float) -> np.ndarray:
    """Segments of ``image`` (H, W, C), float32; labels (H, W), int32, 0 to S-1 in raster order."""
    labels = merge_small(image, grow(image, threshold))
    return renumber(absorb_islands(image, labels))
