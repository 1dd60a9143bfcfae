// Scratch memory of one tile; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "guards.h"
#include "simd.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

// A tile is divided into blocks, each of which has a list of kernels of its own. Smaller blocks evaluate fewer kernels
// at each pixel, but take more time for the lists.
constexpr int kBlockRows = 4, kBlockColumns = 8;
constexpr int kBlockPixels = kBlockRows * kBlockColumns;
constexpr int kBands = kTile / kBlockRows;      // blocks one below the other
constexpr int kHalves = kTile / kBlockColumns;  // blocks side by side
constexpr int kBlocks = kHalves * kBands;       // block `band` of half `half` is number half kBands + band
constexpr int kBlockVectors = kBlockPixels / kLanes;
constexpr int kHeld = 1024;  // Blocks of gates held at once: 128 KiB, which the level-2 cache holds.
constexpr int kGroup = 4;    // channels summed in registers at once
constexpr float kMinGateSum =
    1e-18f;  // Sum of gates. Below it the common reference underflows, and each pixel gets its own.

// The planes of a tile hold its blocks one behind the other. A vector covers kVectorRows rows of a block, and kDown
// vectors cover the rows of a block from top to bottom. Lane l holds row l % kVectorRows and column l / kVectorRows of
// the vector, so that a value for each row is broadcast by one load.
constexpr int kVectorRows = kLanes > kBlockColumns ? kLanes / kBlockColumns : 1;
constexpr int kDown = kBlockRows / kVectorRows;
constexpr int kAcross = kBlockVectors / kDown;  // vectors side by side in a block

constexpr int vector_row(int at) {
  return at / kBlockPixels % kBands * kBlockRows + at % kBlockPixels / kLanes % kDown * kVectorRows;
}
constexpr int vector_column(int at) {
  return at / kBlockPixels / kBands * kBlockColumns + at % kBlockPixels / kLanes / kDown * (kLanes / kVectorRows);
}
// Row and column, within the tile, of the value at position `at` of a plane.
constexpr int row_of(int at) { return vector_row(at) + at % kLanes % kVectorRows; }
constexpr int column_of(int at) { return vector_column(at) + at % kLanes / kVectorRows; }

// Row and column of each lane within a vector.
inline Vec lane_row() {
  Vec v;
  for (int i = 0; i < kLanes; ++i) v[i] = static_cast<float>(i % kVectorRows);
  return v;
}
inline Vec lane_column() {
  Vec v;
  for (int i = 0; i < kLanes; ++i) v[i] = static_cast<float>(i / kVectorRows);
  return v;
}

// Gives each lane the value of its row, of kVectorRows values.
inline Vec by_row(const float* values) {
#if defined(__AVX512F__)
  double pair;
  memcpy(&pair, values, sizeof pair);
  return reinterpret_cast<Vec>(_mm512_set1_pd(pair));
#else
  return splat(*values);
#endif
}

// Loads the pixels of a vector from an image whose rows lie `pitch` floats apart, and stores them.
typedef float BlockRow __attribute__((vector_size(kBlockColumns * sizeof(float))));
inline Vec load_rows(const float* image, int64_t pitch) {
#if defined(__AVX512F__)
  BlockRow upper, lower;
  memcpy(&upper, image, sizeof upper);
  memcpy(&lower, image + pitch, sizeof lower);
  return __builtin_shufflevector(upper, lower, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  (void)pitch;
  return load_some(image, kLanes);
#endif
}
inline void store_rows(float* image, int64_t pitch, Vec v) {
#if defined(__AVX512F__)
  const BlockRow upper = __builtin_shufflevector(v, v, 0, 2, 4, 6, 8, 10, 12, 14);
  const BlockRow lower = __builtin_shufflevector(v, v, 1, 3, 5, 7, 9, 11, 13, 15);
  memcpy(image, &upper, sizeof upper);
  memcpy(image + pitch, &lower, sizeof lower);
#else
  (void)pitch;
  store_some(image, v, kLanes);
#endif
}

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
  int32_t* active;         // [capacity + a vector] kernels that matter to a block, by their position in the job's list
  int32_t* first_band;     // [kHalves, capacity] of the blocks of each half that matter to a kernel
  int32_t* bands;          // [kHalves, capacity] how many, one below the other
  int32_t* block_count;    // [kBlocks]
  int32_t* block_kernels;  // [kBlocks, capacity + a vector] kernels of each block, ascending
  float* columns;          // [kColumns, capacity]
  float* highest;          // [kBlocks, capacity] largest s of each kernel in each block
  float* records;          // [capacity, record_stride]
  float* base;             // [channels]
  float* gates;            // [min(capacity kBlocks, kHeld), 32] relative to a common or a per-pixel reference
  float* dot;              // [256] residual . value
  float* partial;          // [256] dLoss/ds of one kernel between channel groups
  float* peak;             // [512] per-pixel largest s as doubles, used with a per-pixel reference
  float* gate_sum;         // [256]
  float* inverse;          // [256]
  float* value;            // [channels, 256]
  float* residual;         // [channels, 256]
  float* rows;             // [channels, 256] values or residuals row by row, unlike the planes above

  const float* record(int64_t kernel) const { return records + kernel * record_stride; }
  const int32_t* kernels_of(int block) const { return block_kernels + block * (capacity + kLanes); }
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
  w->first_band = take_integers(kHalves * capacity);
  w->bands = take_integers(kHalves * capacity);
  w->block_count = take_integers(kBlocks);
  w->block_kernels = take_integers(kBlocks * (capacity + kLanes));
  w->columns = take(kColumns * capacity);
  w->highest = take(kBlocks * capacity);
  w->records = take(w->record_stride * capacity);
  w->base = take(channels);
  w->gates = take((kBlocks * capacity < kHeld ? kBlocks * capacity : kHeld) * kBlockPixels);
  w->dot = take(kTilePixels);
  w->partial = take(kTilePixels);
  w->peak = take(2 * kTilePixels);
  w->gate_sum = take(kTilePixels);
  w->inverse = take(kTilePixels);
  w->value = take(static_cast<int64_t>(channels) * kTilePixels);
  w->residual = take(static_cast<int64_t>(channels) * kTilePixels);
  w->rows = take(static_cast<int64_t>(channels) * kTilePixels);
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

float* rows(const TileJob& job, float* memory) { return workspace_at(job, memory).rows; }

// Active kernels whose gates are held at once, block by block.
struct Chunk {
  int32_t begin, end;
  int32_t from[kBlocks], to[kBlocks];  // their part of each block's list

  // Where the gates of each block begin.
  void gates(const Workspace& w, float** out) const {
    float* next = w.gates;
    for (int b = 0; b < kBlocks; ++b) {
      out[b] = next;
      next += (to[b] - from[b]) * kBlockPixels;
    }
  }
};

// Calls body(block) for the blocks that matter to a kernel.
template <class Body> void for_blocks_of(const Workspace& w, int64_t kernel, Body&& body) {
  for (int half = 0; half < kHalves; ++half) {
    const int first = half * kBands + w.first_band[half * w.capacity + kernel];
    const int end = first + w.bands[half * w.capacity + kernel];
    for (int block = first; block < end; ++block) body(block);
  }
}

// Whether the gates of all kernels are held at once.
bool all_held(const Workspace& w) {
  int32_t blocks = 0;
  for (int b = 0; b < kBlocks; ++b) blocks += w.block_count[b];
  return blocks <= kHeld;
}

// Calls body(chunk) for the active kernels in turn.
template <class Body> void for_chunks(const Workspace& w, Body&& body) {
  const int32_t n = *w.active_count;
  Chunk chunk{};
  if (all_held(w)) {
    chunk.end = n;
    memcpy(chunk.to, w.block_count, sizeof chunk.to);
    if (n > 0) body(chunk);
    return;
  }
  while (chunk.end < n) {
    chunk.begin = chunk.end;
    chunk.end = chunk.begin + kHeld / kBlocks < n ? chunk.begin + kHeld / kBlocks : n;
    for (int b = 0; b < kBlocks; ++b) {
      int32_t& to = chunk.to[b];
      chunk.from[b] = to;
      while (to < w.block_count[b] && w.kernels_of(b)[to] <= w.active[chunk.end - 1]) ++to;
    }
    body(chunk);
  }
}

}  // namespace
}  // namespace rsmoe::cpu
