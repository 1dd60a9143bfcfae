// Mathematics of culling, shared by CPU and CUDA. F is a float, or a vector of floats with a kernel in each lane, for
// which the includer declares larger() and smaller() before.
#pragma once
#include "steering.h"

namespace rsmoe {

RSMOE_INLINE float larger(float a, float b) { return a > b ? a : b; }
RSMOE_INLINE float smaller(float a, float b) { return a < b ? a : b; }
RSMOE_INLINE float zero_where(bool condition, float otherwise) { return condition ? 0.0f : otherwise; }

template <class F> struct BoundsOf {
  F low, high;  // smallest and largest s of a kernel in a box; low <= high, both kAbsent for an absent kernel
};

// A kernel that no tile keeps.
RSMOE_INLINE KernelOf<float> absent_kernel() { return {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, kAbsent}; }

// Where along an edge s is largest: x = -slope_x y on a horizontal one, y = -slope_y x on a vertical one.
template <class F> RSMOE_INLINE F slope_along_x(const KernelOf<F>& k) { return k.r12 / k.r11; }
template <class F> RSMOE_INLINE F slope_along_y(const KernelOf<F>& k) {
  return k.r11 * k.r12 / (k.r12 * k.r12 + k.r22 * k.r22);
}

// s over the box of pixel centres from (y0, x0) to (y1, x1), ends included. It is concave: its minimum is at a corner;
// its maximum at the centre if that is inside, else on an edge, where the best point of the edge's line is clamped into
// the edge.
template <class F>
RSMOE_INLINE BoundsOf<F> box_bounds(const KernelOf<F>& k, F slope_x, F slope_y, F y0, F x0, F y1, F x1) {
  const F top = y0 - k.y, bottom = y1 - k.y, left = x0 - k.x, right = x1 - k.x;
  const auto square = [&](F dy, F dx) {
    const F u = k.r11 * dx + k.r12 * dy, v = k.r22 * dy;
    return u * u + v * v;
  };
  const F farthest =
      larger(larger(square(top, left), square(top, right)), larger(square(bottom, left), square(bottom, right)));
  const auto along_x = [&](F dy) { return square(dy, smaller(larger(-slope_x * dy, left), right)); };
  const auto along_y = [&](F dx) { return square(smaller(larger(-slope_y * dx, top), bottom), dx); };
  F nearest = smaller(smaller(along_x(top), along_x(bottom)), smaller(along_y(left), along_y(right)));
  nearest = zero_where((top <= 0.0f) & (bottom >= 0.0f) & (left <= 0.0f) & (right >= 0.0f), nearest);
  const F low = k.logit - 0.5f * farthest;
  return {low, larger(k.logit - 0.5f * nearest, low)};  // the order holds in spite of rounding
}

// The threshold that the largest s of a kernel must reach for the kernel to be kept. `best` is the largest, over
// kernels, of their smallest s. The slack covers the rounding of a far kernel's s to float32. The kernel that sets
// `best` is always kept; absent kernels never are.
RSMOE_INLINE float gate_threshold(float best, float tau) {
  return larger(best - tau - 1e-5f * absolute(best), kLowestThreshold);
}

// Largest standard deviation of a kernel, from the eigenvalues of R^T R.
RSMOE_INLINE float longest_axis(const KernelOf<float>& k) {
  const double a = double{k.r11} * k.r11, b = double{k.r11} * k.r12;
  const double d = double{k.r12} * k.r12 + double{k.r22} * k.r22;
  const double determinant = double{k.r11} * k.r11 * k.r22 * k.r22;
  const double largest = 0.5 * (a + d + square_root((a - d) * (a - d) + 4 * b * b));
  return static_cast<float>(square_root(largest / determinant));
}

}  // namespace rsmoe
