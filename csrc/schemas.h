// The schemas of the operators, for every device.
#pragma once
#include "torch_abi.h"

namespace rsmoe {

inline torch_abi::Library define_operators(const char* ns) {
  torch_abi::Library library = torch_abi::Library::define(ns);
  library
      .def("render(Tensor geometry, Tensor experts, int height, int width, float tau, bool normalised, "
           "float confidence, bool linear, bool wait=True) -> Tensor")
      .def("render_backward(Tensor grad, Tensor geometry, Tensor experts, float tau, bool normalised, "
           "float confidence, bool linear, bool wait=True) -> (Tensor, Tensor)")
      .def("tile_lists(Tensor geometry, int height, int width, float tau, bool normalised, float confidence) "
           "-> (Tensor, Tensor)")
      .def("fit_steps(Tensor(a!) geometry, Tensor(b!) experts, Tensor(c!) state, Tensor target, Tensor? weight, "
           "int block, Tensor rates, int height, int width, int first_step, float tau, bool normalised, float "
           "confidence, bool linear, "
           "bool whitened, int list_interval, float list_margin, float beta1, float beta2, float[] limits, "
           "bool wait=True) -> (Tensor, Tensor)")
      .def("segment(Tensor image, float threshold) -> Tensor")
      .def("smooth(Tensor values, Tensor weights) -> Tensor")
      .def("filter_patches(Tensor noisy, Tensor pilot, Tensor variance, Tensor correlation, int stride, int reach, "
           "int fewest, int most, float similar, float same, float negligible, bool steep=False) -> (Tensor, Tensor)")
      .def("leave_torch_alone(bool alone) -> bool")
      .def("watch(int address) -> int")
      .def("simd_level() -> str");
  return library;
}

}  // namespace rsmoe
