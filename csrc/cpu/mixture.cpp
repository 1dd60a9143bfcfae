#include "mixture.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "../threads.h"
#include "aligned.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

// Pairs of a tile and a kernel. From this number on several threads work; below it one thread does, because waking a
// thread costs about 10 us and this many pairs take about 40 us.
constexpr int64_t kPairsWorthThreads = 512;

// One workspace per thread, large enough for the longest list.
class Workspaces {
 public:
  Workspaces() : memory_(static_cast<size_t>(worker_count())) {}

  // Makes room for the longest of these lists.
  void fit(const Mixture& m, const TileLists& lists) {
    TileJob largest{};
    largest.count = lists.longest();
    largest.channels = m.channels;
    largest.linear = m.linear;
    const int64_t floats = simd().workspace(largest);
    for (AlignedFloats& m : memory_) m.reserve(floats);
  }
  // Calls body(tile, memory) for every tile of these lists.
  template <class Body> void for_each_tile(const TileLists& lists, Body&& body) {
    const bool alone = lists.pairs() < kPairsWorthThreads;
    for_each_task(
        lists.tiles(), [&](int64_t tile, int64_t worker) { body(tile, memory_[static_cast<size_t>(worker)].data()); },
        alone ? 1 : static_cast<int64_t>(memory_.size()));
  }

 private:
  std::vector<AlignedFloats> memory_;
};

class Stopwatch {
 public:
  // Seconds since the last call, or since the beginning.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - std::exchange(last_, now);
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

TileJob tile_job(const Mixture& m, const TileLists& lists, int64_t tile, float tau) {
  const int64_t y = tile / lists.tiles_x * kTile, x = tile % lists.tiles_x * kTile;
  return {m.geometry,
          m.experts,
          lists.ids.data() + lists.start[tile],
          lists.count(tile),
          m.channels,
          static_cast<float>(y),
          static_cast<float>(x),
          static_cast<int32_t>(std::min<int64_t>(kTile, m.height - y)),
          static_cast<int32_t>(std::min<int64_t>(kTile, m.width - x)),
          tau,
          m.culling.normalised,
          m.linear};
}

// The paper's selection is final; gate culling goes on within the tile.
float tile_tau(const Culling& culling) {
  return culling.confidence > 0 ? std::numeric_limits<float>::infinity() : culling.tau;
}

// Calls copy(plane, image, floats) for every row of the tile that lies in the image.
template <class Copy> void for_rows(const Mixture& m, const TileJob& job, Copy&& copy) {
  const auto y0 = static_cast<int64_t>(job.y0), x0 = static_cast<int64_t>(job.x0);
  for (int32_t c = 0; c < m.channels; ++c)
    for (int32_t r = 0; r < job.rows; ++r)
      copy(int64_t{c} * kTilePixels + r * kTile, (c * m.height + y0 + r) * m.width + x0, static_cast<size_t>(job.cols));
}

}  // namespace

void render(const Mixture& m, float* image) {
  const TileLists lists = build_lists(m, m.culling);
  Workspaces workspaces;
  workspaces.fit(m, lists);
  workspaces.for_each_tile(lists, [&](int64_t tile, float* memory) {
    const TileJob job = tile_job(m, lists, tile, tile_tau(m.culling));
    simd().forward(job, memory);
    simd().values_to_rows(job, memory);
    const float* value = simd().rows(job, memory);
    for_rows(m, job,
             [&](int64_t plane, int64_t at, size_t n) { std::memcpy(image + at, value + plane, n * sizeof(float)); });
  });
}

void render_backward(const Mixture& m, const float* grad_image, float* grad_geometry, float* grad_experts) {
  const TileLists lists = build_lists(m, m.culling);
  const KernelPairs of_kernel = invert(lists, m.kernels);
  const int32_t expert_columns = m.linear ? 3 * m.channels : m.channels, columns = kMoments + expert_columns;
  std::vector<float> pairs(static_cast<size_t>(lists.pairs() * columns));
  Workspaces workspaces;
  workspaces.fit(m, lists);
  workspaces.for_each_tile(lists, [&](int64_t tile, float* memory) {
    const TileJob job = tile_job(m, lists, tile, tile_tau(m.culling));
    simd().forward(job, memory);
    float* residual = simd().rows(job, memory);
    std::fill_n(residual, int64_t{m.channels} * kTilePixels, 0.0f);
    for_rows(m, job, [&](int64_t plane, int64_t at, size_t n) {
      std::memcpy(residual + plane, grad_image + at, n * sizeof(float));
    });
    simd().residual_from_rows(job, memory);
    simd().backward(job, memory, pairs.data() + lists.start[tile] * columns);
  });
  for_each_piece(m.kernels, 256, [&](int64_t begin, int64_t end) {
    std::vector<float> sums(static_cast<size_t>(columns));
    for (int64_t j = begin; j < end; ++j) {
      if (of_kernel.start[j] ==
          of_kernel.start[j + 1]) {  // The numbers of a kernel that no tile lists need not be finite.
        std::fill_n(grad_geometry + j * kGeometry, kGeometry, 0.0f);
        std::fill_n(grad_experts + j * expert_columns, expert_columns, 0.0f);
        continue;
      }
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (int64_t p = of_kernel.start[j]; p < of_kernel.start[j + 1]; ++p)
        for (int32_t c = 0; c < columns; ++c) sums[c] += pairs[int64_t{of_kernel.pairs[p]} * columns + c];
      const float* k = m.geometry + j * kGeometry;
      Kernel g = gradient(load_kernel(k), Moments{sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]});
      const float *expert = m.experts + j * expert_columns, *by_value = sums.data() + kMoments;
      for (int32_t c = 0; m.linear && c < m.channels; ++c) hang_plane(g, expert + c, m.channels, by_value[c]);
      store_kernel(grad_geometry + j * kGeometry, g);
      std::copy_n(by_value, expert_columns, grad_experts + j * expert_columns);
    }
  });
}

FitSeconds fit(const FitSteps& f, float* losses) {
  FitSeconds seconds;
  Stopwatch watch;
  const Mixture m{f.geometry, f.experts, f.kernels, f.channels, f.linear, f.height, f.width, f.culling};
  const int32_t columns = kMoments + (f.linear ? 3 * f.channels : f.channels);
  Culling with_margin = f.culling;
  with_margin.tau += f.list_margin;
  TileLists lists;
  KernelPairs of_kernel;
  AlignedFloats pairs;
  Workspaces workspaces;
  std::vector<float> tile_loss;
  for (int64_t i = 0; i < f.steps; ++i) {
    if (i % f.list_interval == 0) {
      lists = build_lists(m, with_margin);
      of_kernel = invert(lists, f.kernels);
      pairs.reserve(lists.pairs() * columns + kPairPadding);
      workspaces.fit(m, lists);
      tile_loss.resize(static_cast<size_t>(lists.tiles()));
      seconds.lists += watch.lap();
    }
    workspaces.for_each_tile(lists, [&](int64_t tile, float* memory) {
      const TileJob job = tile_job(m, lists, tile, tile_tau(f.culling));
      simd().forward(job, memory);
      tile_loss[tile] = simd().residual_from_target(job, memory, f.target + tile * f.channels * kTilePixels,
                                                    f.weight ? f.weight + tile * kTilePixels : nullptr, f.block);
      simd().backward(job, memory, pairs.data() + lists.start[tile] * columns);
    });
    double loss = 0;
    for (const float part : tile_loss) loss += part;
    losses[i] = static_cast<float>(loss);
    seconds.tiles += watch.lap();
    const auto step = static_cast<double>(f.first_step + i + 1);
    const float* rate = f.rates + 4 * i;
    const AdamStep adam{f.geometry,
                        f.experts,
                        f.state,
                        f.kernels,
                        f.channels,
                        f.linear,
                        pairs.data(),
                        of_kernel.start.data(),
                        of_kernel.pairs.data(),
                        f.whitened,
                        {rate[0], rate[1], rate[2], rate[3]},
                        {f.beta1, f.beta2, static_cast<float>(1 / (1 - std::pow(f.beta1, step))),
                         static_cast<float>(1 / (1 - std::pow(f.beta2, step)))},
                        f.limits};
    for_each_piece(f.kernels, 512, [&](int64_t begin, int64_t end) { simd().adam(adam, begin, end); });
    seconds.optimiser += watch.lap();
  }
  return seconds;
}

}  // namespace rsmoe::cpu
