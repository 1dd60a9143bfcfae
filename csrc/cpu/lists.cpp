#include "lists.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../torch_abi.h"
#include "aligned.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

constexpr int kBranch = 4;  // a box has 4 x 4 children

struct Level {
  int64_t side, boxes_y, boxes_x;
  std::vector<int64_t> start;
  std::vector<int32_t> ids;

  Level(int64_t side, int64_t height, int64_t width)
      : side(side), boxes_y((height + side - 1) / side), boxes_x((width + side - 1) / side) {}
};

struct Box {
  float y0, x0, y1, x1;  // pixel centres, ends included
};

// Scratch of one worker.
struct Candidates {
  AlignedFloats columns, low, high, reach;
  int64_t stride = 0, n = 0;

  void gather(const float* geometry, const int32_t* ids, int64_t count, float confidence) {
    n = count;
    stride = (count + 15) / 16 * 16;
    columns.reserve(8 * stride);
    low.reserve(stride);
    high.reserve(stride);
    simd().gather_columns(geometry, ids, n, 0.0f, 0.0f, columns.data(), stride);
    if (confidence > 0) {
      reach.reserve(stride);
      for (int64_t i = 0; i < n; ++i)
        reach.data()[i] = confidence * longest_axis(geometry + int64_t{ids[i]} * kGeometry);
    }
  }

  static float longest_axis(const float* k) {  // largest standard deviation: eigenvalues of R^T R
    const double a = double{k[kR11]} * k[kR11], b = double{k[kR11]} * k[kR12];
    const double d = double{k[kR12]} * k[kR12] + double{k[kR22]} * k[kR22];
    const double determinant = double{k[kR11]} * k[kR11] * k[kR22] * k[kR22];
    const double largest = 0.5 * (a + d + std::hypot(a - d, 2 * b));
    return static_cast<float>(std::sqrt(largest / determinant));
  }

  // Appends the positions that stay in the box.
  void select(const Box& box, const Culling& culling, bool leaf, const int32_t* ids, std::vector<int32_t>& out) {
    simd().box_bounds(columns.data(), stride, n, box.y0, box.x0, box.y1, box.x1, low.data(), high.data());
    const float best = culling.normalised ? *std::max_element(low.data(), low.data() + n) : 0.0f;
    const float slack = 1e-5f * std::fabs(best);  // rounding of a far kernel's s in float32
    const size_t before = out.size();
    for (int64_t i = 0; i < n; ++i) {
      const bool gate = high.data()[i] >= best - culling.tau - slack;
      if (culling.confidence > 0 ? in_square(i, box) || (!leaf && gate) : gate) out.push_back(ids[i]);
    }
    if (out.size() > before || culling.confidence <= 0 || !culling.normalised) return;
    for (int64_t i = 0; i < n; ++i)  // a tile outside every square keeps the best kernel: no holes
      if (low.data()[i] == best) return out.push_back(ids[i]);
  }

  bool in_square(int64_t i, const Box& box) {
    const float y = columns.data()[i], x = columns.data()[stride + i], r = reach.data()[i];
    return y + r >= box.y0 && y - r <= box.y1 && x + r >= box.x0 && x - r <= box.x1;
  }
};

Level refine(const Level& parent, const float* geometry, int64_t height, int64_t width, const Culling& culling) {
  Level child(parent.side / kBranch, height, width);
  const int64_t parents = parent.boxes_y * parent.boxes_x;
  struct Part {
    std::vector<int32_t> ids;
    int64_t counts[kBranch * kBranch] = {};
  };
  std::vector<Part> parts(static_cast<size_t>(parents));
  std::vector<Candidates> scratch(static_cast<size_t>(torch_abi::num_threads()));
  auto for_children = [&](int64_t p, auto&& visit) {
    const int64_t py = p / parent.boxes_x * kBranch, px = p % parent.boxes_x * kBranch;
    for (int64_t c = 0; c < kBranch * kBranch; ++c) {
      const int64_t y = py + c / kBranch, x = px + c % kBranch;
      if (y < child.boxes_y && x < child.boxes_x) visit(c, y, x);
    }
  };
  torch_abi::for_each_task(parents, [&](int64_t p, int64_t worker) {
    const int32_t* ids = parent.ids.data() + parent.start[p];
    const int64_t n = parent.start[p + 1] - parent.start[p];
    if (n == 0) return;
    Candidates& candidates = scratch[worker];
    candidates.gather(geometry, ids, n, culling.confidence);
    Part& part = parts[p];
    for_children(p, [&](int64_t c, int64_t y, int64_t x) {
      const auto side = static_cast<float>(child.side);
      const Box box{y * side, x * side, y * side + side - 1, x * side + side - 1};
      const auto before = static_cast<int64_t>(part.ids.size());
      candidates.select(box, culling, child.side == kTile, ids, part.ids);
      part.counts[c] = static_cast<int64_t>(part.ids.size()) - before;
    });
  });
  child.start.assign(static_cast<size_t>(child.boxes_y * child.boxes_x + 1), 0);
  for (int64_t p = 0; p < parents; ++p)
    for_children(p,
                 [&](int64_t c, int64_t y, int64_t x) { child.start[y * child.boxes_x + x + 1] = parts[p].counts[c]; });
  std::partial_sum(child.start.begin(), child.start.end(), child.start.begin());
  torch_abi::check(child.start.back() <= std::numeric_limits<int32_t>::max(),
                   "too many (tile, kernel) pairs; use fewer kernels, a smaller image or rasterized=True");
  child.ids.resize(static_cast<size_t>(child.start.back()));
  torch_abi::for_each_task(parents, [&](int64_t p, int64_t) {
    const int32_t* from = parts[p].ids.data();
    for_children(p, [&](int64_t c, int64_t y, int64_t x) {
      std::copy_n(from, parts[p].counts[c], child.ids.data() + child.start[y * child.boxes_x + x]);
      from += parts[p].counts[c];
    });
  });
  return child;
}

}  // namespace

int32_t TileLists::longest() const {
  int32_t most = 0;
  for (int64_t t = 0; t < tiles(); ++t) most = std::max(most, count(t));
  return most;
}

TileLists build_lists(const float* geometry, int64_t kernels, int64_t height, int64_t width, const Culling& culling) {
  int64_t side = kTile;
  while (side < std::max(height, width)) side *= kBranch;
  if (side == kTile) side *= kBranch;  // at least one refinement, which is what selects
  Level level(side, height, width);
  level.start = {0, kernels};
  level.ids.resize(static_cast<size_t>(kernels));
  std::iota(level.ids.begin(), level.ids.end(), 0);
  while (level.side > kTile) level = refine(level, geometry, height, width, culling);
  return {level.boxes_y, level.boxes_x, std::move(level.start), std::move(level.ids)};
}

KernelPairs invert(const TileLists& lists, int64_t kernels) {
  KernelPairs result;
  result.start.assign(static_cast<size_t>(kernels + 1), 0);
  for (const int32_t id : lists.ids) ++result.start[id + 1];
  std::partial_sum(result.start.begin(), result.start.end(), result.start.begin());
  std::vector<int64_t> next(result.start.begin(), result.start.end() - 1);
  result.pairs.resize(lists.ids.size());
  for (size_t p = 0; p < lists.ids.size(); ++p) result.pairs[next[lists.ids[p]]++] = static_cast<int32_t>(p);
  return result;
}

}  // namespace rsmoe::cpu
