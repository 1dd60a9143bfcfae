// The requests to the engine of any device. Pointers refer to memory of the device.
#pragma once
#include <cstdint>

#include "steering.h"

namespace rsmoe {

struct Culling {
  float tau;         // margin in nats; infinity keeps every kernel (global mixture)
  bool normalised;   // SMoE; for the RBF kernels are measured against 1 instead of against each other
  float confidence;  // > 0: the paper's selection instead, the square around the ellipse |z| <= confidence
};

RSMOE_INLINE int32_t expert_columns(int32_t channels, bool linear) { return linear ? 3 * channels : channels; }

// Several models of the same raster, one after the other in all arrays. The CPU processes them one at a time.
struct Mixture {
  const float* geometry;  // [models, kernels, 6]
  const float* experts;   // [models, kernels, channels], or when linear 3 channels: values, slopes along y and x
  int64_t kernels;        // of each model
  int32_t channels;
  bool linear;
  int64_t height, width;
  Culling culling;
  int32_t models = 1;
};

struct FitSteps {
  float* geometry;  // [models, kernels, 6], updated
  float* experts;   // [models, kernels, expert columns], updated
  float* state;     // [models, 2, 6 + expert columns, kernels], updated
  int64_t kernels;  // of each model
  int32_t channels;
  bool linear;
  int64_t height, width;
  const float* target;  // [models, tiles, channels, 256]
  const float* weight;  // [models, tiles, 256] or null
  int32_t block;        // side in pixels of the squares whose means are compared with the target; divides 16
  const float* rates;   // [steps, 4]: position, steering, logit, expert; in the host's memory
  int64_t first_step, steps;
  int64_t list_interval;  // steps between two list builds
  float list_margin;      // nats by which lists exceed tau, so that they stay valid in between
  float beta1, beta2;
  bool whitened;
  Culling culling;
  Limits limits;
  int32_t models = 1;
};

}  // namespace rsmoe
