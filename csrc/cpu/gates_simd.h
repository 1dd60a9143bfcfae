// Gates of a tile's kernels; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "workspace_simd.h"

#include "../common/steering.h"

namespace rsmoe::cpu {
namespace {

// Writes the records of the active kernels, at least one, whose gates are relative to exp(reference). Experts are less
// a base colour, which makes equal ones exact; linear ones are brought from the kernel's centre to the tile's first
// pixel.
void write_records(const TileJob& job, const Workspace& w, float reference) {
  const Vec lane = lane_index();
  const int64_t stride = w.capacity;
  const int32_t n = *w.active_count, channels = w.channels, columns = w.expert_columns;
  const auto expert = [&](int64_t k) { return job.experts + int64_t{job.kernels[k]} * columns; };
  for (int32_t c = 0; c < channels; ++c) w.base[c] = job.normalised ? expert(w.active[0])[c] : 0.0f;
  for (int32_t i = 0; i < n; ++i) {
    const int64_t k = w.active[i];
    const float* column = w.columns + k;
    const float y = column[kColY * stride], x = column[kColX * stride];
    const float d = column[kColR22 * stride] * kRootHalfLog2E, b = column[kColR12 * stride] * kRootHalfLog2E;
    const float top = (column[kColLogit * stride] - reference) * kLog2E;
    float* record = w.records + k * w.record_stride;
    for (int row = 0; row < kTile; row += kLanes) {
      const Vec dy = lane + (static_cast<float>(row) - y), v = d * dy;
      store(record + kRecordRow + row, smaller(top - v * v, splat(kMostLog2Gate)));
      store(record + kRecordShear + row, b * dy);
    }
    record[kRecordScale] = column[kColR11 * stride] * kRootHalfLog2E;
    record[kRecordX] = -x;
    record += kRecordExpert;
    const float* from = expert(k);
    for (int32_t c = 0; c < channels; ++c) record[c] = from[c] - w.base[c];
    if (!job.linear) continue;
    for (int32_t c = channels; c < columns; ++c) record[c] = from[c];
    for (int32_t c = 0; c < channels; ++c) record[c] -= from[channels + c] * y + from[2 * channels + c] * x;
  }
}

// Computes the exponents of kernel k in float64, in the order of the planes.
void exponents(const TileJob& job, int64_t k, double* out) {
  const Kernel kernel = load_kernel(job.geometry + int64_t{job.kernels[k]} * kGeometry);
  const double cy = double{kernel.y} - job.y0, cx = double{kernel.x} - job.x0;
  for (int i = 0; i < kTilePixels; ++i) out[i] = exact_exponent(kernel, row_of(i) - cy, column_of(i) - cx);
}

// Finds the largest exponent of the active kernels, at least one, at each pixel.
void find_peaks(const TileJob& job, const Workspace& w) {
  double* peak = reinterpret_cast<double*>(w.peak);
  alignas(64) double t[kTilePixels];
  exponents(job, w.active[0], peak);
  for (int32_t i = 1; i < *w.active_count; ++i) {
    exponents(job, w.active[i], t);
    for (int p = 0; p < kTilePixels; ++p) peak[p] = t[p] > peak[p] ? t[p] : peak[p];
  }
}

// Computes the gates of a chunk from exponents in float64, relative to the largest at each pixel, whose gate is 1.
void gates_from_peaks(const TileJob& job, const Workspace& w, const Chunk& chunk) {
  const double* peak = reinterpret_cast<const double*>(w.peak);
  alignas(64) double t[kTilePixels];
  alignas(64) float relative[kTilePixels];
  float* gate[kBlocks];
  chunk.gates(w, gate);
  for (int32_t i = chunk.begin; i < chunk.end; ++i) {
    const int32_t k = w.active[i];
    exponents(job, k, t);
    for (int p = 0; p < kTilePixels; ++p) {
      const double r = t[p] - peak[p];
      relative[p] = static_cast<float>(r > -126.0 ? r : -126.0);
    }
    for_blocks_of(w, k, [&](int block) {
      for (int p = 0; p < kBlockPixels; p += kLanes, gate[block] += kLanes)
        store(gate[block], exp2_clamped(load(relative + block * kBlockPixels + p)));
    });
  }
}

}  // namespace
}  // namespace rsmoe::cpu
