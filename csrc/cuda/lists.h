// The lists of kernels that matter to each tile, as in csrc/cpu/lists.h, built on the device without the host.
//
// Several models of the same image can be handled at once: kernels and tiles of model m then stand behind those of
// model m - 1. All lists have a fixed capacity; if it does not suffice, `overflow` stops all that follows.
#pragma once
#include "../common/mixture.h"
#include "runtime.h"

namespace rsmoe::cuda {

// Written on the device, read by the host when everything is done.
struct Status {
  int64_t needed;    // pairs that the longest list would have taken, if more than the capacity
  int64_t steps;     // of a fit, done so far
  int32_t overflow;  // 1: a list was too long for the capacity, and everything after it was skipped
};

struct Raster {
  int64_t height, width;
  int32_t models;

  __host__ __device__ int64_t boxes_y(int64_t side) const { return (height + side - 1) / side; }
  __host__ __device__ int64_t boxes_x(int64_t side) const { return (width + side - 1) / side; }
  __host__ __device__ int64_t boxes(int64_t side) const { return models * boxes_y(side) * boxes_x(side); }
  __host__ __device__ int64_t tiles() const { return boxes(kTile); }
};

struct TileLists {
  int32_t* start;         // [tiles + 1]
  int32_t* ids;           // [capacity] kernels of each tile, ascending
  int32_t* slots;         // [capacity] the place of each pair among the pairs of its kernel, in tile order
  int32_t* kernel_start;  // [kernels + 1] the first slot of each kernel
  int64_t capacity;
};

// Memory that the building of lists needs.
struct ListScratch {
  static constexpr int kChunks = 32;  // parts into which the tiles are divided to number the pairs of each kernel

  int32_t* start;     // [tiles + 1] of coarser boxes
  int32_t* ids;       // [capacity]
  int32_t* counts;    // [max(tiles, kernels)]
  float* thresholds;  // [tiles]
  int32_t* ranks;     // [kChunks, kernels]
};

// `slots` and `kernel_start` are only written if `slots` is not null. The experts of the mixture may be null; then no
// kernel is left out because of its expert.
void build_lists(const Mixture&, const Raster&, const Culling&, const TileLists&, const ListScratch&, Status*,
                 cudaStream_t);

}  // namespace rsmoe::cuda
