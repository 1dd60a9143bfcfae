// Constants shared by all devices.
#pragma once
#include <cstdint>

namespace rsmoe {

constexpr int kTile = 16;                               // tile side in pixels
constexpr int kTilePixels = kTile * kTile;              // pixels of a tile
constexpr int kGeometry = 6;                            // floats of a kernel: y, x, r11, r12, r22, logit
constexpr int kMoments = 6;                             // raw moments of q: 1, dy, dx, dy^2, dy dx, dx^2
constexpr float kLog2E = 1.44269504088896340f;          // exp(s) = 2^(s log2 e)
constexpr float kRootHalfLog2E = 0.84932180028801904f;  // scales z so that |z|^2 is the exponent of 2

// Bounds of the kernels that the engine renders. Within these bounds no intermediate result of a tile overflows, so
// none is NaN; a kernel beyond them, or with a number that is not finite, counts as absent.
// src/napari_rsmoe/engine/bounds.py repeats the first five. All but the side bound sums of absolute values.
constexpr int32_t kMostSide = 1 << 24;  // Pixels along y or x. Up to it float32 holds the place of every pixel.
constexpr float kMostCenter =
    6.87194767e10f;  // 2^36 pixels, |y| + |x| of a centre. A whole image at the largest zoom lies within.
constexpr float kMostSteering = 33554432.0f;   // 2^25 per pixel, |r11| + |r12| + |r22|. Then |z|^2 stays below 2^124.
constexpr float kMostLogit = 1.12589991e15f;   // 2^50. Logits grow with the square of a sharpening.
constexpr float kMostExpert = 1.12589991e15f;  // 2^50, sum of the absolute columns of an expert
constexpr float kMostLog2Gate = 30.0f;         // Base-2 logarithm at which a gate of a sum of Gaussians saturates.
constexpr float kAbsent = -3e38f;  // s of a kernel that is absent, far below that of any kernel that can be drawn
constexpr float kLowestThreshold =
    -1e38f;  // Lowest threshold of culling, above kAbsent: absent kernels are always left out.

// Offsets into a kernel's geometry.
enum Field : int { kY = 0, kX = 1, kR11 = 2, kR12 = 3, kR22 = 4, kLogit = 5 };

}  // namespace rsmoe
