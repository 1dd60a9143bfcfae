// Scratch memory of one tile; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "simd.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

constexpr int kVectors = kTilePixels / kLanes;  // vectors of a plane
constexpr int kRowVectors = kTile / kLanes;     // vectors of a row
constexpr int kChunk = 64;                      // kernels whose gates are held at once: 64 KiB, level-2 cache
constexpr int kGroup = 4;                       // channels summed in registers at once
constexpr int kBlock = kLanes == 16 ? 4 : 2;    // vectors whose sums are held in registers at once
constexpr float kMinGateSum = 1e-18f;           // below this the common reference fails: use one per pixel

// Columns of the culled kernels. Positions are relative to the tile's first pixel.
enum Column { kColY, kColX, kColR11, kColR12, kColR22, kColLogit, kColSlopeX, kColSlopeY, kColumns };

struct Workspace {
  int64_t capacity;  // kernels, rounded up to a vector
  int32_t channels, expert_columns;
  int32_t* active_count;
  int32_t* positions;  // [capacity] position in the job's list of each active kernel
  float* columns;      // [kColumns, capacity]
  float* bounds;       // [8, capacity] low and high of the four quadrants
  float* experts;      // [capacity, expert_columns] less the tile's base colour, at the tile's first pixel
  float* base;         // [channels]
  float* gates;        // [min(capacity, kChunk), 256] relative to a common or a per-pixel reference
  float* dot;          // [256] residual . value
  float* partial;      // [256] dLoss/ds of one kernel between channel groups
  float* peak;         // [512] per-pixel largest s as doubles, used with a per-pixel reference
  float* gate_sum;     // [256]
  float* inverse;      // [256]
  float* value;        // [channels, 256]
  float* residual;     // [channels, 256]
};

constexpr int64_t round_up(int64_t n) { return (n + 15) / 16 * 16; }

int64_t lay_out(float* memory, const TileJob& job, Workspace* w) {
  const int64_t capacity = round_up(job.count > 0 ? job.count : 1);
  const int32_t channels = job.channels;
  int64_t floats = 0;
  auto take = [&](int64_t n) {
    float* here = memory ? memory + floats : nullptr;
    floats += round_up(n);
    return here;
  };
  w->capacity = capacity;
  w->channels = channels;
  w->expert_columns = job.expert_columns();
  w->active_count = reinterpret_cast<int32_t*>(take(16));
  w->positions = reinterpret_cast<int32_t*>(take(capacity));
  w->columns = take(kColumns * capacity);
  w->bounds = take(8 * capacity);
  w->experts = take(capacity * w->expert_columns);
  w->base = take(channels);
  w->gates = take((capacity < kChunk ? capacity : kChunk) * kTilePixels);
  w->dot = take(kTilePixels);
  w->partial = take(kTilePixels);
  w->peak = take(2 * kTilePixels);
  w->gate_sum = take(kTilePixels);
  w->inverse = take(kTilePixels);
  w->value = take(static_cast<int64_t>(channels) * kTilePixels);
  w->residual = take(static_cast<int64_t>(channels) * kTilePixels);
  return floats;
}

int64_t workspace_floats(const TileJob& job) {
  Workspace w;
  return lay_out(nullptr, job, &w);
}

Workspace workspace_at(const TileJob& job, float* memory) {
  Workspace w;
  lay_out(memory, job, &w);
  return w;
}

TileView view(const TileJob& job, float* memory) {
  const Workspace w = workspace_at(job, memory);
  return {w.value, w.residual};
}

}  // namespace
}  // namespace rsmoe::cpu
