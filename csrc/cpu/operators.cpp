// The operators torch.ops.rsmoe.* on the CPU.
// src/napari_rsmoe/engine/operators.py documents them for Python and adds autograd and fake kernels.
#include "operators.h"

#include <algorithm>

#include "cpu/lists.h"
#include "cpu/mixture.h"
#include "cpu/patches.h"
#include "cpu/segment.h"
#include "cpu/smooth.h"
#include "cpu/tile.h"
#include "schemas.h"
#include "threads.h"

namespace {

using namespace rsmoe;
using namespace rsmoe::torch_abi;

// Models are processed one after the other, as the tiles of one keep all threads busy.
class CpuEngine {
 public:
  CpuEngine(Device, bool /* there is nothing to wait for */) {}

  template <class T> Tensor empty(std::span<const int64_t> sizes) { return torch_abi::empty<T>(sizes); }

  void render(const Mixture& m, float* image) {
    for (int64_t i = 0; i < m.models; ++i) cpu::render(only(m, i), image + i * m.channels * m.height * m.width);
  }

  void render_backward(const Mixture& m, const float* grad_image, float* grad_geometry, float* grad_experts) {
    for (int64_t i = 0; i < m.models; ++i)
      cpu::render_backward(only(m, i), grad_image + i * m.channels * m.height * m.width,
                           grad_geometry + i * m.kernels * kGeometry,
                           grad_experts + i * m.kernels * expert_columns(m.channels, m.linear));
  }

  std::tuple<Tensor, Tensor> tile_lists(const Mixture& m) {
    const cpu::TileLists lists = cpu::build_lists(m, m.culling);
    Tensor start = torch_abi::empty<int64_t>({lists.tiles() + 1}), ids = torch_abi::empty<int32_t>({lists.pairs()});
    std::ranges::copy(lists.start, start.mutable_data<int64_t>("start"));
    std::ranges::copy(lists.ids, ids.mutable_data<int32_t>("ids"));
    return {std::move(start), std::move(ids)};
  }

  void fit(const FitSteps& steps, float* losses, float* seconds) {
    cpu::FitSeconds spent;
    for (int64_t i = 0; i < steps.models; ++i) {
      const cpu::FitSeconds more = cpu::fit(only(steps, i), losses + i * steps.steps);
      spent.lists += more.lists;
      spent.tiles += more.tiles;
      spent.optimiser += more.optimiser;
    }
    seconds[0] = static_cast<float>(spent.lists);
    seconds[1] = static_cast<float>(spent.tiles);
    seconds[2] = static_cast<float>(spent.optimiser);
  }

 private:
  static Mixture only(Mixture m, int64_t number) {
    m.geometry += number * m.kernels * kGeometry;
    m.experts += number * m.kernels * expert_columns(m.channels, m.linear);
    m.models = 1;
    return m;
  }

  static FitSteps only(FitSteps f, int64_t number) {
    const int64_t columns = expert_columns(f.channels, f.linear);
    const int64_t tiles = (f.height + kTile - 1) / kTile * ((f.width + kTile - 1) / kTile);
    f.geometry += number * f.kernels * kGeometry;
    f.experts += number * f.kernels * columns;
    f.state += number * 2 * (kMoments + columns) * f.kernels;
    f.target += number * tiles * f.channels * kTilePixels;
    if (f.weight) f.weight += number * tiles * kTilePixels;
    f.models = 1;
    return f;
  }
};

cpu::PatchFilter checked_patches(const Tensor& noisy, const Tensor& pilot, const Tensor& variance,
                                 const Tensor& correlation, int64_t stride, int64_t reach, int64_t fewest, int64_t most,
                                 double similar, double same, double negligible, bool steep) {
  const bool several = noisy.sizes().size() == 4;
  if (!several) noisy.require_shape("noisy", {-1, -1, -1});
  const int64_t planes = several ? noisy.size(0) : 1;
  const int64_t channels = noisy.size(several), height = noisy.size(several + 1), width = noisy.size(several + 2);
  pilot.require_shape("pilot", noisy.sizes());
  variance.require_shape("variance", noisy.sizes());
  correlation.require_shape("correlation", {channels, cpu::kPatchPixels, cpu::kPatchPixels});
  check(channels > 0, "an image needs at least one channel");
  check(planes >= 1 && planes <= 100, "planes must be from 1 to 100");
  check(height >= cpu::kPatchSide && width >= cpu::kPatchSide, "the image is smaller than a patch");
  check(stride >= 1 && stride <= cpu::kPatchSide, "stride must be from 1 to the side of a patch");
  check(reach >= 0 && reach <= 1000, "reach must be from 0 to 1000");
  check(fewest >= 1 && most >= fewest && most <= 100000, "1 <= fewest <= most <= 100000 must hold");
  check(similar >= 0, "similar must not be negative");
  check(negligible >= 0, "negligible must not be negative");
  return {noisy.data<float>("noisy"),
          pilot.data<float>("pilot"),
          variance.data<float>("variance"),
          correlation.data<float>("correlation"),
          height,
          width,
          static_cast<int32_t>(channels),
          static_cast<int32_t>(planes),
          static_cast<int32_t>(stride),
          static_cast<int32_t>(reach),
          static_cast<int32_t>(fewest),
          static_cast<int32_t>(most),
          static_cast<float>(similar),
          static_cast<float>(same),
          static_cast<float>(negligible),
          steep};
}

Tensor segment(const Tensor& image, double threshold) {
  image.require_shape("image", {-1, -1, -1});
  check(image.size(2) > 0, "an image needs at least one channel");  // An image without channels takes no memory, so its
                                                                    // size would have no bound.
  Tensor labels = empty<int32_t>({image.size(0), image.size(1)});
  cpu::segment_image(image.data<float>("image"), image.size(0), image.size(1), image.size(2), threshold,
                     labels.mutable_data<int32_t>("labels"));
  return labels;
}

template <class T> Tensor smooth_as(const Tensor& values, const Tensor& weights) {
  Tensor result = empty<T>({values.size(0), values.size(1), values.size(2)});
  cpu::smooth({values.data<T>("values"), result.mutable_data<T>("result"), std::is_same_v<T, double>, values.size(0),
               values.size(1), values.size(2), weights.data<double>("weights"), weights.size(0) - 1});
  return result;
}

Tensor smooth(const Tensor& values, const Tensor& weights) {
  values.require_shape("values", {-1, -1, -1});
  weights.require_shape("weights", {-1});
  check(values.size(0) > 0 && values.size(1) > 0 && values.size(2) > 0, "values must not be empty");
  check(weights.size(0) > 0 && weights.size(0) <= kMostSide, "there must be 1 to 16777216 weights");
  return values.holds<double>() ? smooth_as<double>(values, weights) : smooth_as<float>(values, weights);
}

std::tuple<Tensor, Tensor> filter_patches(const Tensor& noisy, const Tensor& pilot, const Tensor& variance,
                                          const Tensor& correlation, int64_t stride, int64_t reach, int64_t fewest,
                                          int64_t most, double similar, double same, double negligible, bool steep) {
  const cpu::PatchFilter filter = checked_patches(noisy, pilot, variance, correlation, stride, reach, fewest, most,
                                                  similar, same, negligible, steep);
  const std::vector<int64_t> sizes{filter.channels, filter.height, filter.width};
  Tensor estimate = empty<float>(sizes), leverage = empty<float>(sizes);
  cpu::filter_patches(filter, estimate.mutable_data<float>("estimate"), leverage.mutable_data<float>("leverage"));
  return {std::move(estimate), std::move(leverage)};
}

std::string simd_level() { return cpu::simd().name; }

void register_operators() {
  define_operators("rsmoe");
  Library library = Library::implement("rsmoe", "CPU");
  Operators<CpuEngine>::implement(library);
  library.impl<&segment>("segment").impl<&smooth>("smooth").impl<&filter_patches>("filter_patches");
  Library::implement("rsmoe", "CompositeExplicitAutograd")
      .impl<&simd_level>("simd_level")
      .impl<&leave_torch_alone>("leave_torch_alone")
      .impl<&watch>("watch");
}

}  // namespace

extern "C" const char* rsmoe_register_operators() { return register_once(&register_operators); }
