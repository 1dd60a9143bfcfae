// Which kernels of a list matter to a tile; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "workspace_simd.h"

#include "../common/culling.h"

namespace rsmoe::cpu {
namespace {

void box_bounds(const float* columns, int64_t stride, int64_t n, float y0, float x0, float y1, float x1, float* low,
                float* high) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const auto column = [&](Column c) { return load(columns + c * stride + i); };
    const KernelOf<Vec> k{column(kColY),   column(kColX),   column(kColR11),
                          column(kColR12), column(kColR22), column(kColLogit)};
    const BoundsOf<Vec> bounds =
        rsmoe::box_bounds(k, column(kColSlopeX), column(kColSlopeY), splat(y0), splat(x0), splat(y1), splat(x1));
    store(low + i, bounds.low);
    store(high + i, bounds.high);
  }
}

// Kernels `ids` (null: the first n) as columns, positions relative to (y0, x0). The last vector is filled up
// with the last kernel: harmless, and no arithmetic on garbage.
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
    const KernelOf<Vec> k{Vec{}, Vec{}, column(kColR11), column(kColR12), column(kColR22), Vec{}};
    store(columns + kColSlopeX * stride + i, slope_along_x(k));
    store(columns + kColSlopeY * stride + i, slope_along_y(k));
  }
}

// Writes the ids that stay in a box to out, which has room for n; returns how many. scratch: 2 x stride floats.
int64_t cull(const float* columns, int64_t stride, int64_t n, const int32_t* ids, const float* box, float tau,
             int32_t normalised, float* scratch, int32_t* out) {
  float *low = scratch, *high = scratch + stride;
  box_bounds(columns, stride, n, box[0], box[1], box[2], box[3], low, high);
  const float threshold = gate_threshold(normalised ? largest_of(low, n) : 0.0f, tau);
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {  // no branch: whether a kernel stays is hard to foresee
    out[kept] = ids[i];
    kept += high[i] >= threshold;
  }
  return kept;
}

// The experts of the active kernels, less a base colour, which makes equal experts exact. Linear ones are brought
// from the kernel's centre to the tile's first pixel.
void gather_experts(const TileJob& job, Workspace& w) {
  const int32_t kept = *w.active_count, channels = job.channels, columns = w.expert_columns;
  const auto expert = [&](int64_t k) { return job.experts + int64_t{job.kernels[w.positions[k]]} * columns; };
  for (int32_t c = 0; c < channels; ++c) {
    w.base[c] = job.normalised && kept ? expert(0)[c] : 0.0f;
    for (int64_t k = 0; k < kept; ++k) w.experts[k * columns + c] = expert(k)[c] - w.base[c];
    if (!job.linear) continue;
    for (int64_t k = 0; k < kept; ++k) {
      const float slope_y = expert(k)[channels + c], slope_x = expert(k)[2 * channels + c];
      w.experts[k * columns + c] -=
          slope_y * w.columns[kColY * w.capacity + k] + slope_x * w.columns[kColX * w.capacity + k];
      w.experts[k * columns + channels + c] = slope_y;
      w.experts[k * columns + 2 * channels + c] = slope_x;
    }
  }
}

// Culls the job's kernels by quadrant and packs the survivors. Returns what their s is to be measured from.
float prepare(const TileJob& job, Workspace& w) {
  const int64_t n = job.count, stride = w.capacity;
  gather_columns(job.geometry, job.kernels, n, job.y0, job.x0, w.columns, stride);
  float threshold[4], reference = -__builtin_inff();
  constexpr int half = kTile / 2;
  for (int q = 0; q < 4; ++q) {
    float* low = w.bounds + 2 * q * stride;
    float* high = low + stride;
    const float y = static_cast<float>(q / 2 * half), x = static_cast<float>(q % 2 * half);
    box_bounds(w.columns, stride, n, y, x, y + half - 1, x + half - 1, low, high);
    threshold[q] = gate_threshold(job.normalised ? largest_of(low, n) : 0.0f, job.tau);
    const float largest = largest_of(high, n);
    reference = largest > reference ? largest : reference;
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    bool keep = false;
    for (int q = 0; q < 4; ++q) keep |= w.bounds[(2 * q + 1) * stride + i] >= threshold[q];
    if (!keep) continue;
    w.positions[kept] = static_cast<int32_t>(i);
    if (kept < i)
      for (int c = 0; c < kColSlopeX; ++c) w.columns[c * stride + kept] = w.columns[c * stride + i];
    ++kept;
  }
  *w.active_count = static_cast<int32_t>(kept);
  gather_experts(job, w);
  return job.normalised ? reference : 0.0f;
}

}  // namespace
}  // namespace rsmoe::cpu
