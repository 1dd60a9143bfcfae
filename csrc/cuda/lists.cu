#include "lists.h"

#include <utility>

#include "../common/culling.h"
#include "warp.h"

namespace rsmoe::cuda {
namespace {

constexpr int kBranch = 4;        // a box has 4 x 4 children
constexpr int kFewestBoxes = 32;  // boxes of the coarsest level at least, each of which tests all kernels
constexpr int kBoxThreads = 256;
constexpr int kScanThreads = 1024;

struct Level {
  int32_t side, boxes_y, boxes_x;
  const int32_t* start;  // null: one box that holds every kernel
  const int32_t* ids;
};

struct Selection {
  const float* geometry;
  const float* experts;  // null: kernels are listed whatever their experts are
  int32_t columns;       // of an expert
  int32_t kernels;       // of one model
  Level parent, child;
  Culling culling;
  bool leaf;
};

struct Box {
  float y0, x0, y1, x1;
  const int32_t* ids;  // null: the kernels from `first` on
  int32_t first, count;

  __device__ int32_t id(int32_t i) const { return ids ? ids[i] : first + i; }
};

__device__ Box box_of(const Selection& s, int32_t number) {
  const Level &child = s.child, &parent = s.parent;
  const int32_t per_model = child.boxes_y * child.boxes_x, model = number / per_model, place = number % per_model;
  const int32_t y = place / child.boxes_x, x = place % child.boxes_x;
  const auto side = static_cast<float>(child.side);
  const float y0 = static_cast<float>(y) * side, x0 = static_cast<float>(x) * side;
  Box box{y0, x0, y0 + side - 1, x0 + side - 1, nullptr, model * s.kernels, s.kernels};
  if (parent.start) {
    const int32_t above = (model * parent.boxes_y + y / kBranch) * parent.boxes_x + x / kBranch;
    box.ids = parent.ids + parent.start[above];
    box.count = parent.start[above + 1] - parent.start[above];
  }
  return box;
}

__device__ BoundsOf<float> bounds_in(const Box& box, const Kernel& k) {
  return box_bounds(k, slope_along_x(k), slope_along_y(k), box.y0, box.x0, box.y1, box.x1);
}

// A kernel of a box, or `absent_kernel` if it cannot be drawn. The coarsest boxes test all kernels, finer ones those
// that their parents kept.
__device__ Kernel kernel_of(const Selection& s, const Box& box, int32_t id) {
  const Kernel k = load_kernel(s.geometry + int64_t{id} * kGeometry);
  if (box.ids) return k;
  const bool drawable =
      is_drawable(k, kMostCenter) && (!s.experts || is_drawable_expert(s.experts + int64_t{id} * s.columns, s.columns));
  return drawable ? k : absent_kernel();
}

__device__ bool in_square(const Box& box, const Kernel& k, float confidence) {
  const float reach = confidence * longest_axis(k);
  return k.y + reach >= box.y0 && k.y - reach <= box.y1 && k.x + reach >= box.x0 && k.x - reach <= box.x1;
}

__device__ bool stays(const Selection& s, const Box& box, const Kernel& k, float threshold) {
  if (s.culling.confidence > 0 && in_square(box, k, s.culling.confidence)) return true;
  return bounds_in(box, k).high >= threshold;
}

// Finds the threshold of each box, which the largest s of a kernel must reach, and the number of kernels that do.
__global__ void __launch_bounds__(kBoxThreads)
    measure_boxes(const Selection s, float* __restrict__ thresholds, int32_t* __restrict__ counts) {
  RSMOE_SHARED(float, scratch, [kBoxThreads / kWarp]);
  const auto number = static_cast<int32_t>(blockIdx.x), thread = static_cast<int32_t>(threadIdx.x);
  const Box box = box_of(s, number);
  const Culling& culling = s.culling;
  float best = kAbsent, any = 0;
  for (int32_t i = thread; i < box.count; i += kBoxThreads) {
    const Kernel k = kernel_of(s, box, box.id(i));
    best = larger(best, bounds_in(box, k).low);
    if (culling.confidence > 0 && in_square(box, k, culling.confidence)) any = 1;
  }
  best = culling.normalised ? block_max<kBoxThreads>(best, scratch) : 0.0f;
  float threshold = gate_threshold(best, culling.tau);
  if (culling.confidence > 0 &&
      s.leaf) {  // A tile that no square meets takes its best kernel; that of a sum of Gaussians may be empty.
    any = block_max<kBoxThreads>(any, scratch);
    threshold = any > 0 || !culling.normalised ? infinity() : gate_threshold(best, 0.0f);
  }
  float kept = 0;  // exact up to 2^24
  for (int32_t i = thread; i < box.count; i += kBoxThreads)
    kept += stays(s, box, kernel_of(s, box, box.id(i)), threshold) ? 1.0f : 0.0f;
  kept = block_sum<kBoxThreads>(kept, scratch);
  if (thread == 0) {
    thresholds[number] = threshold;
    counts[number] = static_cast<int32_t>(kept);
  }
}

// Writes the ids of the kernels that are kept, in order.
__global__ void __launch_bounds__(kBoxThreads)
    fill_boxes(const Selection s, const float* __restrict__ thresholds, const int32_t* __restrict__ start,
               int32_t* __restrict__ ids, int64_t capacity) {
  RSMOE_SHARED(int32_t, kept, [kBoxThreads / kWarp]);
  const auto number = static_cast<int32_t>(blockIdx.x), thread = static_cast<int32_t>(threadIdx.x);
  const int32_t lane = thread % kWarp, warp = thread / kWarp;
  const Box box = box_of(s, number);
  const float threshold = thresholds[number];
  int64_t at = start[number];
  for (int32_t base = 0; base < box.count; base += kBoxThreads) {
    const int32_t i = base + thread;
    const int32_t id = i < box.count ? box.id(i) : 0;
    const bool keep = i < box.count && stays(s, box, kernel_of(s, box, id), threshold);
    const unsigned mask = __ballot_sync(kAllLanes, keep);
    if (lane == 0) kept[warp] = __popc(mask);
    __syncthreads();
    int32_t before = 0, all = 0;
    for (int w = 0; w < kBoxThreads / kWarp; ++w) {
      if (w < warp) before += kept[w];
      all += kept[w];
    }
    const int64_t place = at + before + __popc(mask & ((1u << lane) - 1));
    if (keep && place < capacity) ids[place] = id;
    at += all;
    __syncthreads();
  }
}

// start[i] = counts[0] + ... + counts[i - 1], but never above the capacity.
__global__ void __launch_bounds__(kScanThreads) scan(const int32_t* __restrict__ counts, int32_t n, int64_t capacity,
                                                     int32_t* __restrict__ start, Status* __restrict__ status) {
  RSMOE_SHARED(int64_t, sums, [kScanThreads / kWarp]);
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const int32_t lane = thread % kWarp, warp = thread / kWarp;
  int64_t before = 0;
  for (int32_t base = 0; base < n; base += kScanThreads) {
    const int32_t i = base + thread;
    const int64_t own = i < n ? counts[i] : 0;
    int64_t sum = own;
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const int64_t other = __shfl_sync(kAllLanes, sum, lane - distance);
      if (lane >= distance) sum += other;
    }
    if (lane == kWarp - 1) sums[warp] = sum;
    __syncthreads();
    int64_t all = 0;
    for (int w = 0; w < kScanThreads / kWarp; ++w) {
      if (w < warp) sum += sums[w];
      all += sums[w];
    }
    const int64_t place = before + sum - own;
    if (i < n) start[i] = static_cast<int32_t>(place < capacity ? place : capacity);
    before += all;
    __syncthreads();
  }
  if (thread == 0) {
    start[n] = static_cast<int32_t>(before < capacity ? before : capacity);
    if (before > capacity) {
      status->overflow = 1;
      if (before > status->needed) status->needed = before;
    }
  }
}

// ---- the pairs of each kernel -------------------------------------------------------------------------------------

// Numbers the pairs of each kernel within a chunk of tiles; ranks: [chunks, kernels], zero, becomes their number.
// Tile after tile: within a tile every kernel occurs once, so no two threads meet.
__global__ void __launch_bounds__(kBoxThreads)
    number_pairs(const int32_t* __restrict__ start, const int32_t* __restrict__ ids, int32_t tiles, int32_t per_chunk,
                 int64_t kernels, int32_t* ranks, int32_t* __restrict__ slots) {
  const auto chunk = static_cast<int32_t>(blockIdx.x);
  int32_t* row = ranks + chunk * kernels;
  const int32_t end = (chunk + 1) * per_chunk < tiles ? (chunk + 1) * per_chunk : tiles;
  for (int32_t tile = chunk * per_chunk; tile < end; ++tile) {
    for (int32_t p = start[tile] + static_cast<int32_t>(threadIdx.x); p < start[tile + 1]; p += kBoxThreads) {
      const int32_t rank = row[ids[p]];
      slots[p] = rank;
      row[ids[p]] = rank + 1;
    }
    __syncthreads();
  }
}

// Turns the numbers of the chunks into what lies before each, and counts the pairs of each kernel.
__global__ void __launch_bounds__(kBoxThreads)
    count_pairs(int64_t kernels, int32_t* __restrict__ ranks, int32_t* __restrict__ counts) {
  const int64_t kernel = int64_t{blockIdx.x} * kBoxThreads + threadIdx.x;
  if (kernel >= kernels) return;
  int32_t before = 0;
  for (int chunk = 0; chunk < ListScratch::kChunks; ++chunk) {
    int32_t& rank = ranks[chunk * kernels + kernel];
    const int32_t here = rank;
    rank = before;
    before += here;
  }
  counts[kernel] = before;
}

__global__ void __launch_bounds__(kBoxThreads)
    place_pairs(const int32_t* __restrict__ start, const int32_t* __restrict__ ids, int32_t per_chunk, int64_t kernels,
                const int32_t* __restrict__ ranks, const int32_t* __restrict__ kernel_start,
                int32_t* __restrict__ slots) {
  const auto tile = static_cast<int32_t>(blockIdx.x);
  const int32_t* row = ranks + tile / per_chunk * kernels;
  for (int32_t p = start[tile] + static_cast<int32_t>(threadIdx.x); p < start[tile + 1]; p += kBoxThreads)
    slots[p] += kernel_start[ids[p]] + row[ids[p]];
}

void invert(int64_t kernels, int32_t tiles, const TileLists& lists, const ListScratch& scratch, Status* status,
            cudaStream_t stream) {
  const int32_t per_chunk = (tiles + ListScratch::kChunks - 1) / ListScratch::kChunks;
  const auto chunks = static_cast<unsigned>((tiles + per_chunk - 1) / per_chunk);
  const auto blocks = static_cast<unsigned>((kernels + kBoxThreads - 1) / kBoxThreads);
  cudaMemsetAsync(scratch.ranks, 0, ListScratch::kChunks * static_cast<size_t>(kernels) * sizeof(int32_t), stream);
  RSMOE_LAUNCH(number_pairs, chunks, kBoxThreads, stream, lists.start, lists.ids, tiles, per_chunk, kernels,
               scratch.ranks, lists.slots);
  RSMOE_LAUNCH(count_pairs, blocks, kBoxThreads, stream, kernels, scratch.ranks, scratch.counts);
  RSMOE_LAUNCH(scan, 1, kScanThreads, stream, scratch.counts, static_cast<int32_t>(kernels), lists.capacity,
               lists.kernel_start, status);
  RSMOE_LAUNCH(place_pairs, static_cast<unsigned>(tiles), kBoxThreads, stream, lists.start, lists.ids, per_chunk,
               kernels, scratch.ranks, lists.kernel_start, lists.slots);
}

}  // namespace

void build_lists(const Mixture& m, const Raster& raster, const Culling& culling, const TileLists& lists,
                 const ListScratch& scratch, Status* status, cudaStream_t stream) {
  int64_t side = kTile;
  int levels = 1;
  for (; raster.boxes(side * kBranch) >= kFewestBoxes; side *= kBranch) ++levels;
  Level parent{0, 1, 1, nullptr, nullptr};
  for (; levels > 0; --levels, side /= kBranch) {
    const bool here =
        levels % 2 == 1;  // The levels alternate between two buffers; the last one is written to the lists.
    int32_t *start = here ? lists.start : scratch.start, *ids = here ? lists.ids : scratch.ids;
    const Level child{static_cast<int32_t>(side), static_cast<int32_t>(raster.boxes_y(side)),
                      static_cast<int32_t>(raster.boxes_x(side)), start, ids};
    const Selection selection{
        m.geometry, m.experts,    expert_columns(m.channels, m.linear), static_cast<int32_t>(m.kernels), parent, child,
        culling,    side == kTile};
    const auto boxes = static_cast<unsigned>(raster.boxes(side));
    RSMOE_LAUNCH(measure_boxes, boxes, kBoxThreads, stream, selection, scratch.thresholds, scratch.counts);
    RSMOE_LAUNCH(scan, 1, kScanThreads, stream, scratch.counts, static_cast<int32_t>(boxes), lists.capacity, start,
                 status);
    RSMOE_LAUNCH(fill_boxes, boxes, kBoxThreads, stream, selection, scratch.thresholds, start, ids, lists.capacity);
    parent = child;
  }
  if (lists.slots) invert(m.models * m.kernels, static_cast<int32_t>(raster.tiles()), lists, scratch, status, stream);
}

}  // namespace rsmoe::cuda
