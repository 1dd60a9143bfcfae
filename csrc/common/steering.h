// Mathematics of one kernel, shared by CPU and CUDA: gradients from moments, and the step in whitened coordinates.
// Everything is branch-free, so that a loop over kernels vectorises.
#pragma once
#include "constants.h"

#ifdef __CUDACC__
#define RSMOE_INLINE static __host__ __device__ __forceinline__
#define RSMOE_SQRT sqrtf
#else
#define RSMOE_INLINE static inline __attribute__((always_inline))
#define RSMOE_SQRT __builtin_sqrtf
#endif

namespace rsmoe {

struct Kernel {
  float y, x, r11, r12, r22, logit;
};

// Sums over pixels of q = dLoss/ds times 1, dy, dx, dy^2, dy dx, dx^2, with (dy, dx) = pixel - centre.
struct Moments {
  float one, y, x, yy, yx, xx;
};

// Gradient in the coordinates of Kernel; s = logit - |R d|^2 / 2, so ds/dmu = R^T R d.
RSMOE_INLINE Kernel gradient(const Kernel& k, const Moments& m) {
  const float p11 = k.r11 * k.r11, p12 = k.r11 * k.r12, p22 = k.r12 * k.r12 + k.r22 * k.r22;
  return {p12 * m.x + p22 * m.y,          p11 * m.x + p12 * m.y, -(k.r11 * m.xx + k.r12 * m.yx),
          -(k.r11 * m.yx + k.r12 * m.yy), -(k.r22 * m.yy),       m.one};
}

// ds = logit + du u + dv v + duu u^2 + duv u v + dvv v^2, with (u, v) = z the kernel's own whitened coordinates.
// As a gradient it holds the moments of q in that frame; as a step, the coefficients to add.
struct Whitened {
  float logit, u, v, uu, uv, vv;
};

RSMOE_INLINE Whitened whitened_gradient(const Kernel& k, const Moments& m) {
  return {m.one,
          k.r11 * m.x + k.r12 * m.y,
          k.r22 * m.y,
          k.r11 * k.r11 * m.xx + 2.0f * k.r11 * k.r12 * m.yx + k.r12 * k.r12 * m.yy,
          k.r22 * (k.r11 * m.yx + k.r12 * m.yy),
          k.r22 * k.r22 * m.yy};
}

struct Limits {
  float y_min, y_max, x_min, x_max;  // where centres may go
  float move;                        // pixels a centre may move in one step, along each axis
  float scale_min, scale_max;        // of 1 / r11 and 1 / r22, pixels
  float logit;                       // |logit| at most
};

RSMOE_INLINE float clamp(float v, float low, float high) {
  v = v < low ? low : v;
  return v > high ? high : v;
}

RSMOE_INLINE void keep_within(Kernel& k, const Limits& limits) {
  k.y = clamp(k.y, limits.y_min, limits.y_max);
  k.x = clamp(k.x, limits.x_min, limits.x_max);
  k.r11 = clamp(k.r11, 1.0f / limits.scale_max, 1.0f / limits.scale_min);
  k.r22 = clamp(k.r22, 1.0f / limits.scale_max, 1.0f / limits.scale_min);
  const float shear = 8.0f * k.r11 + 0.5f;  // bounds the aspect ratio that r12 can make
  k.r12 = clamp(k.r12, -shear, shear);
  k.logit = clamp(k.logit, -limits.logit, limits.logit);
}

// Retraction: s + ds is again a logit less a quadratic, whose matrix in the whitened frame is
// A = I - [[2 uu, uv], [uv, 2 vv]], kept positive definite. R <- chol(A)^T R, mu <- mu + R^-1 A^-1 (u, v).
RSMOE_INLINE void retract(Kernel& k, const Whitened& step, const Limits& limits) {
  const float a11 = clamp(1.0f - 2.0f * step.uu, 0.2f, 5.0f), a12 = clamp(-step.uv, -2.0f, 2.0f);
  const float a22 = clamp(1.0f - 2.0f * step.vv, 0.2f, 5.0f);
  const float c11 = RSMOE_SQRT(a11), c12 = a12 / c11;
  const float rest = a22 - c12 * c12;
  const float c22 = RSMOE_SQRT(rest > 0.05f ? rest : 0.05f);
  const float determinant = c11 * c11 * c22 * c22;
  const float zu = (a22 * step.u - a12 * step.v) / determinant;
  const float zv = (a11 * step.v - a12 * step.u) / determinant;
  const float dy = zv / k.r22, dx = (zu - k.r12 * dy) / k.r11;
  k.y += clamp(dy, -limits.move, limits.move);
  k.x += clamp(dx, -limits.move, limits.move);
  k.r12 = c11 * k.r12 + c12 * k.r22;
  k.r11 *= c11;
  k.r22 *= c22;
  k.logit += step.logit;
  keep_within(k, limits);
}

}  // namespace rsmoe
