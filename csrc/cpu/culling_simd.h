// Which kernels of a list matter to a tile; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "workspace_simd.h"

namespace rsmoe::cpu {
namespace {

// s over the box is concave: its minimum is at a corner; its maximum at the centre if that is inside, else on
// an edge, where the best point of the edge's line is clamped into the edge.
void box_bounds(const float* columns, int64_t stride, int64_t n, float y0, float x0, float y1, float x1, float* low,
                float* high) {
  const Vec ya = splat(y0), yb = splat(y1), xa = splat(x0), xb = splat(x1);
  for (int64_t i = 0; i < n; i += kLanes) {
    auto column = [&](Column c) { return load(columns + c * stride + i); };
    const Vec cy = column(kColY), cx = column(kColX), r11 = column(kColR11), r12 = column(kColR12);
    const Vec r22 = column(kColR22), logit = column(kColLogit);
    const Vec slope_x = column(kColSlopeX), slope_y = column(kColSlopeY);
    const Vec top = ya - cy, bottom = yb - cy, left = xa - cx, right = xb - cx;
    auto square = [&](Vec dy, Vec dx) {
      const Vec u = r11 * dx + r12 * dy, v = r22 * dy;
      return u * u + v * v;
    };
    const Vec farthest =
        larger(larger(square(top, left), square(top, right)), larger(square(bottom, left), square(bottom, right)));
    auto along_x = [&](Vec dy) { return square(dy, smaller(larger(-slope_x * dy, left), right)); };
    auto along_y = [&](Vec dx) { return square(smaller(larger(-slope_y * dx, top), bottom), dx); };
    Vec nearest = smaller(smaller(along_x(top), along_x(bottom)), smaller(along_y(left), along_y(right)));
    const VecI inside = (top <= 0.0f) & (bottom >= 0.0f) & (left <= 0.0f) & (right >= 0.0f);
    nearest = inside ? Vec{} : nearest;
    store(low + i, logit - 0.5f * farthest);
    store(high + i, logit - 0.5f * nearest);
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
    const Vec r11 = load(columns + kColR11 * stride + i), r12 = load(columns + kColR12 * stride + i);
    const Vec r22 = load(columns + kColR22 * stride + i);
    store(columns + kColSlopeX * stride + i, r12 / r11);
    store(columns + kColSlopeY * stride + i, r11 * r12 / (r12 * r12 + r22 * r22));
  }
}

// What a kernel's largest s must reach to stay: `best` is the largest, over kernels, of their smallest s. The slack
// covers float32 rounding of a far kernel's s.
float gate_threshold(float best, float tau) { return best - tau - 1e-5f * (best < 0 ? -best : best); }

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
