"""Fit many models to one noisy image, each from its own start, tile grid and small disturbance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np
import torch

from . import engine
from .colours import decorrelate, decorrelated_variance, opponent_matrix, recorrelate
from .fitter import TILE, Fitter, together
from .fusion import Floats, Group
from .images import ImageFormat
from .model import Model
from .noise_model import NoiseModel
from .progress import Callback, Progress
from .settings import FitSettings
from .starts import Start

DISTURBANCE = 0.35  # of the noise, added to what each model sees
COLOUR_WEIGHT = 0.5  # of colour differences against brightness when kernels are fitted
TRUST = (0.2, 5.0)  # least and most weight of a pixel by its noise
REPORT_EVERY = 20  # steps
BATCH_TILES = 8192  # that models fitted at once have in all; more would not make a device busier


@dataclass(frozen=True)
class Plan:
    """One model to be fitted: its number of kernels, and how many px (y, x) its tiles begin before the image."""

    n_kernels: int
    shift: tuple[int, int]


class Ensemble:
    """Models of one image, and what `fusion.fuse` needs of them, by kernel count.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W, C)
        The noisy image in the domain of `noise`.
    noise : NoiseModel
        Of the image.
    layout : ImageFormat
        Of the image.
    settings : FitSettings
        Of every model.
    make_start : callable
        Takes a number of kernels and a random generator.
    weight : ndarray of float32, shape (H, W), or None
        Of the pixels.
    seed : int
        Model h draws from a generator seeded with (seed, h).
    device : torch.device, optional
        Where models are fitted; default: the CPU.
    """

    def __init__(
        self,
        pixels: Floats,
        noise: NoiseModel,
        layout: ImageFormat,
        settings: FitSettings,
        make_start: Callable[[int, np.random.Generator], Start],
        weight: Floats | None,
        seed: int,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.planes = decorrelate(pixels)
        self.noise = noise
        self.variance = decorrelated_variance(noise.variance)
        self._deviation = np.sqrt(self.variance)
        self.layout = layout
        self.settings = settings
        self.make_start = make_start
        self.weight = np.ones(pixels.shape[:2], np.float32) if weight is None else weight
        # Noisier pixels say less.
        ratio = noise.variance.mean() / np.maximum(noise.variance.mean(2), np.float32(1e-12))
        self._trust = np.clip(ratio, *TRUST) if noise.variance.any() else np.ones_like(self.weight)
        self.seed = seed
        self.tiles_at_once = 0 if self.device.type == "cpu" else BATCH_TILES  # the CPU gains nothing by batches
        self.strength = DISTURBANCE
        self.groups: dict[int, Group] = {}
        self.models: list[Model] = []
        # Gates follow all channels; colour differences have little content and as much noise, so they count less.
        self._scale = np.ones((pixels.shape[2], 1, 1), np.float32)
        if pixels.shape[2] == 3:
            self._scale[1:] = COLOUR_WEIGHT

    def run(self, plans: list[Plan], callback: Callback | None) -> None:
        """Fit the models one after the other; on request stop, keeping the finished ones or the first as they are.

        On a device models of one kernel count are fitted at once.
        """
        size = self.planes[0].size
        costs = [plan.n_kernels + size // 100 + 1 for plan in plans]  # time falls no further than that of the pixels
        steps = self.settings.iterations
        before = 0
        for batch in self._batches(plans):
            chosen = [plans[index] for index in batch]
            shape = tuple(np.max([plan.shift for plan in chosen], 0) + self.planes.shape[1:])
            rngs = [np.random.default_rng([self.seed, index]) for index in batch]
            disturbances = [self._deviation * self.noise.sample(self.planes.shape, rng) for rng in rngs]
            fitter = together([self._fitter(*each, shape) for each in zip(chosen, disturbances, rngs, strict=True)])
            cost, first = sum(costs[index] for index in batch), len(self.models) + 1
            last = first + len(batch) - 1
            stage = f"model {first}" if first == last else f"models {first} to {last}"
            stop = False
            while fitter.remaining and not stop:
                fitter.advance(REPORT_EVERY)
                if fitter.due() and callback is not None:
                    progress = Progress(
                        f"{stage} of {len(plans)}",
                        before + cost * fitter.step,
                        sum(costs) * steps,
                        None,
                        partial(self._preview, fitter, chosen),
                    )
                    stop = bool(callback(progress))
            fitter.settle()
            if self.models and fitter.remaining:
                return
            self.models += self._models(fitter, chosen, batch)
            group = self.groups.setdefault(chosen[0].n_kernels, Group(self.planes.shape))
            for render, disturbance in zip(self._drawn(fitter, chosen), disturbances, strict=True):
                group.add(render, disturbance)
            before += cost * steps
            if stop:
                return

    def _batches(self, plans: list[Plan]) -> list[list[int]]:
        """Which plans are fitted at once, by number."""
        _, height, width = self.planes.shape
        most = max(1, self.tiles_at_once // ((height // TILE + 2) * (width // TILE + 2)))
        batches: dict[int, list[list[int]]] = {}  # by kernel count
        order: list[list[int]] = []
        for index, plan in enumerate(plans):
            alike = batches.setdefault(plan.n_kernels, [])
            if not alike or len(alike[-1]) == most:
                alike.append([])
                order.append(alike[-1])
            alike[-1].append(index)
        return order

    def _fitter(self, plan: Plan, disturbance: Floats, rng: np.random.Generator, shape: tuple[int, ...]) -> Fitter:
        """A fit on a raster of this shape, to which the image is extended."""
        start = self.make_start(plan.n_kernels, rng)
        experts = decorrelate(start.experts[None]) * self._scale
        target = (self.planes + np.float32(self.strength) * disturbance) * self._scale
        # Tiles begin `shift` px above and left of the image, in a border of no weight.
        border = [
            (before, most - before - length)
            for before, most, length in zip(plan.shift, shape, self.weight.shape, strict=True)
        ]
        return Fitter(
            np.pad(np.moveaxis(target, 0, -1), (*border, (0, 0)), mode="edge"),
            replace(
                start,
                centers=start.centers + np.array(plan.shift, np.float32),
                experts=np.ascontiguousarray(np.moveaxis(experts, 0, -1)[0]),
            ),
            self.settings,
            weight=np.pad(self.weight * self._trust, border),
            device=self.device,
        )

    def _geometry(self, fitter: Fitter, plans: list[Plan]) -> torch.Tensor:
        geometry = fitter.geometry.clone()
        geometry[..., :2] -= torch.tensor([plan.shift for plan in plans], device=self.device)[:, None]
        return geometry

    def _drawn(self, fitter: Fitter, plans: list[Plan]) -> Floats:
        """The renders in decorrelated planes, (models, C, H, W), not clipped."""
        images = engine.render(self._geometry(fitter, plans), fitter.experts, *self.planes.shape[1:])
        return np.divide(images.cpu().numpy(), self._scale, dtype=np.float32)

    def _models(self, fitter: Fitter, plans: list[Plan], numbers: list[int]) -> list[Model]:
        """The models in the channels of the image."""
        experts = np.divide(fitter.experts.cpu().numpy(), self._scale[:, 0, 0], dtype=np.float32)
        # Gates are the same in both domains, so each expert is brought back by itself.
        mixed = self.noise.restored(np.einsum("mlc,cd->mld", experts, opponent_matrix(experts.shape[2])))
        metadata = {
            "made_by": f"napari-rsmoe {version('napari-rsmoe')}",
            "job": "denoise",
            "seed": self.seed,
            "settings": asdict(self.settings),
            "steps": fitter.step,
        }
        shape = (self.planes.shape[1], self.planes.shape[2])
        return [
            Model(geometry.clone(), torch.from_numpy(colours), shape, self.layout, metadata=metadata | own)
            for geometry, colours, own in zip(
                self._geometry(fitter, plans).cpu(),
                mixed,
                [{"model": n, "tile_shift": list(plan.shift)} for n, plan in zip(numbers, plans, strict=True)],
                strict=True,
            )
        ]

    def _preview(self, fitter: Fitter, plans: list[Plan]) -> np.ndarray:
        """The average of the finished models, or the first as it is."""
        if not self.groups:
            return self._restored(self._drawn(fitter, plans)[0])
        groups = list(self.groups.values())
        counts = np.array([group.count for group in groups], np.float32)
        shares = counts / counts.sum()
        mean = sum(share * group.mean for share, group in zip(shares, groups, strict=True))
        return self._restored(np.asarray(mean, np.float32))

    def _restored(self, planes: Floats) -> np.ndarray:
        """Decorrelated planes of the domain in the user's form."""
        return self.layout.restore(self.noise.restored(recorrelate(planes)))
