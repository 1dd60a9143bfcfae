import importlib.metadata
import sys

import pytest

from napari_rsmoe.cli import installation as doctor
from napari_rsmoe.cli.installation import NOTE, OK, PROBLEM, Check


def by_name(checks):
    return {check.name: check for check in checks}


def test_a_working_installation_has_no_problem():
    checks = by_name(doctor.report())
    assert [check for check in checks.values() if check.status == PROBLEM] == []
    assert checks["napari-rsmoe"].value == importlib.metadata.version("napari-rsmoe")
    assert checks["engine"].value.endswith((".so", ".pyd"))
    assert checks["instruction set"].value.split()[0] in doctor.LEVELS
    assert {"python", "system", "numpy", "torch", "napari", "threads", "memory", "cuda"} <= checks.keys()


def test_text_has_a_line_for_each_check_and_each_remedy():
    checks = [Check("a", "1"), Check("longer", "2", PROBLEM, "do this"), Check("b", "3", NOTE)]
    lines = doctor.text(checks).splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "BAD", "->", "note"]
    assert "do this" in lines[2]
    assert doctor.text([]) == ""


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_missing_package_has_a_remedy(monkeypatch, name):
    def version(package):
        if package == name:
            raise importlib.metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setitem(sys.modules, name if name == "torch" else "no_such_module", None)
    check = by_name(doctor.report())[name]
    assert check.status == PROBLEM
    assert name in check.remedy


def test_an_old_torch_is_a_problem(monkeypatch):
    import torch

    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    checks = by_name(doctor.report())
    assert checks["torch"].status == PROBLEM
    assert "2.10" in checks["torch"].remedy
    assert "engine" not in checks  # it cannot be judged without


def test_an_engine_that_does_not_load_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "napari_rsmoe.engine", None)
    checks = by_name(doctor.report())
    assert checks["engine"].status == PROBLEM
    assert "reinstall" in checks["engine"].remedy
    assert "instruction set" not in checks


def test_an_override_of_the_instruction_set_is_noted(monkeypatch):
    from napari_rsmoe import engine

    monkeypatch.setenv("RSMOE_SIMD", "base")
    monkeypatch.setattr(engine, "simd_level", lambda: "base")
    check = by_name(doctor.report())["instruction set"]
    assert check.status == NOTE
    assert check.value.startswith("base in use")

    def refuse():
        raise RuntimeError("RSMOE_SIMD=sse is not one of base, avx2, avx512")

    monkeypatch.setattr(engine, "simd_level", refuse)
    check = by_name(doctor.report())["instruction set"]
    assert check.status == PROBLEM
    assert "unset RSMOE_SIMD" in check.remedy


@pytest.mark.parametrize(
    ("build", "available", "engine", "status", "words"),
    [
        (None, False, False, NOTE, "build for the CPU"),
        ("12.8", False, False, NOTE, "no device"),
        ("12.8", True, False, NOTE, "no CUDA part"),
        ("12.8", True, True, OK, "Fine Card, CUDA 12.8"),
    ],
)
def test_states_of_cuda(monkeypatch, build, available, engine, status, words):
    import torch

    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Fine Card")
    monkeypatch.setattr(doctor, "_has_cuda_engine", lambda: engine)
    monkeypatch.setattr(doctor, "_cuda_problem", lambda: "")
    monkeypatch.setattr(doctor, "_driver", lambda: "")
    check = by_name(doctor.report())["cuda"]
    assert check.status == status
    assert words in check.value
    assert bool(check.remedy) == (status != OK and build is not None)


def test_an_old_driver_and_a_failed_check_have_remedies(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "_driver", lambda: "470.1")
    check = by_name(doctor.report())["cuda"]
    assert "470.1" in check.value
    assert "update the driver" in check.remedy

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Odd Card")
    monkeypatch.setattr(doctor, "_has_cuda_engine", lambda: True)
    monkeypatch.setattr(doctor, "_cuda_problem", lambda: "its image is off by 0.5")
    check = by_name(doctor.report())["cuda"]
    assert check.status == PROBLEM
    assert "off by 0.5" in check.value


def test_few_threads_and_little_memory_are_noted(monkeypatch):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 16)
    monkeypatch.setattr(doctor, "_memory_gib", lambda: (8.0, 0.5))
    checks = by_name(doctor.report())
    assert "1 of 16" in checks["threads"].value
    assert checks["threads"].status == NOTE
    assert checks["memory"].status == NOTE
    monkeypatch.setattr(doctor, "_memory_gib", lambda: (None, None))
    assert "unknown" in by_name(doctor.report())["memory"].value
