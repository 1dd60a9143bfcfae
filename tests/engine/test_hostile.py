"""Numbers that are not finite or absurdly large, tensors at odd addresses, absurd sizes: no crash and no NaN."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from backends import backend, in_use  # noqa: F401  (every test of this file runs over all backends)
from mixtures import random_mixture

from napari_rsmoe import engine
from napari_rsmoe.engine import bounds, operators
from napari_rsmoe.engine.limits import Limits

pytestmark = pytest.mark.filterwarnings("ignore:A kernel is left out")

HEIGHT, WIDTH, TILES = 37, 50, 12
HOSTILE = [math.nan, math.inf, -math.inf, 3e38]
MOST = [bounds.MOST_CENTER] * 2 + [bounds.MOST_STEERING] * 3 + [bounds.MOST_LOGIT]
FIELDS = {"y": 0, "x": 1, "r11": 2, "r12": 3, "r22": 4, "logit": 5}
KINDS = [(True, False), (True, True), (False, False), (False, True)]
NAMES = ["smoe", "smoe-linear", "rbf", "rbf-linear"]


def drawn(
    geometry: torch.Tensor, experts: torch.Tensor, *, normalised: bool, linear: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The image, and the gradients by geometry and experts."""
    inputs = [geometry.clone().requires_grad_(), experts.clone().requires_grad_()]
    image = engine.render(*inputs, HEIGHT, WIDTH, normalised=normalised, linear=linear)
    upstream = torch.rand(image.shape, generator=torch.Generator().manual_seed(3))
    return image.detach(), *torch.autograd.grad(image, inputs, upstream)


def fitted(
    geometry: torch.Tensor, experts: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None,
    state: torch.Tensor | None = None, *, normalised: bool = True, linear: bool = False,
) -> list[torch.Tensor]:  # fmt: skip
    """Twelve steps, whose lists are seven steps old at most."""
    state = torch.zeros(2, 6 + experts.shape[1], len(geometry)) if state is None else state
    losses, _ = engine.fit_steps(
        geometry, experts, state, target, weight, torch.full((12, 4), 0.05), HEIGHT, WIDTH, first_step=0, tau=7.0,
        normalised=normalised, confidence=0.0, linear=linear, whitened=True, list_interval=7, list_margin=2.0,
        betas=(0.9, 0.99), limits=Limits(),
    )  # fmt: skip
    return [geometry, experts, state, losses]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", [*FIELDS, "expert"])
@pytest.mark.parametrize(("normalised", "linear"), KINDS, ids=NAMES)
def test_a_kernel_that_cannot_be_drawn_is_absent(field: str, value: float, normalised: bool, linear: bool) -> None:
    geometry, experts = random_mixture(9, 3, (HEIGHT, WIDTH), 0, linear=linear)
    expected = drawn(geometry, experts, normalised=normalised, linear=linear)
    geometry, experts = torch.cat([geometry[:4], geometry[3:]]), torch.cat([experts[:4], experts[3:]])
    if field == "expert":
        experts[3, -1] = value
    else:
        geometry[3, FIELDS[field]] = value
    image, *gradients = drawn(geometry, experts, normalised=normalised, linear=linear)
    assert torch.equal(image, expected[0])
    others = [0, 1, 2, 4, 5, 6, 7, 8, 9]
    for gradient, wanted in zip(gradients, expected[1:], strict=True):
        assert torch.equal(gradient[others], wanted)
        assert bool((gradient[3] == 0).all())


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("normalised", "linear"), KINDS, ids=NAMES)
def test_a_mixture_without_a_kernel_that_can_be_drawn_is_empty(value: float, normalised: bool, linear: bool) -> None:
    geometry, experts = random_mixture(5, 3, (HEIGHT, WIDTH), 0, linear=linear)
    for number in range(5):
        geometry[number, number] = value
    for result in drawn(geometry, experts, normalised=normalised, linear=linear):
        assert bool((result == 0).all())
    assert engine.tile_lists(geometry, HEIGHT, WIDTH)[1].numel() == 0
    losses = fitted(geometry, experts, torch.full((TILES, 3, 256), 0.5), normalised=normalised, linear=linear)[3]
    assert float(losses[0]) == pytest.approx(0.25 * 3 * HEIGHT * WIDTH)
    assert bool(losses.isfinite().all())  # the optimiser's limits bring some kernels back


@pytest.mark.parametrize("confidence", [0.0, 3.0])
@pytest.mark.parametrize(("normalised", "linear"), KINDS, ids=NAMES)
def test_the_largest_numbers_that_are_drawn(normalised: bool, linear: bool, confidence: float) -> None:
    """However large, steep or far away: values and gradients are finite."""
    rng = torch.Generator().manual_seed(0)
    geometry, experts = random_mixture(60, 3, (HEIGHT, WIDTH), 0, linear=linear)
    for number in range(48):
        share = (1 if number < 24 else -1) * (0.5 + 0.4 * float(torch.rand(1, generator=rng)))
        geometry[number, number % 6] = share * MOST[number % 6]
    geometry[24:48] = torch.where(geometry[24:48].abs() > 1e6, geometry[24:48], geometry[:24].roll(1, 0))  # several
    geometry[48, 2:5] = 0
    geometry[49, 4] = 0
    experts *= bounds.MOST_EXPERT / experts.abs().sum(1).max() * (torch.rand(60, 1, generator=rng) - 0.5)
    image = engine.render(
        geometry, experts, HEIGHT, WIDTH, normalised=normalised, linear=linear, confidence=confidence, tau=7.0
    )
    assert bool(image.isfinite().all())
    upstream = 1e-20 * torch.rand(image.shape, generator=rng)
    for gradient in operators.ops.render_backward(
        upstream, geometry, experts, 7.0, normalised, confidence, linear, True
    ):
        assert not bool(gradient.isnan().any())


@pytest.mark.parametrize("share", [0.99, 1.01])
def test_the_bounds_are_as_stated(share: float) -> None:
    geometry, experts = torch.tensor([[4.0, 4.0, 0.5, 0.0, 0.5, 0.0]]), torch.tensor([[1.0]])
    images = [engine.render(geometry, experts * share * bounds.MOST_EXPERT, 8, 8)]
    for column, most in enumerate(MOST):
        extreme = geometry.clone()
        extreme[0, column] = share * (most - float(geometry[0, :5].sum()))
        images.append(engine.render(extreme, experts, 8, 8))
    for image in images:
        assert bool(image.all()) == (share < 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
@pytest.mark.parametrize(("normalised", "linear"), KINDS, ids=NAMES)
def test_targets_that_are_not_finite(value: float, normalised: bool, linear: bool) -> None:
    """They spoil kernels between two list builds, and nothing else."""
    geometry, experts = random_mixture(30, 3, (HEIGHT, WIDTH), 0, linear=linear)
    target = torch.rand(TILES, 3, 256, generator=torch.Generator().manual_seed(1))
    target[3, 1, 40] = value
    for everything in (False, True):
        if everything:
            target[:] = value
        g, e, _, losses = fitted(geometry.clone(), experts.clone(), target, normalised=normalised, linear=linear)
        assert not bool(losses[0].isfinite()) or value == 1e38
        assert bool(engine.render(g, e, HEIGHT, WIDTH, normalised=normalised, linear=linear).isfinite().all())


def misaligned(tensor: torch.Tensor) -> torch.Tensor:
    """An equal tensor that begins one element behind a boundary of vectors."""
    memory = torch.empty(tensor.numel() + 1, dtype=tensor.dtype)
    result = memory[1:].view(tensor.shape)
    result.copy_(tensor)
    assert result.data_ptr() % 16 == 4
    return result


@pytest.mark.parametrize("linear", [False, True], ids=["constant", "linear"])
def test_tensors_at_any_address(linear: bool) -> None:
    geometry, experts = random_mixture(40, 3, (HEIGHT, WIDTH), 0, linear=linear)
    rng = torch.Generator().manual_seed(1)
    target, weight = torch.rand(TILES, 3, 256, generator=rng), torch.rand(TILES, 256, generator=rng)
    state, upstream = torch.zeros(2, 6 + experts.shape[1], 40), torch.rand(3, HEIGHT, WIDTH, generator=rng)

    def results(*tensors: torch.Tensor) -> list[torch.Tensor]:
        geometry, experts, state, target, weight, upstream = tensors
        image = operators.ops.render(geometry, experts, HEIGHT, WIDTH, 7.0, True, 0.0, linear)
        gradients = operators.ops.render_backward(upstream, geometry, experts, 7.0, True, 0.0, linear)
        return [image, *gradients, *fitted(geometry, experts, target, weight, state, linear=linear)]

    inputs = [geometry, experts, state, target, weight, upstream]
    expected = results(*(tensor.clone() for tensor in inputs))
    for ours, wanted in zip(results(*map(misaligned, inputs)), expected, strict=True):
        assert torch.equal(ours, wanted)


def test_tensors_that_begin_within_an_element_are_refused() -> None:
    if in_use() == "cuda":
        pytest.skip("copied to the device")
    memory = torch.zeros(4 * 6 + 4, dtype=torch.uint8)
    odd = torch.frombuffer(memory.numpy().data, dtype=torch.float32, count=6, offset=1).view(1, 6)
    with pytest.raises(RuntimeError, match="geometry must begin at a multiple"):
        engine.render(odd, torch.zeros(1, 1), 8, 8)


@pytest.mark.parametrize(
    "sizes", [(2**62, 2**62), (2**63 - 1, 1), (1, 2**25), (2**24, 2**24), (2**24, 2**14), (-1, 5)], ids=str
)
def test_absurd_sizes_are_refused_at_once(sizes: tuple[int, int]) -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    with pytest.raises(RuntimeError, match="height"):
        engine.tile_lists(geometry, *sizes)
    with pytest.raises(RuntimeError, match="height"):
        engine.render(geometry, experts, *sizes)
    with pytest.raises(RuntimeError, match="height"):
        engine.fit_steps(
            geometry, experts, torch.zeros(2, 8, 5), torch.zeros(6, 2, 256), None, torch.zeros(1, 4), *sizes,
            first_step=0, tau=7.0, normalised=True, confidence=0.0, whitened=True, list_interval=1, list_margin=0.0,
            betas=(0.9, 0.99), limits=Limits(),
        )  # fmt: skip


def test_absurd_steps_are_refused() -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    with pytest.raises(RuntimeError, match="first_step"):
        engine.fit_steps(
            geometry, experts, torch.zeros(2, 8, 5), torch.zeros(6, 2, 256), None, torch.zeros(3, 4), 20, 33,
            first_step=2**63 - 1, tau=7.0, normalised=True, confidence=0.0, whitened=True, list_interval=1,
            list_margin=0.0, betas=(0.9, 0.99), limits=Limits(),
        )  # fmt: skip


def test_operators_say_which_kernel_is_absent() -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.render(geometry, experts, 20, 33)
    geometry[3, 3], experts[1, 1] = -3e38, math.nan
    with pytest.warns(RuntimeWarning, match=r"kernel 1 has expert\[1\] = nan.*\(1 more"):
        engine.render(geometry, experts, 20, 33)
    with pytest.warns(RuntimeWarning, match=r"kernel 3 has r12 = -3e\+38"):
        engine.gate_sums(geometry, torch.ones(1, 20, 33))
    with pytest.warns(RuntimeWarning, match="model 1, kernel 3 has r12"):
        engine.render(torch.stack([geometry[:3].repeat(2, 1)[:5], geometry]), torch.ones(2, 5, 2), 20, 33)
    geometry, experts = random_mixture(5, 3, (HEIGHT, WIDTH), 0)
    geometry[2, 5] = math.inf
    with pytest.warns(RuntimeWarning, match=r"until the limits of the fit bring it back: kernel 2 has logit = inf"):
        fitted(geometry, experts, torch.full((TILES, 3, 256), 0.5))


def test_a_second_derivative_is_refused() -> None:
    geometry, experts = random_mixture(5, 2, (20, 33), 0)
    geometry.requires_grad_()
    image = engine.render(geometry, experts, 20, 33)
    (gradient,) = torch.autograd.grad(image.sum(), geometry, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiated once only"):
        gradient.sum().backward()


@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38, 1e25, -1e30])
@pytest.mark.parametrize("where", range(4), ids=["noisy", "pilot", "variance", "correlation"])
def test_the_patch_filter_of_numbers_that_are_not_finite(where: int, value: float) -> None:
    """No crash; and whatever lies out of reach of them is filtered as if they were not there."""
    rng = np.random.default_rng(0)
    noisy, pilot = rng.normal(0, 1, (2, 2, 20, 70)).astype(np.float32)
    variance = np.ones_like(noisy)
    correlation = np.stack([np.eye(64, dtype=np.float32)] * 2)
    arrays = [noisy, pilot, variance, correlation]
    options = {"stride": 3, "reach": 4, "fewest": 20, "most": 40, "similar": 2.0, "same": 0.1, "negligible": 0.1}
    expected, _ = engine.filter_patches(*arrays, **options)  # type: ignore[arg-type]
    spoilt = [each.copy() for each in arrays]
    spoilt[where][:, 10, 10] = value
    spoilt[where][0, 11, 8:14] = value
    filtered, _ = engine.filter_patches(*spoilt, **options)  # type: ignore[arg-type]
    if where < 2:  # the others count in the whole image
        spoilt[1][:] = 0
        assert np.isfinite(filtered[..., 45:]).all()
        assert np.abs(filtered - expected)[..., 45:].max() < 3
