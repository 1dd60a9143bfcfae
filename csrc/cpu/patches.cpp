#include "patches.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "../threads.h"
#include "aligned.h"
#include "symmetric.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

constexpr int64_t kSpare = 64;  // Floats behind the last row that vector loads may read.
// Fraction of the variance of the noise, added to the leverage of an estimate before its weight, the reciprocal, is
// taken. A larger value makes the weights of all estimates more alike; with 0 estimates that retain little noise would
// outweigh all others, although their content may be wrong.
constexpr float kLeverageFloor = 0.01f;
// Spread of the values of a colour, as a fraction of the largest, from which colours have principal components. What
// rounding leaves in the colour differences of a grey image is below it, and would count as content beside the others.
constexpr float kLeastSpread = 1e-5f;

struct Corner {
  int64_t y, x;
};

// The pilot, with every channel scaled so that the mean variance of its noise is 1. Channels with less noise thus
// contribute more to the distances of patches.
class Scaled {
 public:
  explicit Scaled(const PatchFilter& f) : plane_(f.height * f.width), weight_(f.channels) {
    const int64_t spare = kSearchRows * f.width + kSpare;
    planes_.reserve(plane_ * f.channels + spare);
    std::fill_n(planes_.data() + plane_ * f.channels, spare, 0.0f);
    for (int32_t c = 0; c < f.channels; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < plane_; ++i) sum += f.variance[c * plane_ + i];
      weight_[c] = static_cast<float>(static_cast<double>(plane_) / sum);
      const float scale = std::sqrt(weight_[c]);
      for (int64_t i = 0; i < plane_; ++i) planes_.data()[c * plane_ + i] = scale * f.pilot[c * plane_ + i];
    }
  }
  const float* planes() const { return planes_.data(); }
  int64_t plane() const { return plane_; }
  float weight(int32_t c) const { return weight_[c]; }

 private:
  int64_t plane_;
  AlignedFloats planes_;
  std::vector<float> weight_;
};

// The inverse of the correlation of the noise in each channel, and null for channels with white noise.
class Precision {
 public:
  explicit Precision(const PatchFilter& f) : coloured_(static_cast<size_t>(f.channels)) {
    constexpr int64_t size = int64_t{kPatchPixels} * kPatchPixels;
    inverse_.reserve(size * f.channels);
    for (int32_t c = 0; c < f.channels; ++c) {
      const float* correlation = f.correlation + c * size;
      for (int64_t i = 0; i < size; ++i)
        if (correlation[i] != (i % (kPatchPixels + 1) == 0 ? 1.0f : 0.0f)) coloured_[static_cast<size_t>(c)] = true;
      if (coloured_[static_cast<size_t>(c)]) invert(correlation, kPatchPixels, inverse_.data() + c * size);
    }
  }
  // Whether the noise of all channels is white.
  bool white() const { return std::find(coloured_.begin(), coloured_.end(), true) == coloured_.end(); }
  const float* operator[](int32_t c) const {
    return coloured_[static_cast<size_t>(c)] ? inverse_.data() + int64_t{c} * kPatchPixels * kPatchPixels : nullptr;
  }

 private:
  std::vector<bool> coloured_;
  AlignedFloats inverse_;
};

// Whether groups have principal components through colours: the noise is white, and every colour shows something.
bool mixes_colours(const PatchFilter& f, const Precision& precision) {
  if (f.planes > 1 || f.channels != kColours || !precision.white()) return false;
  float spread[kColours];
  for (int64_t c = 0; c < kColours; ++c) {
    const float* plane = f.noisy + c * f.height * f.width;
    const auto [least, most] = std::minmax_element(plane, plane + f.height * f.width);
    spread[c] = *most - *least;
  }
  const auto [least, most] = std::minmax_element(spread, spread + kColours);
  return *least > kLeastSpread * *most;
}

// The positions of reference patches along one axis: every `stride` pixels, and at the end of the axis.
class Lattice {
 public:
  Lattice(int64_t length, int64_t stride) : index_(static_cast<size_t>(length - kPatchSide + 1), -1) {
    const int64_t last = length - kPatchSide;
    for (int64_t at = 0; at < last + stride; at += stride) {
      index_[static_cast<size_t>(std::min(at, last))] = size();
      points_.push_back(std::min(at, last));
    }
  }
  int64_t size() const { return static_cast<int64_t>(points_.size()); }
  int64_t operator[](int64_t index) const { return points_[static_cast<size_t>(index)]; }
  // The index of the reference patch at a position; -1 if there is none.
  int64_t find(int64_t at) const { return index_[static_cast<size_t>(at)]; }

 private:
  std::vector<int64_t> points_, index_;
};

// The data that all threads share.
struct Shared {
  explicit Shared(const PatchFilter& filter)
      : f(filter), scaled(filter), precision(filter), mixed(mixes_colours(filter, precision)),
        down(filter.height, filter.stride), across(filter.width, filter.stride),
        covered(static_cast<size_t>(down.size() * across.size())), plane(filter.height * filter.width),
        weights(static_cast<size_t>(plane * filter.channels)), followed(weights.size()) {}

  const PatchFilter& f;
  const Scaled scaled;
  const Precision precision;
  const bool mixed;
  const Lattice down, across;
  std::vector<uint8_t> covered;  // For each reference patch, 1 if it needs no group of its own.
  int64_t plane;
  // At each pixel: the sum of the weights of its estimates, and the sum of the weights times their leverages.
  std::vector<float> weights, followed;
  float* estimate = nullptr;
};

// The scratch memory of one thread.
class Worker {
 public:
  void prepare(const PatchFilter& f) {
    const int64_t window = 2 * int64_t{f.reach} + 1;
    stride_ = (window + 47) / 48 * 48;  // A multiple of the widest block of vectors.
    const int64_t rows = window + kSearchRows;
    block_ = (int64_t{f.most} + kProductRows) * kPatchPixels;
    const int64_t blocks = std::max(f.planes, f.channels == kColours ? kColours : 1), patches = block_ * blocks;
    const auto lay_out = [&](float* memory) {
      Arrays arrays(memory);
      distances_ = arrays.take(rows * stride_);
      pilot_ = arrays.take(patches);
      noisy_ = arrays.take(patches);
      deviation_ = arrays.take(kPatchPixels * blocks);
      leverage_ = arrays.take(kPatchPixels * blocks);
      before_ = arrays.take(kPatchPixels * blocks);
      scratch_ = arrays.take(group_scratch(f.most));
      return arrays.taken();
    };
    memory_.reserve(lay_out(nullptr));
    lay_out(memory_.data());
    std::fill_n(pilot_, patches, 0.0f);  // The padding of the blocks must be finite.
    std::fill_n(noisy_, patches, 0.0f);
    chosen_.resize(static_cast<size_t>(rows * stride_ + kSpare));
  }

  // Finds the group of a reference patch, and marks the other reference patches that need no group of their own.
  void search(Shared& s, Corner reference) {
    const PatchFilter& f = s.f;
    const int64_t top = std::max<int64_t>(reference.y - f.reach, 0);
    const int64_t left = std::max<int64_t>(reference.x - f.reach, 0);
    const int64_t bottom = std::min<int64_t>(reference.y + f.reach, f.height - kPatchSide);
    const int64_t right = std::min<int64_t>(reference.x + f.reach, f.width - kPatchSide);
    const PatchSearch search{s.scaled.planes(),
                             s.plane,
                             f.width,
                             f.channels,
                             reference.y * f.width + reference.x,
                             top * f.width + left,
                             static_cast<int32_t>(bottom - top + 1),
                             static_cast<int32_t>(right - left + 1),
                             static_cast<int32_t>(stride_)};
    simd().patch_distances(search, distances_);
    const float energy = noise_energy(s, reference);
    const PatchChoice choice =
        simd().choose_patches(search, distances_, f.similar * energy, f.fewest, f.most, chosen_.data());
    const auto corner = [&](int32_t index) { return Corner{top + index / stride_, left + index % stride_}; };
    if (choice.tied > choice.wanted - choice.certain) {  // Take those whose positions are nearest.
      const auto order = [&](int32_t index) {
        const Corner at = corner(index);
        const int64_t y = at.y - reference.y, x = at.x - reference.x;
        return y * y + x * x;
      };
      std::stable_sort(chosen_.begin() + choice.certain, chosen_.begin() + choice.certain + choice.tied,
                       [&](int32_t a, int32_t b) { return order(a) < order(b); });
    }
    places_.resize(static_cast<size_t>(choice.wanted));
    const float limit = f.same * energy;
    for (size_t k = 0; k < places_.size(); ++k) {
      const Corner at = corner(chosen_[k]);
      places_[k] = at.y * f.width + at.x;
      const int64_t row = s.down.find(at.y), column = s.across.find(at.x);
      if (row >= 0 && column >= 0 && distances_[chosen_[k]] <= limit)
        s.covered[static_cast<size_t>(row * s.across.size() + column)] = 1;
    }
  }

  // Filters the group, and adds its patches to the sums over all groups.
  void filter(Shared& s) {
    const PatchFilter& f = s.f;
    if (s.mixed) {
      for (int32_t c = 0; c < f.channels; ++c) gather(s, c, c);
      filter_components(f, static_cast<size_t>(f.channels), static_cast<size_t>(f.channels), nullptr);
      for (int32_t c = 0; c < f.channels; ++c) add(s, c, c);
      return;
    }
    for (int32_t c = 0; c < f.channels; ++c) {
      for (int32_t p = 0; p < f.planes; ++p) gather(s, p * f.channels + c, p);
      filter_components(f, static_cast<size_t>(f.planes), 1, s.precision[c]);
      add(s, c, 0);
    }
  }

 private:
  int32_t count() const { return static_cast<int32_t>(places_.size()); }
  float* pilot(size_t block) { return pilot_ + static_cast<int64_t>(block) * block_; }
  float* noisy(size_t block) { return noisy_ + static_cast<int64_t>(block) * block_; }
  float* deviation(size_t block) { return deviation_ + static_cast<int64_t>(block) * kPatchPixels; }
  float* leverage(size_t block) { return leverage_ + static_cast<int64_t>(block) * kPatchPixels; }

  // Copies the patches of an image, counted over planes and channels, to a block.
  void gather(const Shared& s, int64_t image, int32_t block) {
    const PatchFilter& f = s.f;
    const auto b = static_cast<size_t>(block);
    simd().gather_patches(f.pilot + image * s.plane, places_.data(), count(), f.width, pilot(b));
    simd().gather_patches(f.noisy + image * s.plane, places_.data(), count(), f.width, noisy(b));
    simd().root_mean_patch(f.variance + image * s.plane, places_.data(), count(), f.width, deviation(b));
  }

  // Adds the filtered patches of a block to the sums of a channel.
  void add(Shared& s, int64_t channel, size_t block) {
    float* own = leverage(block);
    alignas(64) float weight[kPatchPixels];
    for (int i = 0; i < kPatchPixels; ++i) {
      weight[i] = 1.0f / (own[i] + kLeverageFloor);
      own[i] *= weight[i];
    }
    const int64_t plane = channel * s.plane;
    simd().add_patches(
        {noisy(block), weight, own, s.estimate + plane, s.weights.data() + plane, s.followed.data() + plane},
        places_.data(), count(), s.f.width);
  }

  // Filters the principal components of n blocks, and brings the first `kept` blocks back.
  void filter_components(const PatchFilter& f, size_t n, size_t kept, const float* precision) {
    std::vector<double> scale(n, 1.0), vectors(1, 1.0);
    if (n > 1) {
      for (size_t b = 0; b < n; ++b) {
        double sum = 0;
        for (int i = 0; i < kPatchPixels; ++i) sum += double{deviation(b)[i]} * deviation(b)[i];
        scale[b] = 1 / std::sqrt(sum / kPatchPixels);
      }
      vectors = eigenvectors(covariance(n, scale), n);
      std::vector<double> forward(n * n);
      for (size_t b = 0; b < n; ++b)
        for (size_t k = 0; k < n; ++k) forward[k * n + b] = vectors[b * n + k] * scale[b];
      mix(pilot_, block_, forward, n, n);
      mix(noisy_, block_, forward, n, n);
      for (int i = 0; i < kPatchPixels * static_cast<int>(n); ++i) deviation_[i] *= deviation_[i];
      mix(deviation_, kPatchPixels, squares(forward), n, n);
      for (int i = 0; i < kPatchPixels * static_cast<int>(n); ++i) deviation_[i] = std::sqrt(deviation_[i]);
    }
    for (size_t k = 0; k < n; ++k)
      simd().filter_group(
          {count(), pilot(k), noisy(k), deviation(k), precision, f.negligible, f.steep, leverage(k), scratch_});
    if (n > 1) {
      std::vector<double> back(vectors);
      for (size_t b = 0; b < n; ++b)
        for (size_t k = 0; k < n; ++k) back[b * n + k] /= scale[b];
      mix(noisy_, block_, back, n, kept);
      mix(leverage_, kPatchPixels, squares(vectors), n, kept);
    }
  }

  static std::vector<double> squares(std::vector<double> values) {
    for (double& each : values) each *= each;
    return values;
  }

  // Replaces the first `kept` of n blocks by sums of all, with the factors of the first rows of a matrix. The blocks
  // have the given number of floats, and as many patches as the group has, or one.
  void mix(float* blocks, int64_t floats, const std::vector<double>& matrix, size_t n, size_t kept) {
    factors_.assign(matrix.begin(), matrix.end());
    simd().mix_patches(blocks, floats, floats == kPatchPixels ? 1 : count(), factors_.data(), static_cast<int32_t>(n),
                       static_cast<int32_t>(kept), before_);
  }

  // The covariance of the pilots of n blocks within the group, in units of their noise, summed over the pixels of a
  // patch. The pilots are less their mean patch afterwards.
  std::vector<double> covariance(size_t n, const std::vector<double>& scale) {
    std::vector<double> products(n * n);
    for (size_t p = 0; p < n; ++p) {
      simd().centre_patches(pilot(p), count());
      for (size_t q = 0; q <= p; ++q)
        products[p * n + q] = products[q * n + p] =
            scale[p] * scale[q] * double{simd().block_product(pilot(p), pilot(q), count())};
    }
    return products;
  }

  // Half the squared distance that is expected between two patches of noise alone, in the scaled planes.
  static float noise_energy(const Shared& s, Corner reference) {
    const PatchFilter& f = s.f;
    const int64_t centre = (reference.y + kPatchSide / 2) * f.width + reference.x + kPatchSide / 2;
    float energy = 0;
    for (int32_t c = 0; c < f.channels; ++c) energy += s.scaled.weight(c) * f.variance[c * s.plane + centre];
    return energy * kPatchPixels;
  }

  AlignedFloats memory_;
  int64_t stride_, block_;  // Floats of a row of distances, and of a block of patches.
  float *distances_, *pilot_, *noisy_, *deviation_, *leverage_, *before_, *scratch_;
  std::vector<float> factors_;
  std::vector<int32_t> chosen_;
  std::vector<int64_t> places_;
};

}  // namespace

void filter_patches(const PatchFilter& f, float* estimate, float* leverage) {
  Shared shared(f);
  shared.estimate = estimate;
  const int64_t floats = shared.plane * f.channels;
  std::fill_n(estimate, floats, 0.0f);
  std::vector<Worker> workers(static_cast<size_t>(worker_count()));
  for (Worker& worker : workers) worker.prepare(f);
  const int64_t rows = shared.down.size(), columns = shared.across.size();
  // The reference patches are divided into squares. Every second square along both axes can be processed in parallel,
  // because the pixels that these squares add to and the patches that they mark do not overlap. The order of all
  // additions and marks is therefore fixed.
  const int64_t side = (2 * f.reach + kPatchSide + f.stride - 1) / f.stride;
  for (const Corner& parity : {Corner{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
    const auto squares = [&](int64_t n, int64_t odd) { return ((n + side - 1) / side + 1 - odd) / 2; };
    const int64_t down = squares(rows, parity.y), across = squares(columns, parity.x);
    const auto filter_square = [&](int64_t task, int64_t worker) {
      Worker& w = workers[static_cast<size_t>(worker)];
      const int64_t row = (2 * (task / across) + parity.y) * side, column = (2 * (task % across) + parity.x) * side;
      for (int64_t r = row; r < std::min(row + side, rows); ++r)
        for (int64_t c = column; c < std::min(column + side, columns); ++c) {
          if (shared.covered[static_cast<size_t>(r * columns + c)]) continue;
          w.search(shared, {shared.down[r], shared.across[c]});
          w.filter(shared);
        }
    };
    for_each_task(down * across, filter_square, static_cast<int64_t>(workers.size()));
  }
  for_each_task(f.channels, [&](int64_t c, int64_t) {
    for (int64_t i = c * shared.plane; i < (c + 1) * shared.plane; ++i) {
      estimate[i] /= shared.weights[static_cast<size_t>(i)];
      leverage[i] = shared.followed[static_cast<size_t>(i)] / shared.weights[static_cast<size_t>(i)];
    }
  });
}

}  // namespace rsmoe::cpu
