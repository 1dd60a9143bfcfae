"""Our declarations of torch's C ABI agree with the headers of the torch that is installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import torch
from backends import ROOT, compiler

HEADER = ROOT / "csrc" / "torch_c_abi.h"
TORCH_INCLUDE = Path(torch.__file__).parent / "include"
OLDEST_TORCH = (2, 10)


def check_syntax(source: Path) -> subprocess.CompletedProcess[str]:
    """Compile `source` against torch's headers as of `OLDEST_TORCH` and ours, without output."""
    if not (TORCH_INCLUDE / "torch" / "csrc" / "stable" / "c" / "shim.h").is_file():
        pytest.skip("this torch was installed without its headers")
    target = f"-DTORCH_TARGET_VERSION=0x{OLDEST_TORCH[0]:02x}{OLDEST_TORCH[1]:02x}000000000000"
    command = [compiler(), "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", target]
    command += ["-isystem", str(TORCH_INCLUDE), "-I", str(HEADER.parent), str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def declared_functions() -> list[str]:
    """Names of all functions that our header declares."""
    return re.findall(r"^\w+ ((?:aoti_)?torch_\w+)\(", HEADER.read_text(), flags=re.MULTILINE)


def test_declarations_match_torch() -> None:
    result = check_syntax(ROOT / "tests" / "abi" / "abi_check.cpp")
    assert result.returncode == 0, result.stderr


def test_a_wrong_declaration_is_noticed(tmp_path: Path) -> None:
    check = (ROOT / "tests" / "abi" / "abi_check.cpp").read_text()
    source = tmp_path / "wrong.cpp"
    source.write_text(check + 'extern "C" AOTITorchError aoti_torch_get_dim(AtenTensorHandle, int32_t*);\n')
    result = check_syntax(source)
    assert result.returncode != 0
    assert "aoti_torch_get_dim" in result.stderr


def test_the_oldest_torch_has_every_function(tmp_path: Path) -> None:
    names = declared_functions()
    assert len(names) > 20
    lines = ["#define USE_CUDA", "#include <torch/csrc/stable/c/shim.h>"]
    lines += [f"using Use{number} = decltype(&{name});" for number, name in enumerate(names)]
    source = tmp_path / "names.cpp"
    source.write_text("\n".join(lines) + "\n")
    result = check_syntax(source)
    assert result.returncode == 0, result.stderr
