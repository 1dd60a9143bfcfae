// The lists of kernels that matter to each tile, by gate culling from coarse boxes to tiles.
//
// In a box, `low` is the largest, over kernels, of a kernel's smallest s. A kernel whose largest s is below
// low - tau has a gate below exp(-tau) at every pixel of the box, hence in every smaller box inside: so lists of
// coarse boxes can be refined. The kernel that sets `low` always stays: no pixel is ever without a kernel, unless no
// kernel of the mixture can be drawn (common/constants.h) or the kernels are summed (RBF).
#pragma once
#include <cstdint>
#include <vector>

#include "../common/mixture.h"

namespace rsmoe::cpu {

struct TileLists {
  int64_t tiles_y = 0, tiles_x = 0;
  std::vector<int64_t> start;  // [tiles + 1]
  std::vector<int32_t> ids;    // [pairs] kernels of each tile, ascending

  int64_t tiles() const { return tiles_y * tiles_x; }
  int64_t pairs() const { return static_cast<int64_t>(ids.size()); }
  int32_t count(int64_t tile) const { return static_cast<int32_t>(start[tile + 1] - start[tile]); }
  int32_t longest() const;
};

// The pairs of each kernel, in tile order.
struct KernelPairs {
  std::vector<int64_t> start;  // [kernels + 1]
  std::vector<int32_t> pairs;
};

// The experts of the mixture may be null; then no kernel is left out because of its expert.
TileLists build_lists(const Mixture&, const Culling&);
KernelPairs invert(const TileLists&, int64_t kernels);

}  // namespace rsmoe::cpu
