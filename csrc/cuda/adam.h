// Sums the gradients of each kernel over its tiles, and returns the sum or takes a step of Adam with it.
#pragma once
#include "../common/adam.h"
#include "../common/mixture.h"
#include "lists.h"
#include "runtime.h"

namespace rsmoe::cuda {

// The pairs of each kernel lie one after the other: [slots, 6 + expert columns].
struct Pairs {
  const float* values;
  const int32_t* kernel_start;  // [kernels + 1]
  int64_t kernels;              // of all models
  int32_t channels;
  bool linear;
};

// Writes dLoss/d(y, x, r11, r12, r22, logit), [kernels, 6], and dLoss/d(experts), [kernels, expert columns].
void gather_gradients(const Pairs&, const Mixture&, float* grad_geometry, float* grad_experts, const Status*,
                      cudaStream_t);

struct AdamStep {
  float* geometry;
  float* experts;
  float* state;  // [models, 2, 6 + expert columns, kernels]
  AdamRates rates;
  AdamDecay decay;
  bool whitened;
  Limits limits;
  const float* tile_loss;  // [channel groups, models x tiles]
  int32_t groups, models;
  int64_t tiles;       // of all models
  float* losses;       // [models, steps], at this step
  int64_t steps;       // of the fit
  int64_t steps_done;  // steps that are done after this one
};

// One step of Adam on all kernels; also sums the loss.
void adam(const AdamStep&, const Pairs&, Status*, cudaStream_t);

}  // namespace rsmoe::cuda
