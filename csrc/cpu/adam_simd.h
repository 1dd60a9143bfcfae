// Adam, a kernel in each lane; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "simd.h"

#include "../common/adam.h"
#include "adam.h"

namespace rsmoe::cpu {
namespace {

// Adam's move of one parameter of kernels [begin, begin + size); row is the parameter's row in the state.
inline Vec adam_move(const AdamStep& step, int64_t row, int64_t begin, int size, Vec gradient, float rate) {
  const int64_t columns = kMoments + step.channels;
  float* first = step.state + row * step.kernels + begin;
  float* second = first + columns * step.kernels;
  Vec m = load_some(first, size), v = load_some(second, size);
  const Vec move = rsmoe::adam_move(step.decay, m, v, gradient, rate);
  store_some(first, m, size);
  store_some(second, v, size);
  return move;
}

inline void adam_block(const AdamStep& step, int64_t begin, int size) {
  const int32_t columns = kMoments + step.channels;
  Vec moments[kMoments];
  alignas(64) float sums[kLanes][kLanes] = {};
  for (int32_t c0 = 0; c0 < columns; c0 += kLanes) {
    const int width = columns - c0 < kLanes ? columns - c0 : kLanes;
    for (int i = 0; i < size; ++i) {
      Vec sum{};  // reads past a pair's end into the next one; kPairPadding keeps the last pair safe
      for (int64_t p = step.kernel_start[begin + i]; p < step.kernel_start[begin + i + 1]; ++p)
        sum += load_some(step.pair_gradients + int64_t{step.kernel_pairs[p]} * columns + c0, kLanes);
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
      float* expert = step.experts + begin * step.channels + (c0 + c - kMoments);
      for (int i = 0; i < size; ++i) expert[int64_t{i} * step.channels] += move[i];
    }
  }
  float* geometry = step.geometry + begin * kGeometry;
  Vec fields[kGeometry];
  for (int c = 0; c < kGeometry; ++c)  // lanes past the end repeat the last kernel: no arithmetic on garbage
    for (int i = 0; i < kLanes; ++i) fields[c][i] = geometry[(i < size ? i : size - 1) * kGeometry + c];
  KernelOf<Vec> k{fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]};
  const MomentsOf<Vec> m{moments[0], moments[1], moments[2], moments[3], moments[4], moments[5]};
  const auto move = [&](int row, Vec gradient, float rate) {
    return adam_move(step, row, begin, size, gradient, rate);
  };
  move_kernel(k, m, step.whitened, step.rates, step.limits, move);
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
