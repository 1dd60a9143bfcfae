// The operators torch.ops.rsmoe.*: what they look like, and what they do on the CPU.
// src/napari_rsmoe/engine/operators.py documents them for Python and adds autograd and fake kernels.
#include <algorithm>
#include <array>

#include "cpu/lists.h"
#include "cpu/mixture.h"
#include "cpu/segment.h"
#include "cpu/tile.h"
#include "torch_abi.h"

namespace {

using namespace rsmoe;
using namespace rsmoe::torch_abi;

cpu::Culling culling(double tau, bool normalised, double confidence) {
  check(tau > 0, "tau must be positive");
  check(confidence >= 0, "confidence must not be negative");
  return {static_cast<float>(tau), normalised, static_cast<float>(confidence)};
}

// Checks what every operator needs of a mixture on a raster.
cpu::Mixture mixture(const Tensor& geometry, const Tensor& experts, bool linear, int64_t height, int64_t width,
                     const cpu::Culling& culling) {
  geometry.require_shape("geometry", {-1, kGeometry});
  const int64_t kernels = geometry.size(0);
  experts.require_shape("experts", {kernels, -1});
  check(!linear || experts.size(1) % 3 == 0, "linear experts need three columns for each channel");
  const int64_t channels = linear ? experts.size(1) / 3 : experts.size(1);
  check(kernels > 0, "a mixture needs at least one kernel");
  check(channels > 0, "experts need at least one channel");
  check(height > 0 && width > 0, "height and width must be positive");
  return {geometry.data<float>("geometry"),
          experts.data<float>("experts"),
          kernels,
          static_cast<int32_t>(channels),
          linear,
          height,
          width,
          culling};
}

Tensor render(const Tensor& geometry, const Tensor& experts, int64_t height, int64_t width, double tau, bool normalised,
              double confidence, bool linear) {
  const cpu::Mixture m = mixture(geometry, experts, linear, height, width, culling(tau, normalised, confidence));
  Tensor image = empty<float>({m.channels, height, width});
  cpu::render(m, image.mutable_data<float>("image"));
  return image;
}

std::tuple<Tensor, Tensor> render_backward(const Tensor& grad, const Tensor& geometry, const Tensor& experts,
                                           double tau, bool normalised, double confidence, bool linear) {
  grad.require_shape("grad", {linear ? experts.size(1) / 3 : experts.size(1), -1, -1});
  const cpu::Mixture m =
      mixture(geometry, experts, linear, grad.size(1), grad.size(2), culling(tau, normalised, confidence));
  Tensor grad_geometry = empty<float>(geometry.sizes());
  Tensor grad_experts = empty<float>(experts.sizes());
  cpu::render_backward(m, grad.data<float>("grad"), grad_geometry.mutable_data<float>("grad_geometry"),
                       grad_experts.mutable_data<float>("grad_experts"));
  return {std::move(grad_geometry), std::move(grad_experts)};
}

std::tuple<Tensor, Tensor> tile_lists(const Tensor& geometry, int64_t height, int64_t width, double tau,
                                      bool normalised, double confidence) {
  geometry.require_shape("geometry", {-1, kGeometry});
  check(geometry.size(0) > 0, "a mixture needs at least one kernel");
  check(height > 0 && width > 0, "height and width must be positive");
  const cpu::TileLists lists = cpu::build_lists(geometry.data<float>("geometry"), geometry.size(0), height, width,
                                                culling(tau, normalised, confidence));
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
  const cpu::Mixture m = mixture(geometry, experts, linear, height, width, culling(tau, normalised, confidence));
  const int64_t tiles = (height + kTile - 1) / kTile * ((width + kTile - 1) / kTile);
  state.require_shape("state", {2, kMoments + experts.size(1), m.kernels});
  target.require_shape("target", {tiles, m.channels, kTilePixels});
  if (weight) weight->require_shape("weight", {tiles, kTilePixels});
  check(block > 0 && kTile % block == 0 && height % block == 0 && width % block == 0,
        "block must divide 16, height and width");
  rates.require_shape("rates", {-1, 4});
  check(first_step >= 0, "first_step must not be negative");
  check(list_interval > 0, "list_interval must be positive");
  check(list_margin >= 0, "list_margin must not be negative");
  check(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "beta1 and beta2 must lie in [0, 1)");
  check(limits.size() == 5, "limits must be border, move, scale_min, scale_max, logit");
  const auto border = static_cast<float>(limits[0]);
  Tensor losses = empty<float>({rates.size(0)}), seconds = empty<float>({3});
  const cpu::FitSeconds spent =
      cpu::fit({geometry.mutable_data<float>("geometry"),
                experts.mutable_data<float>("experts"),
                state.mutable_data<float>("state"),
                m.kernels,
                m.channels,
                m.linear,
                height,
                width,
                target.data<float>("target"),
                weight ? weight->data<float>("weight") : nullptr,
                static_cast<int32_t>(block),
                rates.data<float>("rates"),
                first_step,
                rates.size(0),
                list_interval,
                static_cast<float>(list_margin),
                static_cast<float>(beta1),
                static_cast<float>(beta2),
                whitened,
                m.culling,
                {-border, static_cast<float>(height - 1) + border, -border, static_cast<float>(width - 1) + border,
                 static_cast<float>(limits[1]), static_cast<float>(limits[2]), static_cast<float>(limits[3]),
                 static_cast<float>(limits[4])}},
               losses.mutable_data<float>("losses"));
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
  Library::define("rsmoe")
      .def("render(Tensor geometry, Tensor experts, int height, int width, float tau, bool normalised, "
           "float confidence, bool linear) -> Tensor")
      .def("render_backward(Tensor grad, Tensor geometry, Tensor experts, float tau, bool normalised, "
           "float confidence, bool linear) -> (Tensor, Tensor)")
      .def("tile_lists(Tensor geometry, int height, int width, float tau, bool normalised, float confidence) "
           "-> (Tensor, Tensor)")
      .def(
          "fit_steps(Tensor(a!) geometry, Tensor(b!) experts, Tensor(c!) state, Tensor target, Tensor? weight, "
          "int block, Tensor rates, int height, int width, int first_step, float tau, bool normalised, float "
          "confidence, "
          "bool linear, bool whitened, int list_interval, float list_margin, float beta1, float beta2, float[] limits) "
          "-> (Tensor, Tensor)")
      .def("segment(Tensor image, float threshold) -> Tensor")
      .def("simd_level() -> str");
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
