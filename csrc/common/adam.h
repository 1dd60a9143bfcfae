// The mathematics of Adam, shared by CPU and CUDA; F as in steering.h.
#pragma once
#include "steering.h"

namespace rsmoe {

// Added to the root of the second moment, in units of the gradient: a parameter whose gradients are smaller hardly
// moves, and one without gradient does not move at all.
constexpr float kAdamEpsilon = 1e-10f;

struct AdamRates {
  float position, steering, logit, expert;
};

struct AdamDecay {
  float beta1, beta2, correction1, correction2;  // corrections: 1 / (1 - beta^step)
};

// Adam's move of one parameter; first and second are its moments, updated.
template <class F> RSMOE_INLINE F adam_move(const AdamDecay& decay, F& first, F& second, F gradient, float rate) {
  first = decay.beta1 * first + (1.0f - decay.beta1) * gradient;
  second = decay.beta2 * second + (1.0f - decay.beta2) * gradient * gradient;
  return (-rate * decay.correction1) * first / (square_root(second * decay.correction2) + kAdamEpsilon);
}

// Moves a kernel against the gradient that its moments give. move(row, gradient, rate) returns Adam's move of the
// parameter whose moments are in that row of the state.
template <class F, class Move>
RSMOE_INLINE void move_kernel(KernelOf<F>& k, const MomentsOf<F>& m, bool whitened, const AdamRates& rates,
                              const Limits& limits, Move&& move) {
  if (whitened) {
    const WhitenedOf<F> g = whitened_gradient(k, m);
    retract(k,
            {move(0, g.u, rates.position), move(1, g.v, rates.position), move(2, g.uu, rates.steering),
             move(3, g.uv, rates.steering), move(4, g.vv, rates.steering), move(5, g.logit, rates.logit)},
            limits);
  } else {
    const KernelOf<F> g = gradient(k, m);
    k.y += move(0, g.y, rates.position);
    k.x += move(1, g.x, rates.position);
    k.r11 += move(2, g.r11, rates.steering);
    k.r12 += move(3, g.r12, rates.steering);
    k.r22 += move(4, g.r22, rates.steering);
    k.logit += move(5, g.logit, rates.logit);
    keep_within(k, limits);
  }
}

// Moves the slopes of a linear expert against their gradients, in the whitened frame of the kernel if `whitened`.
// move(which, gradient) returns Adam's move of the first or second slope.
template <class F, class Move>
RSMOE_INLINE void slope_moves(const KernelOf<F>& k, F by_y, F by_x, bool whitened, F& move_y, F& move_x, Move&& move) {
  if (whitened) {
    const F u = move(0, k.r11 * by_x + k.r12 * by_y), v = move(1, k.r22 * by_y);
    move_y = k.r12 * u + k.r22 * v;
    move_x = k.r11 * u;
  } else {
    move_y = move(0, by_y);
    move_x = move(1, by_x);
  }
}

// The plane of a linear expert moves with the kernel's centre: its part of the gradient of the centre. `expert` points
// to the value of a channel, whose slopes lie `channels` and 2 `channels` behind.
RSMOE_INLINE void hang_plane(KernelOf<float>& gradient, const float* expert, int32_t channels, float by_value) {
  gradient.y -= expert[channels] * by_value;
  gradient.x -= expert[2 * channels] * by_value;
}

}  // namespace rsmoe
