// Scratch memory of one tile; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "guards.h"
#include "simd.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

constexpr int kRowVectors = kTile / kLanes;            // vectors of a row
constexpr int kStrips = 4;                             // of rows; each has a list of kernels of its own
constexpr int kStripRows = kTile / kStrips;            // rows of a strip
constexpr int kStripPixels = kStripRows * kTile;       // pixels of a strip
constexpr int kHeld = 512;                             // strips of gates held at once: 128 KiB, level-2 cache
constexpr int kGroup = 4;                              // channels summed in registers at once
constexpr int kBlock = kLanes == 16 ? kStripRows : 2;  // rows whose sums are held in registers at once
constexpr float kMinGateSum =
    1e-18f;  // Sum of gates. Below it the common reference underflows, and each pixel gets its own.

// Columns of the culled kernels. Positions are relative to the tile's first pixel.
enum Column { kColY, kColX, kColR11, kColR12, kColR22, kColLogit, kColSlopeX, kColSlopeY, kColumns };

// The floats of a record: what the gates of a kernel need, and its expert.
enum Record {
  kRecordRow = 0,                // [16] exponent of 2 less u^2, per row
  kRecordShear = kTile,          // [16] part of u that rows add
  kRecordScale = 2 * kTile,      // u grows by this from pixel to pixel of a row
  kRecordX = 2 * kTile + 1,      // less the centre's x
  kRecordExpert = 2 * kTile + 2  // [expert_columns] less the tile's base colour, at the tile's first pixel
};

struct Workspace {
  int64_t capacity;  // kernels, rounded up to a vector
  int32_t channels, expert_columns;
  int64_t record_stride;
  int32_t* active_count;
  int32_t* active;         // [capacity + a vector] kernels that matter to a strip, by their position in the job's list
  int32_t* first_strip;    // [capacity] of those that matter to each kernel
  int32_t* strips;         // [capacity] how many
  int32_t* strip_count;    // [kStrips]
  int32_t* strip_kernels;  // [kStrips, capacity + a vector] kernels of each strip, ascending
  float* columns;          // [kColumns, capacity]
  float* bounds;           // [2 kStrips, capacity] low and high of each strip
  float* records;          // [capacity, record_stride]
  float* base;             // [channels]
  float* gates;            // [min(capacity kStrips, kHeld), 64] relative to a common or a per-pixel reference
  float* dot;              // [256] residual . value
  float* partial;          // [256] dLoss/ds of one kernel between channel groups
  float* peak;             // [512] per-pixel largest s as doubles, used with a per-pixel reference
  float* gate_sum;         // [256]
  float* inverse;          // [256]
  float* value;            // [channels, 256]
  float* residual;         // [channels, 256]

  const float* record(int64_t kernel) const { return records + kernel * record_stride; }
  const int32_t* kernels_of(int strip) const { return strip_kernels + strip * (capacity + kLanes); }
};

constexpr int64_t round_up(int64_t n) { return (n + 15) / 16 * 16; }

int64_t lay_out(float* memory, const TileJob& job, Workspace* w) {
  const int64_t capacity = round_up(job.count > 0 ? job.count : 1);
  const int32_t channels = job.channels;
  Arrays arrays(memory);
  auto take = [&](int64_t n) { return arrays.take(n); };
  w->capacity = capacity;
  w->channels = channels;
  w->expert_columns = job.expert_columns();
  w->record_stride = round_up(kRecordExpert + w->expert_columns);
  auto take_integers = [&](int64_t n) { return reinterpret_cast<int32_t*>(take(n)); };
  w->active_count = take_integers(16);
  w->active = take_integers(capacity + kLanes);
  w->first_strip = take_integers(capacity);
  w->strips = take_integers(capacity);
  w->strip_count = take_integers(kStrips);
  w->strip_kernels = take_integers(kStrips * (capacity + kLanes));
  w->columns = take(kColumns * capacity);
  w->bounds = take(2 * kStrips * capacity);
  w->records = take(w->record_stride * capacity);
  w->base = take(channels);
  w->gates = take((kStrips * capacity < kHeld ? kStrips * capacity : kHeld) * kStripPixels);
  w->dot = take(kTilePixels);
  w->partial = take(kTilePixels);
  w->peak = take(2 * kTilePixels);
  w->gate_sum = take(kTilePixels);
  w->inverse = take(kTilePixels);
  w->value = take(static_cast<int64_t>(channels) * kTilePixels);
  w->residual = take(static_cast<int64_t>(channels) * kTilePixels);
  return arrays.taken();
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

// Active kernels whose gates are held at once, strip by strip.
struct Chunk {
  int32_t begin, end;
  int32_t from[kStrips], to[kStrips];  // their part of each strip's list

  // Where the gates of each strip begin.
  void gates(const Workspace& w, float** out) const {
    float* next = w.gates;
    for (int q = 0; q < kStrips; ++q) {
      out[q] = next;
      next += (to[q] - from[q]) * kStripPixels;
    }
  }
};

// Whether the gates of all kernels are held at once.
bool all_held(const Workspace& w) {
  int32_t strips = 0;
  for (int q = 0; q < kStrips; ++q) strips += w.strip_count[q];
  return strips <= kHeld;
}

// Calls body(chunk) for the active kernels in turn.
template <class Body> void for_chunks(const Workspace& w, Body&& body) {
  const int32_t n = *w.active_count;
  Chunk chunk{};
  if (all_held(w)) {
    chunk.end = n;
    memcpy(chunk.to, w.strip_count, sizeof chunk.to);
    if (n > 0) body(chunk);
    return;
  }
  while (chunk.end < n) {
    chunk.begin = chunk.end;
    chunk.end = chunk.begin + kHeld / kStrips < n ? chunk.begin + kHeld / kStrips : n;
    for (int q = 0; q < kStrips; ++q) {
      int32_t& to = chunk.to[q];
      chunk.from[q] = to;
      while (to < w.strip_count[q] && w.kernels_of(q)[to] <= w.active[chunk.end - 1]) ++to;
    }
    body(chunk);
  }
}

}  // namespace
}  // namespace rsmoe::cpu
