// Adam, a kernel in each lane; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "simd.h"

#include "../common/adam.h"
#include "adam.h"

namespace rsmoe::cpu {
namespace {

// Adam's move of one parameter of kernels [begin, begin + size); row is the parameter's row in the state.
inline Vec adam_move(const AdamStep& step, int64_t row, int64_t begin, int size, Vec gradient, float rate) {
  const int64_t columns = kMoments + step.expert_columns();
  float* first = step.state + row * step.kernels + begin;
  float* second = first + columns * step.kernels;
  Vec m = load_some(first, size), v = load_some(second, size);
  const Vec move = rsmoe::adam_move(step.decay, m, v, gradient, rate);
  store_some(first, m, size);
  store_some(second, v, size);
  return move;
}

// Column c of kernels [begin, begin + size), one in each lane; the lanes past the end repeat the last.
inline Vec load_column(const float* rows, int64_t columns, int64_t c, int size) {
  Vec v;
  for (int i = 0; i < kLanes; ++i) v[i] = rows[(i < size ? i : size - 1) * columns + c];
  return v;
}

// Moves the slopes of linear experts, in the whitened frames of the kernels if Adam works in these.
inline void adam_slopes(const AdamStep& step, int64_t begin, int size, const KernelOf<Vec>& k) {
  const int64_t columns = kMoments + step.expert_columns();
  for (int32_t c = 0; c < step.channels; ++c) {
    const int64_t at_y = kMoments + step.channels + c, at_x = at_y + step.channels;
    Vec by_y{}, by_x{};
    for (int i = 0; i < size; ++i) {
      for (int64_t p = step.kernel_start[begin + i]; p < step.kernel_start[begin + i + 1]; ++p) {
        const float* pair = step.pair_gradients + int64_t{step.kernel_pairs[p]} * columns;
        by_y[i] += pair[at_y];
        by_x[i] += pair[at_x];
      }
    }
    Vec move_y, move_x;
    slope_moves(k, by_y, by_x, step.whitened, move_y, move_x, [&](int which, Vec gradient) {
      return adam_move(step, which ? at_x : at_y, begin, size, gradient, step.rates.expert);
    });
    float* slope = step.experts + begin * step.expert_columns() + step.channels + c;
    for (int i = 0; i < size; ++i) {
      slope[int64_t{i} * step.expert_columns()] += move_y[i];
      slope[int64_t{i} * step.expert_columns() + step.channels] += move_x[i];
    }
  }
}

// A linear expert is a plane through space: when the centre moves, the plane stays.
inline void keep_planes(const AdamStep& step, int64_t begin, int size, Vec dy, Vec dx) {
  for (int i = 0; i < size; ++i) {
    float* expert = step.experts + (begin + i) * step.expert_columns();
    for (int32_t c = 0; c < step.channels; ++c)
      expert[c] += expert[step.channels + c] * dy[i] + expert[2 * step.channels + c] * dx[i];
  }
}

inline void adam_block(const AdamStep& step, int64_t begin, int size) {
  const int32_t stride = kMoments + step.expert_columns(), columns = kMoments + step.channels;
  Vec moments[kMoments];
  alignas(64) float sums[kLanes][kLanes] = {};
  for (int32_t c0 = 0; c0 < columns; c0 += kLanes) {
    const int width = columns - c0 < kLanes ? columns - c0 : kLanes;
    for (int i = 0; i < size; ++i) {
      Vec sum{};  // Loads reach beyond a pair into the next one; behind the last pair lies kPairPadding.
      for (int64_t p = step.kernel_start[begin + i]; p < step.kernel_start[begin + i + 1]; ++p)
        sum += load_some(step.pair_gradients + int64_t{step.kernel_pairs[p]} * stride + c0, kLanes);
      store(sums[i], sum);
    }
    for (int c = 0; c < width; ++c) {
      Vec column;
      for (int i = 0; i < kLanes; ++i) column[i] = sums[i][c];
      if (c0 + c < kMoments) {
        moments[c0 + c] = column;
        continue;
      }
      const Vec move = adam_move(step, c0 + c, begin, size, column, step.rates.expert);
      float* expert = step.experts + begin * step.expert_columns() + (c0 + c - kMoments);
      for (int i = 0; i < size; ++i) expert[int64_t{i} * step.expert_columns()] += move[i];
    }
  }
  float* geometry = step.geometry + begin * kGeometry;
  const auto field = [&](int c) { return load_column(geometry, kGeometry, c, size); };
  KernelOf<Vec> k{field(kY), field(kX), field(kR11), field(kR12), field(kR22), field(kLogit)};
  if (step.linear) adam_slopes(step, begin, size, k);
  const Vec old_y = k.y, old_x = k.x;
  const MomentsOf<Vec> m{moments[0], moments[1], moments[2], moments[3], moments[4], moments[5]};
  const auto move = [&](int row, Vec gradient, float rate) {
    return adam_move(step, row, begin, size, gradient, rate);
  };
  move_kernel(k, m, step.whitened, step.rates, step.limits, move);
  if (step.linear) keep_planes(step, begin, size, k.y - old_y, k.x - old_x);
  const Vec moved[kGeometry] = {k.y, k.x, k.r11, k.r12, k.r22, k.logit};
  for (int c = 0; c < kGeometry; ++c)
    for (int i = 0; i < size; ++i) geometry[i * kGeometry + c] = moved[c][i];
}

void adam(const AdamStep& step, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j += kLanes) {
    const int64_t size = end - j;
    adam_block(step, j, size < kLanes ? static_cast<int>(size) : kLanes);
  }
}

}  // namespace
}  // namespace rsmoe::cpu
