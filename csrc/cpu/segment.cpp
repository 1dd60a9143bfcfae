#include "segment.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../threads.h"

namespace rsmoe::cpu {
namespace {

constexpr double kSeedWeight = 0.62;  // weight of the distance to the segment's seed
constexpr double kStepWeight = 0.38;  // weight of the distance to the pixel it was reached from
constexpr double kCentroidWeight =
    2.0;  // Weight, in a merge, of squared distance in pixels relative to squared difference in colour.
constexpr std::int32_t kMinSegment = 50;  // px. Smaller segments are merged.
constexpr std::int32_t kMinIsland = 30;   // px. Smaller 4-connected parts join a neighbouring segment.
constexpr std::int32_t kNone = -1;
constexpr std::int32_t kPixelsUnasked = 1 << 16;  // Pixels or segments between two checks whether the work is to stop.

struct Image {
  const float* values;
  std::int32_t height, width, channels;

  std::int32_t pixels() const { return height * width; }
  const float* at(std::int32_t pixel) const { return values + static_cast<std::size_t>(pixel) * channels; }

  double distance2(std::int32_t p, std::int32_t q) const {
    const float *a = at(p), *b = at(q);
    double sum = 0;
    for (std::int32_t c = 0; c < channels; ++c) {
      const double d = static_cast<double>(a[c]) - static_cast<double>(b[c]);
      sum += d * d;
    }
    return sum;
  }

  // Calls visit(neighbour) for the 4- or 8-neighbours of a pixel.
  template <bool kCorners, typename Visit>
  void for_neighbours(std::int32_t pixel, Visit visit) const {
    const std::int32_t y = pixel / width, x = pixel % width;
    const bool left = x > 0, right = x + 1 < width;
    if (y > 0) {
      if (kCorners && left) visit(pixel - width - 1);
      visit(pixel - width);
      if (kCorners && right) visit(pixel - width + 1);
    }
    if (left) visit(pixel - 1);
    if (right) visit(pixel + 1);
    if (y + 1 < height) {
      if (kCorners && left) visit(pixel + width - 1);
      visit(pixel + width);
      if (kCorners && right) visit(pixel + width + 1);
    }
  }
};

// Labels the regions that spread over 4-neighbours from their first pixel in raster order; joins(p, from,
// seed) says whether p belongs to the seed's region when it is reached from a member of it. Returns the
// number of regions.
template <typename Joins>
std::int32_t grow_regions(const Image& image, Joins joins, std::int32_t* labels) {
  std::fill(labels, labels + image.pixels(), kNone);
  // A stack suffices, because the region does not depend on the order in which members are visited.
  std::vector<std::int32_t> front;
  std::int32_t count = 0, visited = 0;
  for (std::int32_t seed = 0; seed < image.pixels(); ++seed) {
    if (labels[seed] != kNone) continue;
    labels[seed] = count;
    front.push_back(seed);
    while (!front.empty()) {
      const std::int32_t from = front.back();
      front.pop_back();
      if (++visited % kPixelsUnasked == 0) stop_if_asked();
      image.for_neighbours<false>(from, [&](std::int32_t p) {
        if (labels[p] == kNone && joins(p, from, seed)) {
          labels[p] = count;
          front.push_back(p);
        }
      });
    }
    ++count;
  }
  return count;
}

// Regions that can be merged: a disjoint-set forest with sums of colour and position, and the pixels of every
// region as a linked list.
class Regions {
 public:
  Regions(const Image& image, const std::int32_t* labels, std::int32_t count)
      : image_(image), labels_(labels), stride_(image.channels + 2), next_(image.pixels(), kNone), nodes_(count),
        sums_(static_cast<std::size_t>(count) * stride_, 0.0) {
    for (std::int32_t r = 0; r < count; ++r) nodes_[r] = {r, 0, kNone, kNone};
    for (std::int32_t p = 0; p < image.pixels(); ++p) {
      Node& node = nodes_[labels[p]];
      if (node.size++ == 0) {
        node.first = p;
      } else {
        next_[node.last] = p;
      }
      node.last = p;
      double* sum = sums(labels[p]);
      for (std::int32_t c = 0; c < image.channels; ++c) sum[c] += static_cast<double>(image.at(p)[c]);
      sum[image.channels] += p / image.width;
      sum[image.channels + 1] += p % image.width;
    }
  }

  std::int32_t size(std::int32_t region) const { return nodes_[region].size; }
  std::int32_t first_pixel(std::int32_t region) const { return nodes_[region].first; }

  // The region to which a pixel belongs at present.
  std::int32_t region_of(std::int32_t pixel) {
    std::int32_t r = labels_[pixel];
    while (nodes_[r].parent != r) {
      nodes_[r].parent = nodes_[nodes_[r].parent].parent;
      r = nodes_[r].parent;
    }
    return r;
  }

  // Calls visit(pixel, its region) for every pixel that touches the region from outside, once per contact.
  template <bool kCorners, typename Visit>
  void for_border(std::int32_t region, Visit visit) {
    for (std::int32_t p = nodes_[region].first; p != kNone; p = next_[p]) {
      image_.for_neighbours<kCorners>(p, [&](std::int32_t q) {
        const std::int32_t other = region_of(q);
        if (other != region) visit(q, other);
      });
    }
  }

  // |difference of mean colours|^2 + kCentroidWeight |difference of centroids|^2
  double merge_cost(std::int32_t a, std::int32_t b) const {
    double colour = 0, centroid = 0;
    for (std::int32_t c = 0; c < stride_; ++c) {
      const double d = mean(a, c) - mean(b, c);
      (c < image_.channels ? colour : centroid) += d * d;
    }
    return colour + kCentroidWeight * centroid;
  }

  // |mean colour of the region - colour of the pixel|^2
  double colour_cost(std::int32_t region, std::int32_t pixel) const {
    double colour = 0;
    for (std::int32_t c = 0; c < image_.channels; ++c) {
      const double d = mean(region, c) - static_cast<double>(image_.at(pixel)[c]);
      colour += d * d;
    }
    return colour;
  }

  // `from` becomes part of `into`, which keeps its number.
  void merge(std::int32_t from, std::int32_t into) {
    Node &a = nodes_[from], &b = nodes_[into];
    a.parent = into;
    b.size += a.size;
    next_[b.last] = a.first;
    b.last = a.last;
    for (std::int32_t c = 0; c < stride_; ++c) sums(into)[c] += sums(from)[c];
  }

 private:
  struct Node {
    std::int32_t parent, size, first, last;  // first and last pixel of the list
  };

  double* sums(std::int32_t region) { return sums_.data() + static_cast<std::size_t>(region) * stride_; }
  double mean(std::int32_t region, std::int32_t c) const {
    return sums_[static_cast<std::size_t>(region) * stride_ + c] / nodes_[region].size;
  }

  const Image& image_;
  const std::int32_t* labels_;
  std::int32_t stride_;  // colour channels, then y, then x
  std::vector<std::int32_t> next_;
  std::vector<Node> nodes_;
  std::vector<double> sums_;
};

// The cheapest candidate so far. The first one is taken whatever its cost, so that there is one even if costs are NaN.
struct Best {
  std::int32_t candidate = kNone;
  double cost = 0;

  void offer(std::int32_t other, double other_cost) {
    if (candidate == kNone || other_cost < cost || (other_cost == cost && other < candidate)) {
      candidate = other;
      cost = other_cost;
    }
  }
};

// Merges small segments. Each region that the loop has passed is large enough or has been merged, so one pass in label
// order leaves no small segment that touches another.
void merge_small_segments(const Image& image, std::int32_t count, std::int32_t* labels) {
  Regions regions(image, labels, count);
  for (std::int32_t r = 0; r < count; ++r) {
    if (r % kPixelsUnasked == 0) stop_if_asked();
    if (regions.size(r) >= kMinSegment) continue;
    Best best;
    regions.for_border<true>(r, [&](std::int32_t, std::int32_t other) {
      if (other != best.candidate) best.offer(other, regions.merge_cost(r, other));
    });
    if (best.candidate != kNone) regions.merge(r, best.candidate);
  }
  for (std::int32_t p = 0; p < image.pixels(); ++p) labels[p] = regions.region_of(p);
}

// Merging over corners can leave segments of several parts. Small parts join a neighbouring segment.
void absorb_islands(const Image& image, std::int32_t* labels) {
  std::vector<std::int32_t> parts(image.pixels());
  const std::int32_t count = grow_regions(
      image, [&](std::int32_t p, std::int32_t from, std::int32_t) { return labels[p] == labels[from]; }, parts.data());
  Regions regions(image, parts.data(), count);
  for (std::int32_t r = 0; r < count; ++r) {
    if (regions.size(r) >= kMinIsland) continue;
    Best best;
    regions.for_border<false>(r, [&](std::int32_t q, std::int32_t) { best.offer(q, regions.colour_cost(r, q)); });
    if (best.candidate != kNone) regions.merge(r, regions.region_of(best.candidate));
  }
  // A part keeps its number when others join it, so its first pixel still has its earlier label.
  std::vector<std::int32_t> part_label(count);
  for (std::int32_t r = 0; r < count; ++r) part_label[r] = labels[regions.first_pixel(r)];
  for (std::int32_t p = 0; p < image.pixels(); ++p) labels[p] = part_label[regions.region_of(p)];
}

std::int32_t renumber(const Image& image, std::int32_t* labels) {
  std::vector<std::int32_t> number(image.pixels(), kNone);  // labels are below the number of pixels
  std::int32_t count = 0;
  for (std::int32_t p = 0; p < image.pixels(); ++p) {
    std::int32_t& n = number[labels[p]];
    if (n == kNone) n = count++;
    labels[p] = n;
  }
  return count;
}

}  // namespace

std::int64_t segment_image(const float* image, std::int64_t height, std::int64_t width, std::int64_t channels,
                           double threshold, std::int32_t* labels) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
  if (height < 0 || width < 0 || channels < 0) throw std::invalid_argument("segment: negative extent");
  if (height == 0 || width == 0) return 0;
  if (channels > kMax - 2 || height > kMax / width) {
    throw std::invalid_argument("segment: the image has 2^31 pixels or more");
  }
  const Image view{image, static_cast<std::int32_t>(height), static_cast<std::int32_t>(width),
                   static_cast<std::int32_t>(channels)};
  const double limit = threshold * threshold;
  const std::int32_t count = grow_regions(
      view,
      [&](std::int32_t p, std::int32_t from, std::int32_t seed) {
        return kSeedWeight * view.distance2(p, seed) + kStepWeight * view.distance2(p, from) < limit;
      },
      labels);
  merge_small_segments(view, count, labels);
  absorb_islands(view, labels);
  return renumber(view, labels);
}

}  // namespace rsmoe::cpu
