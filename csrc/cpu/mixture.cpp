#include "mixture.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "../threads.h"
#include "aligned.h"
#include "tile_jobs.h"

namespace rsmoe::cpu {
namespace {

// One workspace per thread, large enough for the longest list.
class Workspaces {
 public:
  Workspaces() : memory_(static_cast<size_t>(worker_count())) {}

  // Makes room for the longest of these lists.
  void fit(const Mixture& m, const TileLists& lists) {
    const int64_t floats = largest_workspace(m, lists);
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

}  // namespace rsmoe::cpu
