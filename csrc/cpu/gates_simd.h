// Gates of a tile's kernels; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "workspace_simd.h"

#include "../common/steering.h"

namespace rsmoe::cpu {
namespace {

// exp(s - reference) of the kernels [begin, end), 256 pixels each.
template <bool kNormalised>
void gates(const Workspace& w, int64_t begin, int64_t end, float reference) {
  const Vec lane = lane_index();
  for (int64_t k = begin; k < end; ++k) {
    const float* column = w.columns + k;
    const int64_t stride = w.capacity;
    const float cy = column[kColY * stride], cx = column[kColX * stride];
    const float a = column[kColR11 * stride] * kRootHalfLog2E, b = column[kColR12 * stride] * kRootHalfLog2E;
    const float d = column[kColR22 * stride] * kRootHalfLog2E;
    const float top = (column[kColLogit * stride] - reference) * kLog2E;
    alignas(64) float row[kTile];  // exponent less u^2, per row
    for (int i = 0; i < kTile; i += kLanes) {
      const Vec v = d * (lane + (static_cast<float>(i) - cy));
      store(row + i, top - v * v);
    }
    float* out = w.gates + (k - begin) * kTilePixels;
    for (int g = 0; g < kRowVectors; ++g) {
      Vec u = a * (lane + (static_cast<float>(g * kLanes) - cx)) - splat(b * cy);
#pragma GCC unroll 16
      for (int r = 0; r < kTile; ++r) {
        Vec t = row[r] - u * u;
        if constexpr (!kNormalised) t = smaller(t, splat(127.0f));
        store(out + r * kTile + g * kLanes, exp2_clamped(t));
        u += b;
      }
    }
  }
}

// The exact exponents of active kernel k at each pixel.
void exponents(const TileJob& job, const Workspace& w, int64_t k, double* out) {
  const Kernel kernel = load_kernel(job.geometry + int64_t{job.kernels[w.positions[k]]} * kGeometry);
  const double cy = double{kernel.y} - job.y0, cx = double{kernel.x} - job.x0;
  for (int i = 0; i < kTilePixels; ++i) out[i] = exact_exponent(kernel, i / kTile - cy, i % kTile - cx);
}

void find_peaks(const TileJob& job, const Workspace& w) {
  double* peak = reinterpret_cast<double*>(w.peak);
  alignas(64) double t[kTilePixels];
  exponents(job, w, 0, peak);
  for (int64_t k = 1; k < *w.active_count; ++k) {
    exponents(job, w, k, t);
    for (int i = 0; i < kTilePixels; ++i) peak[i] = t[i] > peak[i] ? t[i] : peak[i];
  }
}

void gates_from_peaks(const TileJob& job, const Workspace& w, int64_t begin, int64_t end) {
  const double* peak = reinterpret_cast<const double*>(w.peak);
  alignas(64) double t[kTilePixels];
  alignas(64) float relative[kTilePixels];
  for (int64_t k = begin; k < end; ++k) {
    exponents(job, w, k, t);
    for (int i = 0; i < kTilePixels; ++i) {
      const double r = t[i] - peak[i];
      relative[i] = static_cast<float>(r > -126.0 ? r : -126.0);
    }
    float* out = w.gates + (k - begin) * kTilePixels;
    for (int i = 0; i < kTilePixels; i += kLanes) store(out + i, exp2_clamped(load(relative + i)));
  }
}

}  // namespace
}  // namespace rsmoe::cpu
