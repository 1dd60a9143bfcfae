// Compiled by tests/test_torch_abi.py with -fsyntax-only and never linked: torch's own headers first, ours
// second, so that a declaration of ours that differs from torch's is a compile error.
#define USE_CUDA
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/c/shim.h>

#include "torch_abi.h"
