#include "patches.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "../threads.h"
#include "aligned.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

constexpr int64_t kSpare = 64;           // floats behind the last row that vector loads may touch
constexpr float kLeverageFloor = 0.05f;  // added to the leverage of a group when its weight is taken

struct Corner {
  int64_t y, x;
};

// The pilot with noise of mean variance 1 in every channel, so that channels count by how clear they are.
class Scaled {
 public:
  explicit Scaled(const PatchFilter& f) : plane_(f.height * f.width), weight_(f.channels) {
    planes_.reserve(plane_ * f.channels + kSpare);
    std::fill_n(planes_.data() + plane_ * f.channels, kSpare, 0.0f);
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

// The steps from a reference patch to its candidates, from near to far, and where each stands in this order.
class Steps {
 public:
  explicit Steps(int32_t reach) : reach_(reach), width_(2 * reach + 1), order_(width_ * width_), rank_(order_.size()) {
    for (size_t i = 0; i < order_.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      order_[i] = {at / width_ - reach, at % width_ - reach};
    }
    const auto length2 = [](Corner step) { return step.y * step.y + step.x * step.x; };
    std::ranges::stable_sort(order_, {}, length2);
    for (size_t i = 0; i < order_.size(); ++i) rank_[index(order_[i])] = static_cast<uint32_t>(i);
  }
  Corner operator[](uint32_t rank) const { return order_[rank]; }
  uint32_t rank(Corner step) const { return rank_[index(step)]; }

 private:
  size_t index(Corner step) const { return static_cast<size_t>((step.y + reach_) * width_ + step.x + reach_); }

  int64_t reach_, width_;
  std::vector<Corner> order_;
  std::vector<uint32_t> rank_;
};

// What one thread needs.
class Worker {
 public:
  void prepare(const PatchFilter& f) {
    const int64_t window = 2 * int64_t{f.reach} + 1;
    stride_ = (window + 31) / 32 * 32;
    const int64_t patches = int64_t{f.most} * kPatchPixels;
    memory_.reserve(window * stride_ + 2 * patches + kPatchPixels * (kPatchPixels + 2) + kGroupScratch);
    distances_ = memory_.data();
    pilot_ = distances_ + window * stride_;
    noisy_ = pilot_ + patches;
    noise_ = noisy_ + patches;
    leverage_ = noise_ + kPatchPixels * kPatchPixels;
    deviation_ = leverage_ + kPatchPixels;
    scratch_ = deviation_ + kPatchPixels;
  }

  // Finds the group of a reference patch, nearest first.
  void search(const PatchFilter& f, const Scaled& scaled, const Steps& steps, Corner reference) {
    const int64_t top = std::max<int64_t>(reference.y - f.reach, 0);
    const int64_t left = std::max<int64_t>(reference.x - f.reach, 0);
    const int64_t bottom = std::min<int64_t>(reference.y + f.reach, f.height - kPatchSide);
    const int64_t right = std::min<int64_t>(reference.x + f.reach, f.width - kPatchSide);
    const auto rows = static_cast<int32_t>(bottom - top + 1), columns = static_cast<int32_t>(right - left + 1);
    simd().patch_distances({scaled.planes(), scaled.plane(), f.width, f.channels, reference.y * f.width + reference.x,
                            top * f.width + left, rows, columns, static_cast<int32_t>(stride_)},
                           distances_);
    // The bits of floats that are not negative are ordered as the floats are; ties go to the nearest.
    keys_.clear();
    for (int32_t row = 0; row < rows; ++row)
      for (int32_t column = 0; column < columns; ++column) {
        const auto bits = std::bit_cast<uint32_t>(distances_[row * stride_ + column]);
        keys_.push_back(uint64_t{bits} << 32 | steps.rank({top + row - reference.y, left + column - reference.x}));
      }
    const auto most = std::min<size_t>(keys_.size(), static_cast<size_t>(f.most));
    std::nth_element(keys_.begin(), keys_.begin() + static_cast<ptrdiff_t>(most) - 1, keys_.end());
    keys_.resize(most);
    std::sort(keys_.begin(), keys_.end());
    const float limit = f.alike * noise_energy(f, scaled, reference);
    const auto distance = [](uint64_t key) { return std::bit_cast<float>(static_cast<uint32_t>(key >> 32)); };
    size_t count = std::min<size_t>(most, static_cast<size_t>(f.fewest));
    while (count < most && distance(keys_[count]) <= limit) ++count;
    group_.resize(count);
    for (size_t k = 0; k < count; ++k) {
      const Corner step = steps[static_cast<uint32_t>(keys_[k])];
      group_[k] = {reference.y + step.y, reference.x + step.x};
    }
  }

  // Filters the group and adds it to the sums, whose planes are like the image's.
  void filter(const PatchFilter& f, float* estimate, float* leverage, float* weights) {
    const int64_t plane = f.height * f.width;
    const auto count = static_cast<int32_t>(group_.size());
    for (int32_t c = 0; c < f.channels; ++c) {
      gather(f, f.pilot + c * plane, pilot_);
      gather(f, f.noisy + c * plane, noisy_);
      set_noise(f, f.variance + c * plane, f.correlation + c * kPatchPixels * kPatchPixels);
      simd().filter_group({count, pilot_, noisy_, noise_, leverage_, scratch_});
      float mean = 0;
      for (int i = 0; i < kPatchPixels; ++i) mean += leverage_[i] / kPatchPixels;
      const float weight = 1.0f / (mean + kLeverageFloor);
      for (int32_t k = 0; k < count; ++k)
        for (int i = 0; i < kPatchSide; ++i) {
          const int64_t at = c * plane + (group_[k].y + i) * f.width + group_[k].x;
          for (int j = 0; j < kPatchSide; ++j) {
            estimate[at + j] += weight * noisy_[(k * kPatchSide + i) * kPatchSide + j];
            leverage[at + j] += weight * leverage_[i * kPatchSide + j];
            weights[at + j] += weight;
          }
        }
    }
  }

 private:
  // Expected squared distance of two patches of noise alone, halved, in the scaled planes.
  static float noise_energy(const PatchFilter& f, const Scaled& scaled, Corner reference) {
    const int64_t centre = (reference.y + kPatchSide / 2) * f.width + reference.x + kPatchSide / 2;
    float energy = 0;
    for (int32_t c = 0; c < f.channels; ++c) energy += scaled.weight(c) * f.variance[c * scaled.plane() + centre];
    return energy * kPatchPixels;
  }

  void gather(const PatchFilter& f, const float* plane, float* patches) const {
    for (const Corner& corner : group_)
      for (int i = 0; i < kPatchSide; ++i, patches += kPatchSide)
        std::memcpy(patches, plane + (corner.y + i) * f.width + corner.x, kPatchSide * sizeof(float));
  }

  // Covariance of the noise from its mean variance at each place of the group's patches.
  void set_noise(const PatchFilter& f, const float* variance, const float* correlation) {
    float sum[kPatchPixels] = {};
    for (const Corner& corner : group_)
      for (int i = 0; i < kPatchSide; ++i)
        for (int j = 0; j < kPatchSide; ++j)
          sum[i * kPatchSide + j] += variance[(corner.y + i) * f.width + corner.x + j];
    for (int i = 0; i < kPatchPixels; ++i) deviation_[i] = std::sqrt(sum[i] / static_cast<float>(group_.size()));
    for (int i = 0; i < kPatchPixels; ++i)
      for (int j = 0; j < kPatchPixels; ++j)
        noise_[i * kPatchPixels + j] = correlation[i * kPatchPixels + j] * deviation_[i] * deviation_[j];
  }

  AlignedFloats memory_;
  int64_t stride_;
  float *distances_, *pilot_, *noisy_, *noise_, *leverage_, *deviation_, *scratch_;
  std::vector<uint64_t> keys_;
  std::vector<Corner> group_;
};

}  // namespace

void filter_patches(const PatchFilter& f, float* estimate, float* leverage) {
  const int64_t floats = f.height * f.width * f.channels;
  std::vector<float> weights(static_cast<size_t>(floats));
  std::fill_n(estimate, floats, 0.0f);
  std::fill_n(leverage, floats, 0.0f);
  const Scaled scaled(f);
  const Steps steps(f.reach);
  std::vector<Worker> workers(static_cast<size_t>(worker_count()));
  for (Worker& worker : workers) worker.prepare(f);
  const auto references = [&](int64_t length) { return (length - kPatchSide + f.stride - 1) / f.stride + 1; };
  const int64_t rows = references(f.height), columns = references(f.width);
  // Squares of references of which every second one, along both axes, can be worked on at a time: what they add to
  // lies apart. So the order of all additions is fixed.
  const int64_t side = (2 * f.reach + kPatchSide + f.stride - 1) / f.stride;
  for (const Corner& parity : {Corner{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
    const auto squares = [&](int64_t n, int64_t odd) { return ((n + side - 1) / side + 1 - odd) / 2; };
    const int64_t down = squares(rows, parity.y), across = squares(columns, parity.x);
    const auto filter_square = [&](int64_t task, int64_t worker) {
      const int64_t row = (2 * (task / across) + parity.y) * side, column = (2 * (task % across) + parity.x) * side;
      for (int64_t r = row; r < std::min(row + side, rows); ++r)
        for (int64_t c = column; c < std::min(column + side, columns); ++c) {
          Worker& w = workers[static_cast<size_t>(worker)];
          w.search(f, scaled, steps,
                   {std::min(r * f.stride, f.height - kPatchSide), std::min(c * f.stride, f.width - kPatchSide)});
          w.filter(f, estimate, leverage, weights.data());
        }
    };
    for_each_task(down * across, filter_square, static_cast<int64_t>(workers.size()));
  }
  for (int64_t i = 0; i < floats; ++i) {
    estimate[i] /= weights[static_cast<size_t>(i)];
    leverage[i] /= weights[static_cast<size_t>(i)];
  }
}

}  // namespace rsmoe::cpu
