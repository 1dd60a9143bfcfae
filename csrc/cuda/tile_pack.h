// A tile's kernels, culled and packed into shared memory; part of tile.cu.
#pragma once
#include <type_traits>

#include "../common/culling.h"
#include "tile.h"
#include "warp.h"

namespace rsmoe::cuda {
namespace {

constexpr int kTileThreads = 128;
constexpr int kTileWarps = kTileThreads / kWarp;
constexpr int kTileBlocks = 3;        // blocks on a multiprocessor at least, which leaves 168 registers for each thread
constexpr int kChunk = kTileThreads;  // kernels packed at once, one by each thread
constexpr int kRows = kTilePixels / kWarp;        // pixels of a lane, in a column: lane, lane + 32, ...
constexpr int kOwn = kTilePixels / kTileThreads;  // pixels of a thread: thread, thread + 128
constexpr int kQuadrants = 4;
constexpr float kLeastR22 = 1e-30f;  // per pixel. Below it, moments along v do not determine those along y.
constexpr float kMinGateSum =
    1e-18f;  // Sum of gates. Below it the common reference underflows, and each pixel gets its own.

// What is needed to draw one kernel; position relative to the tile's first pixel, lengths such that the exponent of 2
// is top - u^2 - v^2.
struct alignas(16) PackedKernel {
  float y, x, r11, r12;
  float r22, top, per_r22;
  int32_t slot;          // of its pair
  float expert[kGroup];  // at its centre, less the tile's base colour
};
struct alignas(16) Slopes {
  float slope_y[kGroup], slope_x[kGroup];
};
struct Packed : PackedKernel {};
struct PackedLinear : PackedKernel, Slopes {};

// One tile, as a thread sees it.
struct Tile {
  int32_t number;  // among the tiles of all models
  int32_t model;
  float y0, x0;          // image position of the first pixel
  int32_t rows, cols;    // that lie in the image
  int32_t first, count;  // of its list
  bool normalised;       // whether gates sum to one; false if no kernel can be drawn
  float reference;       // s that is subtracted in the exponents of all gates
  float threshold[kQuadrants];
};

// A kernel relative to the tile; `absent_kernel` if it cannot be drawn, as lists may be older than the kernels.
__device__ Kernel kernel_in(const TileJobs& jobs, const Tile& tile, int32_t id) {
  Kernel k = load_kernel(jobs.mixture.geometry + int64_t{id} * kGeometry);
  k.y -= tile.y0;
  k.x -= tile.x0;
  const int32_t columns = expert_columns(jobs.mixture.channels, jobs.mixture.linear);
  const float* expert = jobs.mixture.experts + int64_t{id} * columns;
  return is_drawable(k, 2 * kMostCenter) && is_drawable_expert(expert, columns) ? k : absent_kernel();
}

__device__ BoundsOf<float> quadrant_bounds(const Kernel& k, int quadrant) {
  constexpr int half = kTile / 2;
  const auto y = static_cast<float>(quadrant / 2 * half), x = static_cast<float>(quadrant % 2 * half);
  return box_bounds(k, slope_along_x(k), slope_along_y(k), y, x, y + half - 1, x + half - 1);
}

// scratch: a place for each warp.
__device__ Tile find_tile(const TileJobs& jobs, float* scratch) {
  const auto number = static_cast<int32_t>(blockIdx.x);
  const auto tiles_x = static_cast<int32_t>(jobs.raster.boxes_x(kTile));
  const auto per_model = static_cast<int32_t>(jobs.raster.boxes_y(kTile)) * tiles_x;
  const int32_t place = number % per_model, y = place / tiles_x * kTile, x = place % tiles_x * kTile;
  Tile tile;
  tile.number = number;
  tile.model = number / per_model;
  tile.y0 = static_cast<float>(y);
  tile.x0 = static_cast<float>(x);
  tile.rows = kTile < jobs.raster.height - y ? kTile : static_cast<int32_t>(jobs.raster.height) - y;
  tile.cols = kTile < jobs.raster.width - x ? kTile : static_cast<int32_t>(jobs.raster.width) - x;
  tile.first = jobs.lists.start[number];
  tile.count = jobs.lists.start[number + 1] - tile.first;
  tile.normalised = jobs.mixture.culling.normalised && tile.count > 0;
  float low[kQuadrants], high = kAbsent;
  for (int q = 0; q < kQuadrants; ++q) low[q] = kAbsent;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < tile.count; i += kTileThreads) {
    const Kernel k = kernel_in(jobs, tile, jobs.lists.ids[tile.first + i]);
    for (int q = 0; q < kQuadrants; ++q) {
      const BoundsOf<float> bounds = quadrant_bounds(k, q);
      low[q] = larger(low[q], bounds.low);
      high = larger(high, bounds.high);
    }
  }
  high = block_max<kTileThreads>(high, scratch);
  tile.normalised = tile.normalised && high > kLowestThreshold;  // An empty tile draws 0.
  for (int q = 0; q < kQuadrants; ++q) {
    const float best = block_max<kTileThreads>(low[q], scratch);
    tile.threshold[q] = gate_threshold(tile.normalised ? best : 0.0f, jobs.tau);
  }
  tile.reference = tile.normalised ? high : 0.0f;
  return tile;
}

// Channels that are drawn at once, [first, first + count).
struct Channels {
  int32_t first, count;
  int32_t all, columns;  // of the mixture: channels, and what an expert has of them

  __device__ Channels(const Mixture& m, int32_t first, int32_t count)
      : first(first), count(count), all(m.channels), columns(expert_columns(m.channels, m.linear)) {}
};

// A base colour makes equal experts exact. It is 0 if the expert that it comes from cannot be drawn.
__device__ float base_colour(const TileJobs& jobs, const Tile& tile, const Channels& channels, int32_t c) {
  if (!tile.normalised) return 0.0f;
  const float colour =
      jobs.mixture.experts[int64_t{jobs.lists.ids[tile.first]} * channels.columns + channels.first + c];
  return absolute(colour) <= kMostExpert ? colour : 0.0f;
}

__device__ float* pair_of(const TileJobs& jobs, const Channels& channels, int32_t slot) {
  return jobs.pairs + int64_t{slot} * (kMoments + channels.columns);
}

// Sets the gradients of a pair to zero, whose kernel has no part in the tile.
__device__ void clear_pair(float* pair, const Channels& channels) {
  if (channels.first == 0)
    for (int c = 0; c < kMoments; ++c) pair[c] = 0.0f;
  for (int column = channels.first; column < channels.columns; column += channels.all)
    for (int c = 0; c < channels.count; ++c) pair[kMoments + column + c] = 0.0f;
}

// Packs the kernels of [begin, begin + kChunk) of the tile's list that matter to the tile, in order, with their ids.
// Returns their number. With `clears`, the pairs of the others are set to zero. All threads call it together.
template <class Packed>
__device__ int32_t pack(const TileJobs& jobs, const Tile& tile, const Channels& channels, int32_t begin, bool clears,
                        Packed* packed, int32_t* packed_ids, int32_t* kept) {
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const int32_t lane = thread % kWarp, warp = thread / kWarp, at = tile.first + begin + thread;
  const bool exists = begin + thread < tile.count;
  bool keep = false;
  int32_t id = 0;
  Kernel k{};
  if (exists) {
    id = jobs.lists.ids[at];
    k = kernel_in(jobs, tile, id);
    for (int q = 0; q < kQuadrants; ++q) keep |= quadrant_bounds(k, q).high >= tile.threshold[q];
  }
  const unsigned mask = __ballot_sync(kAllLanes, keep);
  if (lane == 0) kept[warp] = __popc(mask);
  __syncthreads();  // After it no thread reads the previous chunk either.
  int32_t before = 0, all = 0;
  for (int w = 0; w < kTileWarps; ++w) {
    if (w < warp) before += kept[w];
    all += kept[w];
  }
  if (keep) {
    const int32_t place = before + __popc(mask & ((1u << lane) - 1));
    Packed& p = packed[place];
    p.y = k.y;
    p.x = k.x;
    p.r11 = k.r11 * kRootHalfLog2E;
    p.r12 = k.r12 * kRootHalfLog2E;
    p.r22 = k.r22 * kRootHalfLog2E;
    p.per_r22 = absolute(p.r22) > kLeastR22 ? 1.0f / p.r22 : 0.0f;
    const float top = (k.logit - tile.reference) * kLog2E;
    p.top = tile.normalised ? top : smaller(top, kMostLog2Gate);
    p.slot = clears || jobs.lists.slots ? jobs.lists.slots[at] : 0;
    const float* expert = jobs.mixture.experts + int64_t{id} * channels.columns + channels.first;
    for (int c = 0; c < kGroup; ++c)
      p.expert[c] = c < channels.count ? expert[c] - base_colour(jobs, tile, channels, c) : 0.0f;
    if constexpr (std::is_same_v<Packed, PackedLinear>) {
      for (int c = 0; c < kGroup; ++c) {
        p.slope_y[c] = c < channels.count ? expert[channels.all + c] : 0.0f;
        p.slope_x[c] = c < channels.count ? expert[2 * channels.all + c] : 0.0f;
      }
    }
    packed_ids[place] = id;
  } else if (clears && exists) {
    clear_pair(pair_of(jobs, channels, jobs.lists.slots[at]), channels);
  }
  __syncthreads();
  return all;
}

}  // namespace
}  // namespace rsmoe::cuda
