// Gates of a tile's kernels; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "workspace_simd.h"

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

// The exponent of 2 of active kernel k at each pixel, in float64 from the kernel's own numbers: far from every
// kernel s is so large that float32 cannot tell kernels apart.
void exponents(const TileJob& job, const Workspace& w, int64_t k, double* out) {
  const float* kernel = job.geometry + int64_t{job.kernels[w.positions[k]]} * kGeometry;
  constexpr double log2e = 1.4426950408889634;
  const double cy = double{kernel[kY]} - job.y0, cx = double{kernel[kX]} - job.x0;
  const double r11 = kernel[kR11], r12 = kernel[kR12], r22 = kernel[kR22], logit = kernel[kLogit];
  for (int i = 0; i < kTilePixels; ++i) {
    const double dy = i / kTile - cy, dx = i % kTile - cx;
    const double u = r11 * dx + r12 * dy, v = r22 * dy;
    out[i] = log2e * (logit - 0.5 * (u * u + v * v));
  }
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
