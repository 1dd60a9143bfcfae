// Adam for a block of kernels at a time; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "adam.h"
#include "simd.h"

namespace rsmoe::cpu {
namespace {

constexpr int kAdamBlock = 16;
constexpr float kAdamEpsilon = 1e-10f;

// Adam's direction for `size` values: updates both moments in place.
inline void adam_direction(const AdamStep& step, float* first, float* second, const float* gradient, float rate,
                           int size, float* delta) {
  for (int i = 0; i < size; ++i) {
    first[i] = step.beta1 * first[i] + (1.0f - step.beta1) * gradient[i];
    second[i] = step.beta2 * second[i] + (1.0f - step.beta2) * gradient[i] * gradient[i];
    delta[i] = -rate * first[i] * step.correction1 / (__builtin_sqrtf(second[i] * step.correction2) + kAdamEpsilon);
  }
}

inline void adam_block(const AdamStep& step, int64_t begin, int size) {
  const int32_t columns = kMoments + step.channels;
  float* first = step.state + begin;
  float* second = first + columns * step.kernels;
  float gradient_of[kGeometry][kAdamBlock] = {}, delta[kGeometry][kAdamBlock] = {};
  float k[kGeometry][kAdamBlock] = {}, m[kMoments][kAdamBlock] = {};
  for (int i = 0; i < size; ++i) {
    for (int c = 0; c < kGeometry; ++c) k[c][i] = step.geometry[(begin + i) * kGeometry + c];
  }
  constexpr int kMaxColumns = kMoments + kAdamBlock;  // experts go through in blocks of channels
  float sums[kAdamBlock][kMaxColumns];
  for (int32_t channel = 0; channel == 0 || channel < step.channels; channel += kAdamBlock) {
    const int32_t group = step.channels - channel < kAdamBlock ? step.channels - channel : kAdamBlock;
    for (int i = 0; i < size; ++i) {
      float* sum = sums[i];
      for (int32_t c = 0; c < kMoments + group; ++c) sum[c] = 0.0f;
      const int64_t j = begin + i;
      for (int64_t p = step.kernel_start[j]; p < step.kernel_start[j + 1]; ++p) {
        const float* pair = step.pair_gradients + int64_t{step.kernel_pairs[p]} * columns;
        for (int c = 0; c < kMoments; ++c) sum[c] += pair[c];
        for (int32_t c = 0; c < group; ++c) sum[kMoments + c] += pair[kMoments + channel + c];
      }
      if (channel == 0)
        for (int c = 0; c < kMoments; ++c) m[c][i] = sum[c];
    }
    for (int32_t c = 0; c < group; ++c) {
      float g[kAdamBlock], move[kAdamBlock];
      for (int i = 0; i < size; ++i) g[i] = sums[i][kMoments + c];
      const int64_t row = (kMoments + channel + c) * step.kernels;
      adam_direction(step, first + row, second + row, g, step.rate_expert, size, move);
      for (int i = 0; i < size; ++i) step.experts[(begin + i) * step.channels + channel + c] += move[i];
    }
  }
  auto kernel = [&](int i) { return Kernel{k[0][i], k[1][i], k[2][i], k[3][i], k[4][i], k[5][i]}; };
  auto moments = [&](int i) { return Moments{m[0][i], m[1][i], m[2][i], m[3][i], m[4][i], m[5][i]}; };
  for (int i = 0; i < kAdamBlock; ++i) {
    if (step.whitened) {
      const Whitened g = whitened_gradient(kernel(i), moments(i));
      gradient_of[0][i] = g.u, gradient_of[1][i] = g.v, gradient_of[2][i] = g.uu;
      gradient_of[3][i] = g.uv, gradient_of[4][i] = g.vv, gradient_of[5][i] = g.logit;
    } else {
      const Kernel g = gradient(kernel(i), moments(i));
      gradient_of[0][i] = g.y, gradient_of[1][i] = g.x, gradient_of[2][i] = g.r11;
      gradient_of[3][i] = g.r12, gradient_of[4][i] = g.r22, gradient_of[5][i] = g.logit;
    }
  }
  const float rates[kGeometry] = {step.rate_position, step.rate_position, step.rate_steering,
                                  step.rate_steering, step.rate_steering, step.rate_logit};
  for (int c = 0; c < kGeometry; ++c)
    adam_direction(step, first + c * step.kernels, second + c * step.kernels, gradient_of[c], rates[c], size, delta[c]);
  for (int i = 0; i < kAdamBlock; ++i) {
    Kernel moved = kernel(i);
    if (step.whitened) {
      retract(moved, {delta[5][i], delta[0][i], delta[1][i], delta[2][i], delta[3][i], delta[4][i]}, step.limits);
    } else {
      moved.y += delta[0][i], moved.x += delta[1][i], moved.r11 += delta[2][i];
      moved.r12 += delta[3][i], moved.r22 += delta[4][i], moved.logit += delta[5][i];
      keep_within(moved, step.limits);
    }
    k[0][i] = moved.y, k[1][i] = moved.x, k[2][i] = moved.r11;
    k[3][i] = moved.r12, k[4][i] = moved.r22, k[5][i] = moved.logit;
  }
  for (int i = 0; i < size; ++i) {
    for (int c = 0; c < kGeometry; ++c) step.geometry[(begin + i) * kGeometry + c] = k[c][i];
  }
}

void adam(const AdamStep& step, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j += kAdamBlock) {
    const int64_t size = end - j;
    adam_block(step, j, size < kAdamBlock ? static_cast<int>(size) : kAdamBlock);
  }
}

}  // namespace
}  // namespace rsmoe::cpu
