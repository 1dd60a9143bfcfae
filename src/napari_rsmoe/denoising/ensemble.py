"""Fit many models to one noisy image, each from its own start, tile grid and small disturbance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray

from .. import engine
from ..fitting.fitter import TILE, Fitter, start_tensors, together
from ..fitting.settings import FitSettings
from ..fitting.starts.start import Start
from ..image.format import ImageFormat
from ..image.opponent import decorrelate, opponent_matrix, recorrelate
from ..model.model import Model
from ..noise.domain import NoiseModel
from ..progress import Callback, Progress
from .checkpoint import Checkpoint, Kernels
from .fusion import Floats, Group

DISTURBANCE = 0.35  # of the noise, added to what each model sees
COLOUR_WEIGHT = 0.5  # of colour differences against brightness when kernels are fitted
TRUST = (0.2, 5.0)  # least and most weight of a pixel by its noise
JOB = "denoise"  # in the metadata of models
REPORT_EVERY = 20  # steps
WARM_SHARE = 0.5  # of the steps, and of the decay of the rates, for models that begin with those of an equal plane;
CHANGED_SHARE = 2.0  # by so much more for the share of the plane that has changed
BATCH_TILES = 8192  # that models fitted at once have in all; more would not make a device busier


@dataclass(frozen=True)
class Plan:
    """One model to be fitted: kernels asked of its start, and how many px (y, x) its tiles begin before the image."""

    n_kernels: int
    shift: tuple[int, int]


def planned_kernels(model: Model) -> int:
    """How many kernels a model of an ensemble was to have; a start may give fewer."""
    return int(model.metadata.get("planned_kernels", model.n_kernels))


@dataclass(frozen=True)
class WarmStart:
    """Models of a neighbouring plane, and where (H, W) it shows the same as this one."""

    models: Sequence[Model]
    unchanged: NDArray[np.bool_]

    @property
    def generation(self) -> int:
        """How many warm starts there were in a row, with this one."""
        return 1 + int(self.models[0].metadata.get("generation", 0))

    @property
    def share(self) -> float:
        """Of the steps, and of the decay of the rates, that the models take."""
        return min(1.0, WARM_SHARE + CHANGED_SHARE * float(1 - self.unchanged.mean()))

    def kernels(self, index: int, layout: ImageFormat, noise: NoiseModel) -> Kernels:
        """Geometry and experts of a model in the domain of another plane; copies."""
        model = self.models[index]
        value = model.experts.double().numpy() * model.layout.span + model.layout.low
        experts = noise.stabilised(((value - layout.low) / layout.span).astype(np.float32))
        return model.geometry.clone(), torch.from_numpy(experts)

    def stays(self, geometry: torch.Tensor) -> NDArray[np.bool_]:
        """Whether each kernel lies where the planes show the same."""
        limit = np.array(self.unchanged.shape) - 1
        y, x = np.clip(np.rint(geometry[:, :2].numpy()), 0, limit).astype(np.int64).T
        stays: NDArray[np.bool_] = self.unchanged[y, x]
        return stays


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
    warm_start : WarmStart, optional
        Model h begins with the kernels of its model h; default: with those of `make_start`.
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
        warm_start: WarmStart | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.warm_start = warm_start
        self.generation = 0 if warm_start is None else warm_start.generation
        if warm_start:
            settings = replace(settings, iterations=max(1, round(warm_start.share * settings.iterations)))
        self.planes = decorrelate(pixels)
        self.noise = noise
        self.variance = noise.plane_variance
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

    def run(self, plans: list[Plan], callback: Callback | None, checkpoint: Checkpoint | None = None) -> None:
        """Fit the models one after the other; on request stop, keeping the finished ones or the first as they are.

        On a device models of one kernel count are fitted at once. Models that the checkpoint holds are taken from it,
        the others are added to it when they are finished.
        """
        size = self.planes[0].size
        costs = [plan.n_kernels + size // 100 + 1 for plan in plans]  # time falls no further than that of the pixels
        steps = self.settings.iterations
        before = 0
        for batch in self._batches(plans):
            chosen = [plans[index] for index in batch]
            shape = tuple(np.max([plan.shift for plan in chosen], 0) + self.planes.shape[1:])
            # Disturbances of a warm start must be others than those that its kernels have seen.
            later = [self.generation] if self.generation else []
            rngs = [np.random.default_rng([self.seed, index, *later]) for index in batch]
            disturbances = [self._deviation * self.noise.sample(self.planes.shape, rng) for rng in rngs]
            cost, first = sum(costs[index] for index in batch), len(self.models) + 1
            kernels = None if checkpoint is None else checkpoint.load(batch)
            done, stop = steps, False
            if kernels is None:
                each = zip(batch, chosen, disturbances, rngs, strict=True)
                fitter = together([self._fitter(*one, shape) for one in each])
                last = first + len(batch) - 1
                stage = f"model {first}" if first == last else f"models {first} to {last}"
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
                kernels, done = self._kernels(fitter, chosen), fitter.step
                if checkpoint is not None and not fitter.remaining:
                    checkpoint.save(batch, kernels)
            self.models += self._models(kernels, chosen, batch, done)
            self.models.sort(key=lambda model: int(model.metadata["model"]))  # batches mix them up
            group = self.groups.setdefault(chosen[0].n_kernels, Group(self.planes.shape))
            for render, disturbance in zip(self._drawn(kernels), disturbances, strict=True):
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

    def _fitter(
        self, index: int, plan: Plan, disturbance: Floats, rng: np.random.Generator, shape: tuple[int, ...]
    ) -> Fitter:
        """A fit on a raster of this shape, to which the image is extended."""
        start = self.make_start(plan.n_kernels, rng)
        geometry, experts = start_tensors(start, self.weight.shape)
        if self.warm_start:
            warm = self.warm_start.kernels(index, self.layout, self.noise)
            # Where the planes differ, kernels begin anew; all others keep their place in the list.
            gone = np.flatnonzero(~self.warm_start.stays(warm[0]))
            fresh = rng.permutation(np.flatnonzero(~self.warm_start.stays(geometry)))[: len(gone)]
            for mine, new in zip(warm, (geometry, experts), strict=True):
                mine[gone[: len(fresh)]] = new[fresh]
            geometry, experts = warm
        experts = torch.from_numpy(np.moveaxis(decorrelate(experts.numpy()[None]) * self._scale, 0, -1)[0].copy())
        geometry[:, :2] += torch.tensor(plan.shift)
        target = (self.planes + np.float32(self.strength) * disturbance) * self._scale
        # Tiles begin `shift` px above and left of the image, in a border of no weight.
        border = [
            (before, most - before - length)
            for before, most, length in zip(plan.shift, shape, self.weight.shape, strict=True)
        ]
        fitter = Fitter(
            np.pad(np.moveaxis(target, 0, -1), (*border, (0, 0)), mode="edge"),
            (geometry, experts),
            self.settings,
            weight=np.pad(self.weight * self._trust, border),
            device=self.device,
        )
        fitter.fraction = 1 - self.warm_start.share if self.warm_start else 0.0
        return fitter

    def _kernels(self, fitter: Fitter, plans: list[Plan]) -> Kernels:
        """Geometry (models, L, 6) in the pixels of the image, and experts in scaled decorrelated planes."""
        geometry = fitter.geometry.clone()
        geometry[..., :2] -= torch.tensor([plan.shift for plan in plans], device=self.device)[:, None]
        return geometry, fitter.experts

    def _drawn(self, kernels: Kernels) -> Floats:
        """The renders in decorrelated planes, (models, C, H, W), not clipped."""
        geometry, experts = (tensor.to(self.device) for tensor in kernels)
        images = engine.render(geometry, experts, *self.planes.shape[1:])
        return np.divide(images.cpu().numpy(), self._scale, dtype=np.float32)

    def _models(self, kernels: Kernels, plans: list[Plan], numbers: list[int], steps: int) -> list[Model]:
        """The models in the channels of the image."""
        experts = np.divide(kernels[1].cpu().numpy(), self._scale[:, 0, 0], dtype=np.float32)
        # Gates are the same in both domains, so each expert is brought back by itself.
        mixed = self.noise.restored(np.einsum("mlc,cd->mld", experts, opponent_matrix(experts.shape[2])))
        metadata = {
            "made_by": f"napari-rsmoe {version('napari-rsmoe')}",
            "job": JOB,
            "seed": self.seed,
            "generation": self.generation,
            "settings": asdict(self.settings),
            "steps": steps,
        }
        shape = (self.planes.shape[1], self.planes.shape[2])
        return [
            Model(geometry.clone(), torch.from_numpy(colours), shape, self.layout, metadata=metadata | own)
            for geometry, colours, own in zip(
                kernels[0].cpu(),
                mixed,
                [
                    {"model": n, "tile_shift": list(plan.shift), "planned_kernels": plan.n_kernels}
                    for n, plan in zip(numbers, plans, strict=True)
                ],
                strict=True,
            )
        ]

    def _preview(self, fitter: Fitter, plans: list[Plan]) -> np.ndarray:
        """The average of the finished models, or the first as it is."""
        if not self.groups:
            return self._restored(self._drawn(self._kernels(fitter, plans))[0])
        groups = list(self.groups.values())
        counts = np.array([group.count for group in groups], np.float32)
        shares = counts / counts.sum()
        mean = sum(share * group.mean for share, group in zip(shares, groups, strict=True))
        return self._restored(np.asarray(mean, np.float32))

    def _restored(self, planes: Floats) -> np.ndarray:
        """Decorrelated planes of the domain in the user's form."""
        return self.layout.restore(self.noise.restored(recorrelate(planes)))
