// Checks of the operators' arguments, which are the same on every device.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <limits>

#include "common/mixture.h"
#include "torch_abi.h"

namespace rsmoe {

constexpr int64_t kMostChannels = 1 << 16;

inline Culling checked_culling(double tau, bool normalised, double confidence) {
  torch_abi::check(tau > 0, "tau must be positive");
  torch_abi::check(confidence >= 0, "confidence must not be negative");
  return {static_cast<float>(tau), normalised, static_cast<float>(confidence)};
}

// Largest number of tiles of a raster, which are 4 billion pixels. More would take tens of gigabytes for the image
// alone, and minutes for the lists.
constexpr int64_t kMostTiles = 1 << 24;

// Throws unless a raster can be drawn: both sides positive and within float32's whole numbers, and few enough tiles, of
// all models together to be numbered by int32. Everything that is computed from the sides afterwards fits into int64.
inline void check_raster(int64_t height, int64_t width, int32_t models = 1) {
  torch_abi::check(height > 0 && width > 0, "height and width must be positive");
  torch_abi::check(height <= kMostSide && width <= kMostSide, "height and width must be at most 16777216");
  const int64_t tiles = (height + kTile - 1) / kTile * ((width + kTile - 1) / kTile);
  torch_abi::check(tiles <= std::min<int64_t>(kMostTiles, std::numeric_limits<int32_t>::max() / models),
                   "height times width is too large; it may be 2^32 pixels at most");
}

// One model, or several: the tensors of several models have an additional first dimension.
class Batch {
 public:
  explicit Batch(const torch_abi::Tensor& geometry) {
    if (geometry.dim() == 3) models_ = geometry.size(0);
    geometry.require_shape("geometry", shape({-1, kGeometry}));
    torch_abi::check(models_ != 0, "a batch needs at least one model");
    torch_abi::check(models() <= std::numeric_limits<int32_t>::max(), "too many models");
    kernels_ = geometry.size(geometry.dim() - 2);
    torch_abi::check(kernels_ > 0, "a mixture needs at least one kernel");
    torch_abi::check(kernels_ <= std::numeric_limits<int32_t>::max() / models() / 64, "too many kernels");
  }

  int32_t models() const { return static_cast<int32_t>(std::abs(models_)); }
  int64_t kernels() const { return kernels_; }

  // The shape for all models of a tensor that has these sizes for one.
  std::vector<int64_t> shape(std::initializer_list<int64_t> sizes) const {
    std::vector<int64_t> all(sizes);
    if (models_ >= 0) all.insert(all.begin(), models_);
    return all;
  }

 private:
  int64_t models_ = -1;  // -1: a single model, whose tensors have no dimension for models
  int64_t kernels_ = 0;
};

inline Mixture checked_mixture(const torch_abi::Tensor& geometry, const torch_abi::Tensor& experts, bool linear,
                               int64_t height, int64_t width, const Culling& culling) {
  const Batch batch(geometry);
  experts.require_shape("experts", batch.shape({batch.kernels(), -1}));
  experts.require_device("experts", geometry.device());
  check_raster(height, width, batch.models());
  const int64_t columns = experts.size(experts.dim() - 1);
  torch_abi::check(!linear || columns % 3 == 0, "linear experts need three columns for each channel");
  const int64_t channels = linear ? columns / 3 : columns;
  torch_abi::check(channels > 0, "experts need at least one channel");
  torch_abi::check(channels <= kMostChannels, "experts have too many channels");
  return {geometry.data<float>("geometry"),
          experts.data<float>("experts"),
          batch.kernels(),
          static_cast<int32_t>(channels),
          linear,
          height,
          width,
          culling,
          batch.models()};
}

// Checks a gradient of the image, (channels, height, width).
inline Mixture checked_mixture(const torch_abi::Tensor& grad, const torch_abi::Tensor& geometry,
                               const torch_abi::Tensor& experts, bool linear, const Culling& culling) {
  const Batch batch(geometry);
  grad.require_shape("grad", batch.shape({-1, -1, -1}));
  grad.require_device("grad", geometry.device());
  const int64_t dim = grad.dim();
  const Mixture m = checked_mixture(geometry, experts, linear, grad.size(dim - 2), grad.size(dim - 1), culling);
  grad.require_shape("grad", batch.shape({m.channels, m.height, m.width}));
  return m;
}

inline FitSteps checked_fit(const torch_abi::Tensor& geometry, const torch_abi::Tensor& experts,
                            const torch_abi::Tensor& state, const torch_abi::Tensor& target,
                            const std::optional<torch_abi::Tensor>& weight, int64_t block,
                            const torch_abi::Tensor& rates, int64_t height, int64_t width, int64_t first_step,
                            const Culling& culling, bool linear, bool whitened, int64_t list_interval,
                            double list_margin, double beta1, double beta2, const std::vector<double>& limits) {
  using torch_abi::check;
  const Batch batch(geometry);
  const Mixture m = checked_mixture(geometry, experts, linear, height, width, culling);
  const int64_t tiles = (height + kTile - 1) / kTile * ((width + kTile - 1) / kTile);
  const torch_abi::Device device = geometry.device();
  state.require_shape("state", batch.shape({2, kMoments + expert_columns(m.channels, linear), m.kernels}));
  state.require_device("state", device);
  target.require_shape("target", batch.shape({tiles, m.channels, kTilePixels}));
  target.require_device("target", device);
  if (weight) {
    weight->require_shape("weight", batch.shape({tiles, kTilePixels}));
    weight->require_device("weight", device);
  }
  check(block > 0 && kTile % block == 0 && height % block == 0 && width % block == 0,
        "block must divide 16, height and width");
  rates.require_shape("rates", {-1, 4});
  check(rates.device().is_cpu(), "rates must be on the CPU, whatever the device of the rest");
  constexpr int64_t kMostSteps = int64_t{1} << 53;  // Up to this number float64 holds every whole number.
  check(first_step >= 0 && first_step <= kMostSteps - rates.size(0), "first_step must be from 0 to 2^53");
  check(list_interval > 0, "list_interval must be positive");
  check(list_margin >= 0, "list_margin must not be negative");
  check(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "beta1 and beta2 must lie in [0, 1)");
  check(limits.size() == 5, "limits must be border, move, scale_min, scale_max, logit");
  const auto border = static_cast<float>(limits[0]);
  return {geometry.mutable_data<float>("geometry"),
          experts.mutable_data<float>("experts"),
          state.mutable_data<float>("state"),
          m.kernels,
          m.channels,
          linear,
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
          culling,
          {-border, static_cast<float>(height - 1) + border, -border, static_cast<float>(width - 1) + border,
           static_cast<float>(limits[1]), static_cast<float>(limits[2]), static_cast<float>(limits[3]),
           static_cast<float>(limits[4])},
          m.models};
}

}  // namespace rsmoe
