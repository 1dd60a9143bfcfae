// Mathematics of one kernel, shared by CPU and CUDA: gradients from moments, and the step in whitened coordinates.
// F is a float, or a vector of floats with one kernel in each lane. Therefore nothing branches, and a vector type has
// its own clamp, absolute and square_root, declared before this file is included.
#pragma once
#include "constants.h"

#ifdef __CUDACC__
#define RSMOE_INLINE static __host__ __device__ __forceinline__
#else
#define RSMOE_INLINE static inline __attribute__((always_inline))
#endif

namespace rsmoe {

RSMOE_INLINE float clamp(float v, float low, float high) {
  v = v < low ? low : v;
  return v > high ? high : v;
}

RSMOE_INLINE float absolute(float v) { return v < 0.0f ? -v : v; }

RSMOE_INLINE float square_root(float v) {
#ifdef __CUDACC__
  return sqrtf(v);
#else
  return __builtin_sqrtf(v);
#endif
}

RSMOE_INLINE double square_root(double v) {
#ifdef __CUDACC__
  return sqrt(v);
#else
  return __builtin_sqrt(v);
#endif
}

template <class F> struct KernelOf {
  F y, x, r11, r12, r22, logit;
};

// Whether a kernel can be rendered: false if one of its numbers is NaN or infinite, or beyond the bounds of
// constants.h. `most_center` is kMostCenter, or twice as much where positions are relative to a tile. A vector type
// brings its own absolute().
template <class F> RSMOE_INLINE auto is_drawable(const KernelOf<F>& k, float most_center) {
  return (absolute(k.y) + absolute(k.x) <= most_center) &
         (absolute(k.r11) + absolute(k.r12) + absolute(k.r22) <= kMostSteering) & (absolute(k.logit) <= kMostLogit);
}

// Whether an expert of `columns` values and slopes can be drawn.
RSMOE_INLINE bool is_drawable_expert(const float* expert, int32_t columns) {
  float sum = 0.0f;
  for (int32_t c = 0; c < columns; ++c) sum += absolute(expert[c]);
  return sum <= kMostExpert;
}

// Sums over pixels of q = dLoss/ds times 1, dy, dx, dy^2, dy dx, dx^2, with (dy, dx) = pixel - centre.
template <class F> struct MomentsOf {
  F one, y, x, yy, yx, xx;
};

// Gradient in the coordinates of KernelOf; s = logit - |R d|^2 / 2, so ds/dmu = R^T R d.
template <class F> RSMOE_INLINE KernelOf<F> gradient(const KernelOf<F>& k, const MomentsOf<F>& m) {
  const F p11 = k.r11 * k.r11, p12 = k.r11 * k.r12, p22 = k.r12 * k.r12 + k.r22 * k.r22;
  return {p12 * m.x + p22 * m.y,          p11 * m.x + p12 * m.y, -(k.r11 * m.xx + k.r12 * m.yx),
          -(k.r11 * m.yx + k.r12 * m.yy), -(k.r22 * m.yy),       m.one};
}

// ds = logit + du u + dv v + duu u^2 + duv u v + dvv v^2, with (u, v) = z the kernel's own whitened coordinates.
// As a gradient it holds the moments of q in that frame; as a step, the coefficients to add.
template <class F> struct WhitenedOf {
  F u, v, uu, uv, vv, logit;
};

template <class F> RSMOE_INLINE WhitenedOf<F> whitened_gradient(const KernelOf<F>& k, const MomentsOf<F>& m) {
  return {k.r11 * m.x + k.r12 * m.y,
          k.r22 * m.y,
          k.r11 * k.r11 * m.xx + 2.0f * k.r11 * k.r12 * m.yx + k.r12 * k.r12 * m.yy,
          k.r22 * (k.r11 * m.yx + k.r12 * m.yy),
          k.r22 * k.r22 * m.yy,
          m.one};
}

struct Limits {
  float y_min, y_max, x_min, x_max;  // bounds of the centres
  float move;                        // pixels a centre may move in one step, along each axis
  float scale_min, scale_max;        // of 1 / r11 and 1 / r22, pixels
  float logit;                       // |logit| at most
};

template <class F> RSMOE_INLINE void keep_within(KernelOf<F>& k, const Limits& limits) {
  const F zero = k.y * 0.0f;
  const auto within = [&](F v, float low, float high) { return clamp(v, zero + low, zero + high); };
  k.y = within(k.y, limits.y_min, limits.y_max);
  k.x = within(k.x, limits.x_min, limits.x_max);
  k.r11 = within(k.r11, 1.0f / limits.scale_max, 1.0f / limits.scale_min);
  k.r22 = within(k.r22, 1.0f / limits.scale_max, 1.0f / limits.scale_min);
  const F shear = 8.0f * k.r11 + 0.5f;  // bounds the aspect ratio that r12 can make
  k.r12 = clamp(k.r12, -shear, shear);
  k.logit = within(k.logit, -limits.logit, limits.logit);
}

// Retraction: s + ds is again a logit less a quadratic, whose matrix in the whitened frame is
// A = I - [[2 uu, uv], [uv, 2 vv]], kept positive definite. R <- chol(A)^T R, mu <- mu + R^-1 A^-1 (u, v).
template <class F> RSMOE_INLINE void retract(KernelOf<F>& k, const WhitenedOf<F>& step, const Limits& limits) {
  const F zero = step.uu * 0.0f;
  const auto within = [&](F v, float low, float high) { return clamp(v, zero + low, zero + high); };
  const F a11 = within(1.0f - 2.0f * step.uu, 0.2f, 5.0f), a12 = within(-step.uv, -2.0f, 2.0f);
  const F a22 = within(1.0f - 2.0f * step.vv, 0.2f, 5.0f);
  const F c11 = square_root(a11), c12 = a12 / c11;
  const F c22 = square_root(within(a22 - c12 * c12, 0.05f, 5.0f));
  const F determinant = c11 * c11 * c22 * c22;
  const F zu = (a22 * step.u - a12 * step.v) / determinant;
  const F zv = (a11 * step.v - a12 * step.u) / determinant;
  const F dy = zv / k.r22, dx = (zu - k.r12 * dy) / k.r11;
  k.y += within(dy, -limits.move, limits.move);
  k.x += within(dx, -limits.move, limits.move);
  k.r12 = c11 * k.r12 + c12 * k.r22;
  k.r11 *= c11;
  k.r22 *= c22;
  k.logit += step.logit;
  keep_within(k, limits);
}

using Kernel = KernelOf<float>;
using Moments = MomentsOf<float>;

// A row of the geometry.
RSMOE_INLINE Kernel load_kernel(const float* row) {
  return {row[kY], row[kX], row[kR11], row[kR12], row[kR22], row[kLogit]};
}
RSMOE_INLINE void store_kernel(float* row, const Kernel& k) {
  row[kY] = k.y;
  row[kX] = k.x;
  row[kR11] = k.r11;
  row[kR12] = k.r12;
  row[kR22] = k.r22;
  row[kLogit] = k.logit;
}

// Log2 of a kernel's gate, up to a constant of the pixel, (dy, dx) from its centre. In float64: far from every kernel
// it is so large that float32 cannot tell kernels apart.
RSMOE_INLINE double exact_exponent(const Kernel& k, double dy, double dx) {
  const double u = k.r11 * dx + k.r12 * dy, v = k.r22 * dy;
  return 1.4426950408889634 * (k.logit - 0.5 * (u * u + v * v));
}

}  // namespace rsmoe
