// A whole image on all cores: render, its gradient, and the fused steps of a fit.
// Results do not depend on the number of threads: tiles write their own memory, sums run in a fixed order.
#pragma once
#include <cstdint>

#include "adam.h"
#include "lists.h"

namespace rsmoe::cpu {

struct Mixture {
  const float* geometry;  // [kernels, 6]
  const float* experts;   // [kernels, channels], or when linear [kernels, 3 channels]: values, slopes along y and x
  int64_t kernels;
  int32_t channels;
  bool linear;
  int64_t height, width;
  Culling culling;
};

// image: [channels, height, width]
void render(const Mixture&, float* image);

// grad_image: [channels, height, width]; writes dLoss/d(y, x, r11, r12, r22, logit) and dLoss/d(experts).
void render_backward(const Mixture&, const float* grad_image, float* grad_geometry, float* grad_experts);

struct FitSteps {
  float* geometry;  // [kernels, 6], updated
  float* experts;   // [kernels, expert columns], updated
  float* state;     // [2, 6 + expert columns, kernels], updated
  int64_t kernels;
  int32_t channels;
  bool linear;
  int64_t height, width;
  const float* target;  // [tiles, channels, 256]
  const float* weight;  // [tiles, 256] or null
  int32_t block;        // side in pixels of the squares whose means are compared with the target; divides 16
  const float* rates;   // [steps, 4]: position, steering, logit, expert
  int64_t first_step, steps;
  int64_t list_interval;  // steps between two list builds
  float list_margin;      // nats by which lists exceed tau, so that they stay valid in between
  float beta1, beta2;
  bool whitened;
  Culling culling;
  Limits limits;
};

// Where the time of a fit went.
struct FitSeconds {
  double lists = 0, tiles = 0, optimiser = 0;
};

// losses: [steps], sum over pixels and channels of weight (value - target)^2 before each step.
FitSeconds fit(const FitSteps&, float* losses);

}  // namespace rsmoe::cpu
