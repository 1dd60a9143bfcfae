// A whole image on all cores: render, its gradient, and the fused steps of a fit.
// Results do not depend on the number of threads: tiles write their own memory, sums run in a fixed order.
#pragma once
#include <cstdint>

#include "adam.h"
#include "lists.h"

namespace rsmoe::cpu {

// image: [channels, height, width]
void render(const Mixture&, float* image);

// grad_image: [channels, height, width]; writes dLoss/d(y, x, r11, r12, r22, logit) and dLoss/d(experts).
void render_backward(const Mixture&, const float* grad_image, float* grad_geometry, float* grad_experts);

// Seconds that each part of a fit took.
struct FitSeconds {
  double lists = 0, tiles = 0, optimiser = 0;
};

// losses: [steps], sum over pixels and channels of weight (value - target)^2 before each step.
FitSeconds fit(const FitSteps&, float* losses);

}  // namespace rsmoe::cpu
