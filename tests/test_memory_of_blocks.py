"""Jobs that work through blocks take no more memory than was planned, in a fresh process with a small budget."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MEASURED = """
import json, warnings
import numpy as np
import napari_rsmoe as r
from napari_rsmoe.denoising import blockwise, plane_in_blocks

warnings.simplefilter("ignore")
r.denoise  # loads what is part of no plan
plans = []

def resident(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

def picture(side):
    y, x = np.mgrid[:side, :side].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 10, y.shape)
    return (120 + 60 * np.sin(x / 9) * np.cos(y / 7) + noise).clip(0, 255).astype(np.uint8)

def chosen(image, *more, choose=plane_in_blocks.BlockChoice.of, **keywords):
    found = choose(image, *more, **keywords)
    need = blockwise.memory_of_blocks(found.plane.shape, more[1], found.plane.dtype.itemsize)
    plans.append(need.bytes(found.plan.largest))
    return found

plane_in_blocks.BlockChoice.of = chosen
large = picture(1100)
jobs = {
    "denoise": lambda: r.denoise(large, noise=10, preset="fast", models=1, n_kernels=2000, memory="110M"),
}
found = {}
for name, job in jobs.items():
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")
    before = resident("VmRSS")
    result = job()
    found[name] = (plans[-1], resident("VmHWM") - before)
    del result
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a job is read from /proc")
def test_jobs_in_blocks_take_no_more_than_planned() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=False)
    if "clear_refs" in done.stderr:
        pytest.skip("this system does not let a process forget its peak")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"denoise"}
    for name, (planned, taken) in found.items():
        assert planned <= 110 * 2**20, name
        assert 0.5 * planned < taken < 1.2 * planned, found
