// The tiles of a mixture as jobs of the tile kernels.
#pragma once
#include <algorithm>
#include <limits>

#include "lists.h"
#include "tile.h"

namespace rsmoe::cpu {

// Pairs of a tile and a kernel. From this number on several threads work; below it one thread does, because waking a
// thread costs about 10 us and this many pairs take about 40 us.
constexpr int64_t kPairsWorthThreads = 512;

inline TileJob tile_job(const Mixture& m, const TileLists& lists, int64_t tile, float tau) {
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
inline float tile_tau(const Culling& culling) {
  return culling.confidence > 0 ? std::numeric_limits<float>::infinity() : culling.tau;
}

// Floats of the workspace that suffices for every tile of these lists.
inline int64_t largest_workspace(const Mixture& m, const TileLists& lists) {
  TileJob largest{};
  largest.count = lists.longest();
  largest.channels = m.channels;
  largest.linear = m.linear;
  return simd().workspace(largest);
}

}  // namespace rsmoe::cpu
