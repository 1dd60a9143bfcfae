// One step of Adam: sum the gradients of each kernel over its tiles in a fixed order, then move the kernel.
#pragma once
#include <cstdint>

#include "../common/adam.h"

namespace rsmoe::cpu {

constexpr int kPairPadding = 16;  // floats behind the last pair's gradient that vector loads may read

struct AdamStep {
  float* geometry;  // [L, 6], updated
  float* experts;   // [L, channels] or, linear, [L, 3 channels], updated
  float* state;     // [2, 6 + expert columns, L]: first and second moments
  int64_t kernels;
  int32_t channels;
  int32_t linear;
  const float* pair_gradients;  // [pairs, 6 + expert columns]
  const int64_t* kernel_start;  // [L + 1] into kernel_pairs
  const int32_t* kernel_pairs;  // [pairs] the pairs of each kernel, in tile order
  int32_t whitened;             // 1: coordinates of steering.h's Whitened; 0: y, x, r11, r12, r22, logit
  AdamRates rates;
  AdamDecay decay;
  Limits limits;

  int32_t expert_columns() const { return linear ? 3 * channels : channels; }
};

}  // namespace rsmoe::cpu
