// The operators torch.ops.rsmoe.* on the CPU.
// src/napari_rsmoe/engine/operators.py documents them for Python and adds autograd and fake kernels.
#include <algorithm>
#include <array>

#include "arguments.h"
#include "cpu/lists.h"
#include "cpu/mixture.h"
#include "cpu/segment.h"
#include "cpu/tile.h"
#include "schemas.h"
#include "torch_abi.h"

namespace {

using namespace rsmoe;
using namespace rsmoe::torch_abi;

Tensor render(const Tensor& geometry, const Tensor& experts, int64_t height, int64_t width, double tau, bool normalised,
              double confidence, bool linear) {
  const Mixture m =
      checked_mixture(geometry, experts, linear, height, width, checked_culling(tau, normalised, confidence));
  Tensor image = empty<float>({m.channels, height, width});
  cpu::render(m, image.mutable_data<float>("image"));
  return image;
}

std::tuple<Tensor, Tensor> render_backward(const Tensor& grad, const Tensor& geometry, const Tensor& experts,
                                           double tau, bool normalised, double confidence, bool linear) {
  const Mixture m = checked_mixture(grad, geometry, experts, linear, checked_culling(tau, normalised, confidence));
  Tensor grad_geometry = empty<float>(geometry.sizes());
  Tensor grad_experts = empty<float>(experts.sizes());
  cpu::render_backward(m, grad.data<float>("grad"), grad_geometry.mutable_data<float>("grad_geometry"),
                       grad_experts.mutable_data<float>("grad_experts"));
  return {std::move(grad_geometry), std::move(grad_experts)};
}

std::tuple<Tensor, Tensor> tile_lists(const Tensor& geometry, int64_t height, int64_t width, double tau,
                                      bool normalised, double confidence) {
  const int64_t kernels = checked_kernels(geometry, height, width);
  const cpu::TileLists lists = cpu::build_lists(geometry.data<float>("geometry"), kernels, height, width,
                                                checked_culling(tau, normalised, confidence));
  Tensor start = empty<int64_t>({lists.tiles() + 1}), ids = empty<int32_t>({lists.pairs()});
  std::ranges::copy(lists.start, start.mutable_data<int64_t>("start"));
  std::ranges::copy(lists.ids, ids.mutable_data<int32_t>("ids"));
  return {std::move(start), std::move(ids)};
}

std::tuple<Tensor, Tensor> fit_steps(const Tensor& geometry, const Tensor& experts, const Tensor& state,
                                     const Tensor& target, const std::optional<Tensor>& weight, int64_t block,
                                     const Tensor& rates, int64_t height, int64_t width, int64_t first_step, double tau,
                                     bool normalised, double confidence, bool linear, bool whitened,
                                     int64_t list_interval, double list_margin, double beta1, double beta2,
                                     const std::vector<double>& limits) {
  const FitSteps steps = checked_fit(geometry, experts, state, target, weight, block, rates, height, width, first_step,
                                     checked_culling(tau, normalised, confidence), linear, whitened, list_interval,
                                     list_margin, beta1, beta2, limits);
  Tensor losses = empty<float>({rates.size(0)}), seconds = empty<float>({3});
  const cpu::FitSeconds spent = cpu::fit(steps, losses.mutable_data<float>("losses"));
  const std::array<double, 3> parts{spent.lists, spent.tiles, spent.optimiser};
  std::ranges::transform(parts, seconds.mutable_data<float>("seconds"), [](double s) { return static_cast<float>(s); });
  return {std::move(losses), std::move(seconds)};
}

Tensor segment(const Tensor& image, double threshold) {
  image.require_shape("image", {-1, -1, -1});
  Tensor labels = empty<int32_t>({image.size(0), image.size(1)});
  cpu::segment_image(image.data<float>("image"), image.size(0), image.size(1), image.size(2), threshold,
                     labels.mutable_data<int32_t>("labels"));
  return labels;
}

std::string simd_level() { return cpu::simd().name; }

void register_operators() {
  define_operators("rsmoe");
  Library::implement("rsmoe", "CPU")
      .impl<&render>("render")
      .impl<&render_backward>("render_backward")
      .impl<&tile_lists>("tile_lists")
      .impl<&fit_steps>("fit_steps")
      .impl<&segment>("segment");
  Library::implement("rsmoe", "CompositeExplicitAutograd").impl<&simd_level>("simd_level");
}

}  // namespace

extern "C" const char* rsmoe_register_operators() { return register_once(&register_operators); }
