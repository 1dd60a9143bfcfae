"""The mixture as a torch module, fitted with losses of one's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from napari_rsmoe import Mixture, fit, psnr


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A crop of a photograph that comes with scikit-image, (64, 80, 3) uint8."""
    return data.chelsea()[60:124, 120:200]


@pytest.mark.parametrize("options", [{}, {"mode": "rbf"}, {"experts": "linear"}])
def test_it_begins_as_the_model(photograph: np.ndarray, options: dict[str, str]) -> None:
    model = fit(photograph, 60, iterations=60, **options)  # type: ignore[arg-type]
    mixture = Mixture(model)
    drawn = mixture().detach().permute(1, 2, 0).numpy()
    assert drawn.clip(0, 255) == pytest.approx(model.render(dtype=np.float64), abs=0.02)
    assert np.array_equal(mixture.model().render(), model.render())
    assert mixture.model().metadata == model.metadata


def test_every_parameter_does_what_it_says(photograph: np.ndarray) -> None:
    model = fit(photograph, 40, iterations=40)
    mixture = Mixture(model)
    before = model.kernels()
    with torch.no_grad():
        mixture.position += torch.tensor([0.5, 0.0])  # along u, half a standard deviation of that direction
        mixture.steering[:, [0, 2]] += np.log(2)  # r11 and r22 twice as large: half the size
        mixture.logit += np.log(3)
    after = mixture.model().kernels()
    assert np.linalg.norm(after.center - before.center, axis=1) == pytest.approx(
        0.5 / model.geometry[:, 2].numpy(), rel=1e-3
    )
    assert after.axes == pytest.approx(before.axes / 2, rel=1e-2)
    assert after.angle == pytest.approx(before.angle, abs=1e-2)
    assert after.weight == pytest.approx(3 * before.weight, rel=1e-3)


def test_gradients_are_those_of_finite_differences(photograph: np.ndarray) -> None:
    mixture = Mixture(fit(photograph, 12, iterations=30))
    weights = torch.randn(3, *photograph.shape[:2], generator=torch.Generator().manual_seed(0))
    (mixture() * weights).sum().backward()
    for parameter in mixture.parameters():
        direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        slope = float((parameter.grad * direction).sum())  # type: ignore[operator]
        values = []
        with torch.no_grad():
            for step in (0.002, -0.002):
                parameter += step * direction
                values.append(float((mixture().double() * weights).sum()))
                parameter -= step * direction
        assert (values[0] - values[1]) / 0.004 == pytest.approx(slope, rel=0.03, abs=0.02 * abs(slope) + 20)


def test_a_loss_behind_an_operation_is_minimised(photograph: np.ndarray) -> None:
    """A picture is found again from the means of its 2x2 blocks and of its rows and columns shifted by one."""
    truth = torch.from_numpy(photograph.astype(np.float32)).permute(2, 0, 1)

    def measure(image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image[None], 3, stride=1)[0]

    start = fit(np.pad(measure(truth).permute(1, 2, 0).numpy(), ((1, 1), (1, 1), (0, 0)), "edge"), 250, iterations=80)
    mixture = Mixture(start)
    optimiser = torch.optim.Adam(mixture.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(measure(mixture()), measure(truth)).backward()
        optimiser.step()
    blurred, found = start.render(dtype=np.float64), mixture.model().render(dtype=np.float64)
    assert psnr(found, photograph.astype(float), 255) > psnr(blurred, photograph.astype(float), 255) + 1.5
