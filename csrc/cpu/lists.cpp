#include "lists.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "../common/culling.h"
#include "../threads.h"
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

// The scratch memory of one worker.
struct Candidates {
  AlignedFloats columns, bounds, reach;
  std::vector<int32_t> chosen;
  int64_t stride = 0, n = 0;

  void gather(const float* geometry, const int32_t* ids, int64_t count, float confidence) {
    n = count;
    stride = (count + 15) / 16 * 16;
    columns.reserve(8 * stride);
    bounds.reserve(2 * stride);
    simd().gather_columns(geometry, ids, n, 0.0f, 0.0f, columns.data(), stride);
    if (confidence > 0) {
      reach.reserve(stride);
      for (int64_t i = 0; i < n; ++i)
        reach.data()[i] = confidence * longest_axis(load_kernel(geometry + int64_t{ids[i]} * kGeometry));
    }
  }

  // Appends the ids of the kernels that matter to the box (y0, x0, y1, x1).
  void select(const float* box, const Culling& culling, bool leaf, const int32_t* ids, std::vector<int32_t>& out) {
    const size_t before = out.size();
    out.resize(before + static_cast<size_t>(n));
    int32_t* end = out.data() + before;
    if (culling.confidence <= 0)
      end += by_gates(box, culling.tau, culling.normalised, ids, end);
    else
      end += by_ellipse(box, culling, leaf, ids, end);
    out.resize(static_cast<size_t>(end - out.data()));
  }

 private:
  int64_t by_gates(const float* box, float tau, bool normalised, const int32_t* ids, int32_t* out) {
    return simd().cull(columns.data(), stride, n, ids, box, tau, normalised, bounds.data(), out);
  }

  // A tile takes the kernels whose squares meet it, and its best kernel if there is none, so that the image has no
  // holes. Coarse boxes therefore also take the kernels that the gates keep. A sum of Gaussians may have empty tiles.
  int64_t by_ellipse(const float* box, const Culling& culling, bool leaf, const int32_t* ids, int32_t* out) {
    std::vector<char>& keep = marks;
    keep.assign(static_cast<size_t>(n), 0);
    const auto mark_by_gates = [&](float tau) {
      chosen.resize(static_cast<size_t>(n));
      const int64_t count = by_gates(box, tau, culling.normalised, ids, chosen.data());
      for (int64_t c = 0, i = 0; c < count; ++i)
        if (ids[i] == chosen[c]) keep[i] = 1, ++c;
    };
    bool any = false;
    for (int64_t i = 0; i < n; ++i) any |= (keep[i] = in_square(i, box)) != 0;
    if (!leaf) mark_by_gates(culling.tau);
    if (leaf && !any && culling.normalised) mark_by_gates(0.0f);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; ++i)
      if (keep[i]) out[kept++] = ids[i];
    return kept;
  }

  bool in_square(int64_t i, const float* box) {
    const float y = columns.data()[i], x = columns.data()[stride + i], r = reach.data()[i];
    return y + r >= box[0] && y - r <= box[2] && x + r >= box[1] && x - r <= box[3];
  }

  std::vector<char> marks;
};

Level refine(const Level& parent, const float* geometry, int64_t height, int64_t width, const Culling& culling) {
  Level child(parent.side / kBranch, height, width);
  const int64_t parents = parent.boxes_y * parent.boxes_x;
  struct Part {
    std::vector<int32_t> ids;
    int64_t counts[kBranch * kBranch] = {};
  };
  std::vector<Part> parts(static_cast<size_t>(parents));
  std::vector<Candidates> scratch(static_cast<size_t>(worker_count()));
  auto for_children = [&](int64_t p, auto&& visit) {
    const int64_t py = p / parent.boxes_x * kBranch, px = p % parent.boxes_x * kBranch;
    for (int64_t c = 0; c < kBranch * kBranch; ++c) {
      const int64_t y = py + c / kBranch, x = px + c % kBranch;
      if (y < child.boxes_y && x < child.boxes_x) visit(c, y, x);
    }
  };
  for_each_task(
      parents,
      [&](int64_t p, int64_t worker) {
        const int32_t* ids = parent.ids.data() + parent.start[p];
        const int64_t n = parent.start[p + 1] - parent.start[p];
        if (n == 0) return;
        Candidates& candidates = scratch[worker];
        candidates.gather(geometry, ids, n, culling.confidence);
        Part& part = parts[p];
        for_children(p, [&](int64_t c, int64_t y, int64_t x) {
          const auto side = static_cast<float>(child.side);
          const float box[4] = {y * side, x * side, y * side + side - 1, x * side + side - 1};
          const auto before = static_cast<int64_t>(part.ids.size());
          candidates.select(box, culling, child.side == kTile, ids, part.ids);
          part.counts[c] = static_cast<int64_t>(part.ids.size()) - before;
        });
      },
      static_cast<int64_t>(scratch.size()));
  child.start.assign(static_cast<size_t>(child.boxes_y * child.boxes_x + 1), 0);
  for (int64_t p = 0; p < parents; ++p)
    for_children(p,
                 [&](int64_t c, int64_t y, int64_t x) { child.start[y * child.boxes_x + x + 1] = parts[p].counts[c]; });
  std::partial_sum(child.start.begin(), child.start.end(), child.start.begin());
  torch_abi::check(child.start.back() <= std::numeric_limits<int32_t>::max(),
                   "too many (tile, kernel) pairs; use fewer kernels, a smaller image or rasterized=True");
  child.ids.resize(static_cast<size_t>(child.start.back()));
  for_each_task(parents, [&](int64_t p, int64_t) {
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

TileLists build_lists(const Mixture& m, const Culling& culling) {
  int64_t side = kTile;
  while (side < std::max(m.height, m.width)) side *= kBranch;
  if (side == kTile) side *= kBranch;  // Kernels are selected by refinement, so there must be one at least.
  Level level(side, m.height, m.width);
  const int32_t columns = expert_columns(m.channels, m.linear);
  level.ids.reserve(static_cast<size_t>(m.kernels));
  for (int64_t i = 0; i < m.kernels; ++i) {
    const bool drawable = is_drawable(load_kernel(m.geometry + i * kGeometry), kMostCenter) &&
                          (!m.experts || is_drawable_expert(m.experts + i * columns, columns));
    if (drawable) level.ids.push_back(static_cast<int32_t>(i));
  }
  level.start = {0, static_cast<int64_t>(level.ids.size())};
  while (level.side > kTile) level = refine(level, m.geometry, m.height, m.width, culling);
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
