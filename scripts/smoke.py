"""A first test of an installed wheel: the engine uses the processor and draws as its reference, a file is denoised."""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import napari_rsmoe as rsmoe
from napari_rsmoe import engine
from napari_rsmoe.engine import reference

LEVELS = {"AVX512": "avx512", "AVX2": "avx2"}
"""Our instruction sets for those of torch; for any other ours is "base"."""


def main() -> None:
    """Run the tests, and say where they have run."""
    level, wanted = engine.simd_level(), LEVELS.get(torch.backends.cpu.get_cpu_capability(), "base")
    assert level == wanted, f"The engine runs with {level}, and torch finds {wanted}."
    rng = np.random.default_rng(0)
    clean = np.tile(np.where(np.arange(64) < 30, 60.0, 180.0), (48, 1))
    noisy = np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).astype(np.uint8)
    model = rsmoe.fit(noisy, 40, seed=1)
    exact = [each.double() for each in (model.geometry, model.experts)]
    drawn = reference.render(*exact, *noisy.shape)
    found = engine.render(model.geometry, model.experts, *noisy.shape)
    torch.testing.assert_close(found.double(), drawn, rtol=0, atol=1e-3 * float(drawn.abs().max()))

    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "noisy.tif"), Path(name, "clean.tif")
        rsmoe.write_image(source, noisy)
        program = [sys.executable, "-m", "napari_rsmoe", "denoise", str(source), str(target)]
        subprocess.run(program, check=True)
        result = rsmoe.read_image(target)
    error, before = (float(np.abs(image - clean).mean()) for image in (np.asarray(result.data), noisy))
    assert error < before / 3, (error, before)
    print(
        f"napari-rsmoe {rsmoe.__version__} with {level}, torch {torch.__version__}, "
        f"Python {platform.python_version()}, {platform.platform()}"
    )


if __name__ == "__main__":
    main()
