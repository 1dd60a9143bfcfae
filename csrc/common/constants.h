// Numbers that every device shares.
#pragma once
#include <cstdint>

namespace rsmoe {

constexpr int kTile = 16;                               // tile side in pixels
constexpr int kTilePixels = kTile * kTile;              // pixels of a tile
constexpr int kGeometry = 6;                            // floats of a kernel: y, x, r11, r12, r22, logit
constexpr int kMoments = 6;                             // raw moments of q: 1, dy, dx, dy^2, dy dx, dx^2
constexpr float kLog2E = 1.44269504088896340f;          // exp(s) = 2^(s log2 e)
constexpr float kRootHalfLog2E = 0.84932180028801904f;  // scales z so that |z|^2 is the exponent of 2

// Offsets into a kernel's geometry.
enum Field : int { kY = 0, kX = 1, kR11 = 2, kR12 = 3, kR22 = 4, kLogit = 5 };

}  // namespace rsmoe
