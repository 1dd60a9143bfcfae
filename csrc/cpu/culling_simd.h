// Selection of the kernels of a list that matter to a tile; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "workspace_simd.h"

#include "../common/culling.h"

namespace rsmoe::cpu {
namespace {

// A vector of kernels, with the slopes that the bounds of a box need.
struct SlopedKernels {
  SlopedKernels(const float* columns, int64_t stride) {
    const auto column = [&](Column c) { return load(columns + c * stride); };
    kernel = {column(kColY), column(kColX), column(kColR11), column(kColR12), column(kColR22), column(kColLogit)};
    slope_x = column(kColSlopeX);
    slope_y = column(kColSlopeY);
  }
  BoundsOf<Vec> bounds(float y0, float x0, float y1, float x1) const {
    return rsmoe::box_bounds(kernel, slope_x, slope_y, splat(y0), splat(x0), splat(y1), splat(x1));
  }

  KernelOf<Vec> kernel;
  Vec slope_x, slope_y;
};

void box_bounds(const float* columns, int64_t stride, int64_t n, float y0, float x0, float y1, float x1, float* low,
                float* high) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const BoundsOf<Vec> bounds = SlopedKernels(columns + i, stride).bounds(y0, x0, y1, x1);
    store(low + i, bounds.low);
    store(high + i, bounds.high);
  }
}

// Copies the kernels `ids`, or for null the first n, into columns, with positions relative to (y0, x0). Kernels that
// cannot be drawn become `absent_kernel`. The last vector is filled up with the last kernel, so that no value is
// undefined.
void gather_columns(const float* geometry, const int32_t* ids, int64_t n, float y0, float x0, float* columns,
                    int64_t stride) {
  for (int64_t i = 0; i < n; ++i) {
    const float* k = geometry + (ids ? int64_t{ids[i]} : i) * kGeometry;
    columns[kColY * stride + i] = k[kY] - y0;
    columns[kColX * stride + i] = k[kX] - x0;
    for (int c = kColR11; c <= kColLogit; ++c) columns[c * stride + i] = k[c];
  }
  for (int64_t i = n; i < round_up(n); ++i)
    for (int c = 0; c < kColSlopeX; ++c) columns[c * stride + i] = columns[c * stride + n - 1];
  for (int64_t i = 0; i < n; i += kLanes) {
    const auto column = [&](Column c) { return load(columns + c * stride + i); };
    const KernelOf<Vec> k{column(kColY),   column(kColX),   column(kColR11),
                          column(kColR12), column(kColR22), column(kColLogit)};
    const VecI absent = ~is_drawable(k, 2 * kMostCenter);
    const KernelOf<Vec> drawn{
        Vec{}, Vec{}, zero_where(absent, k.r11), zero_where(absent, k.r12), zero_where(absent, k.r22), Vec{}};
    store(columns + kColY * stride + i, zero_where(absent, k.y));
    store(columns + kColX * stride + i, zero_where(absent, k.x));
    store(columns + kColR11 * stride + i, drawn.r11);
    store(columns + kColR12 * stride + i, drawn.r12);
    store(columns + kColR22 * stride + i, drawn.r22);
    store(columns + kColLogit * stride + i, absent ? splat(kAbsent) : k.logit);
    store(columns + kColSlopeX * stride + i, slope_along_x(drawn));
    store(columns + kColSlopeY * stride + i, slope_along_y(drawn));
  }
}

// Writes the ids of the kernels that matter to a box to out, which has room for n, and returns how many.
// scratch: 2 x stride floats.
int64_t cull(const float* columns, int64_t stride, int64_t n, const int32_t* ids, const float* box, float tau,
             int32_t normalised, float* scratch, int32_t* out) {
  float *low = scratch, *high = scratch + stride;
  box_bounds(columns, stride, n, box[0], box[1], box[2], box[3], low, high);
  const Vec threshold = splat(gate_threshold(normalised ? largest_of(low, n) : 0.0f, tau));
  int64_t kept = 0, i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    VecI values;
    memcpy(&values, ids + i, sizeof values);
    kept += store_where(load(high + i) >= threshold, values, out + kept);
  }
  for (; i < n; ++i) {
    out[kept] = ids[i];
    kept += high[i] >= threshold[0];
  }
  return kept;
}

// Lists the kernels of each block: those that the threshold of the block keeps, and those that are kept by a block
// above and one below in the same half, so that the blocks of a kernel in a half are consecutive.
void list_blocks(const TileJob& job, Workspace& w, const float* threshold) {
  const int64_t stride = w.capacity;
  int32_t count[kBlocks] = {}, active = 0;
  for (int64_t i = 0; i < job.count; i += kLanes) {
    const VecI kernel = lane_number() + static_cast<int32_t>(i), exists = kernel < job.count;
    VecI any{};
    for (int half = 0; half < kHalves; ++half) {
      VecI keep[kBands], begun[kBands], so_far{}, yet_to_come{}, first{}, bands{};
      for (int band = 0; band < kBands; ++band) {
        const int block = half * kBands + band;
        keep[band] = (load(w.highest + block * stride + i) >= threshold[block]) & exists;
        begun[band] = so_far |= keep[band];
        first += begun[band] + 1;  // a condition that holds is -1
      }
      for (int band = kBands - 1; band >= 0; --band) {
        const int block = half * kBands + band;
        yet_to_come |= keep[band];
        const VecI used = begun[band] & yet_to_come;
        count[block] += store_where(used, kernel, w.block_kernels + block * (stride + kLanes) + count[block]);
        bands -= used;
      }
      any |= so_far;
      store(w.first_band + half * stride + i, first);
      store(w.bands + half * stride + i, bands);
    }
    active += store_where(any, kernel, w.active + active);
  }
  for (int b = 0; b < kBlocks; ++b) w.block_count[b] = count[b];
  *w.active_count = active;
}

// Culls the job's kernels by blocks, and returns the reference of their s. Lists may be older than the kernels,
// so some kernels, or all, may have become absent since.
float prepare(const TileJob& job, Workspace& w) {
  const int64_t n = job.count, stride = w.capacity;
  gather_columns(job.geometry, job.kernels, n, job.y0, job.x0, w.columns, stride);
  for (int64_t i = 0; i < n; ++i)
    if (!is_drawable_expert(job.experts + int64_t{job.kernels[i]} * w.expert_columns, w.expert_columns))
      w.columns[kColLogit * stride + i] = kAbsent;
  // The loop over the blocks is inside, so that what blocks have in common is computed once.
  Vec best[kBlocks + 1];
  for (Vec& each : best) each = splat(-__builtin_inff());
  for (int64_t i = 0; i < n; i += kLanes) {
    const SlopedKernels kernels(w.columns + i, stride);
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; ++b) {
      const float y = static_cast<float>(b % kBands * kBlockRows), x = static_cast<float>(b / kBands * kBlockColumns);
      const BoundsOf<Vec> bounds = kernels.bounds(y, x, y + kBlockRows - 1, x + kBlockColumns - 1);
      store(w.highest + b * stride + i, bounds.high);
      best[b] = larger(best[b], bounds.low);
      best[kBlocks] = larger(best[kBlocks], bounds.high);
    }
  }
  float largest[kBlocks + 1], threshold[kBlocks];
  largest_lanes<kBlocks + 1>(best, largest);
  for (int b = 0; b < kBlocks; ++b) threshold[b] = gate_threshold(job.normalised ? largest[b] : 0.0f, job.tau);
  list_blocks(job, w, threshold);
  return job.normalised ? largest[kBlocks] : 0.0f;
}

}  // namespace
}  // namespace rsmoe::cpu
