// Search for similar patches. This is a part of tile_simd.cpp, which is compiled once for each instruction set.
#pragma once
#include "patches.h"
#include "simd.h"

namespace rsmoe::cpu {
namespace {

// Vectors of candidates side by side whose sums are held in registers.
constexpr int kSearchVectors = kLanes == 16 ? 3 : 2;

// The distance, in squared units of the scaled pilot, of a patch whose values are not finite or too large to be squared
// in float32. Such a patch is farther away than all others and still a candidate. `smaller` returns this value for NaN.
constexpr float kFarthest = 3.40282347e38f;

// Adds the contribution of one row of pixels to the distances of kSearchRows rows of candidates. For the candidates of
// row r, from kFrom to kTo, it is compared with the row of the reference patch that lies r rows above `reference`. Each
// pixel is thus loaded once for all of these rows.
template <int kVectors, int kFrom, int kTo>
inline void add_pixel_row(const float* reference, int64_t pitch, const float* pixels, Vec (*sum)[kVectors]) {
  for (int j = 0; j < kPatchSide; ++j) {
    Vec candidate[kVectors];
    for (int v = 0; v < kVectors; ++v) candidate[v] = load_some(pixels + j + v * kLanes, kLanes);
    for (int r = kFrom; r <= kTo; ++r) {
      const float own = reference[j - r * pitch];
      for (int v = 0; v < kVectors; ++v) {
        const Vec difference = candidate[v] - own;
        sum[r][v] += difference * difference;
      }
    }
  }
}

// Computes the distances of kSearchRows rows of kVectors * kLanes candidates each.
template <int kVectors> void distance_block(const PatchSearch& s, int64_t first, float* distances) {
  static_assert(kSearchRows == 4 && kPatchSide == 8);
  Vec sum[kSearchRows][kVectors] = {};
  for (int32_t c = 0; c < s.channels; ++c) {
    const float* own = s.planes + c * s.plane + s.reference;
    const float* pixels = s.planes + c * s.plane + first;
    const int64_t pitch = s.pitch;
    add_pixel_row<kVectors, 0, 0>(own, pitch, pixels, sum);
    add_pixel_row<kVectors, 0, 1>(own + pitch, pitch, pixels + pitch, sum);
    add_pixel_row<kVectors, 0, 2>(own + 2 * pitch, pitch, pixels + 2 * pitch, sum);
    for (int row = 3; row < kPatchSide; ++row)
      add_pixel_row<kVectors, 0, 3>(own + row * pitch, pitch, pixels + row * pitch, sum);
    add_pixel_row<kVectors, 1, 3>(own + 8 * pitch, pitch, pixels + 8 * pitch, sum);
    add_pixel_row<kVectors, 2, 3>(own + 9 * pitch, pitch, pixels + 9 * pitch, sum);
    add_pixel_row<kVectors, 3, 3>(own + 10 * pitch, pitch, pixels + 10 * pitch, sum);
  }
  for (int r = 0; r < kSearchRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      store(distances + r * s.stride + v * kLanes, smaller(sum[r][v], splat(kFarthest)));
}

// Computes the squared distances of a patch from all patches of a window, summed over the channels. They are infinite
// where there is no candidate.
void patch_distances(const PatchSearch& s, float* distances) {
  for (int32_t row = 0; row < s.rows; row += kSearchRows) {
    const int64_t first = s.first + row * s.pitch;
    float* out = distances + row * s.stride;
    int32_t column = 0;
    for (; s.columns - column > (kSearchVectors - 1) * kLanes; column += kSearchVectors * kLanes)
      distance_block<kSearchVectors>(s, first + column, out + column);
    for (; column < s.columns; column += kLanes) distance_block<1>(s, first + column, out + column);
  }
  const Vec last = lane_index() + static_cast<float>(s.columns / kLanes * kLanes);
  for (int32_t row = 0; row < s.rows; ++row) {
    float* out = distances + row * s.stride;
    int32_t column = s.columns / kLanes * kLanes;
    if (column < s.columns) {
      const Vec inside = load(out + column);
      store(out + column, last < splat(static_cast<float>(s.columns)) ? inside : splat(__builtin_inff()));
      column += kLanes;
    }
    for (; column < s.stride; column += kLanes) store(out + column, splat(__builtin_inff()));
  }
}

// The number of distances, of n, whose bits are at most `bits`. The bits of non-negative floats, taken as integers,
// are in the same order as the floats.
inline int32_t count_up_to(const float* distances, int32_t n, int32_t bits) {
  const VecI limit = VecI{} + bits;
  VecI count{};
  for (int32_t i = 0; i < n; i += kLanes) count -= load(reinterpret_cast<const int32_t*>(distances + i)) <= limit;
  int32_t total = 0;
  for (int i = 0; i < kLanes; ++i) total += count[i];
  return total;
}

inline int32_t bits_of(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The largest of n distances that is finite.
inline float farthest(const float* distances, int32_t n) {
  const Vec limit = splat(kFarthest);
  Vec largest{};
  for (int32_t i = 0; i < n; i += kLanes) {
    const Vec each = load(distances + i);
    largest = larger(largest, each <= limit ? each : Vec{});
  }
  float result;
  largest_lanes<1>(&largest, &result);
  return result;
}

inline float float_of(int32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// The bits of distances between which lies the largest of a wanted number of smallest distances, and how many distances
// they reach.
struct Bracket {
  int32_t low, high;              // fewer than wanted are at most `low`; -1 is below all
  int32_t up_to_low, up_to_high;  // at least as many as wanted are at most `high`

  // Bits strictly between: in turn where a straight line through the numbers meets the wanted one, which comes close
  // within few steps, and the middle, which halves the bracket whatever the distances are.
  int32_t between(int32_t wanted, bool in_the_middle) const {
    if (!in_the_middle) {
      const float least = low < 0 ? 0.0f : float_of(low);
      const float share = static_cast<float>(wanted - up_to_low) / static_cast<float>(up_to_high - up_to_low);
      const int32_t bits = bits_of(least + (float_of(high) - least) * share);
      if (bits > low && bits < high) return bits;
    }
    return low + (high - low) / 2;
  }
};

// Writes the indices of the patches that certainly form a group, in ascending order, followed by those of the patches
// that are tied for the last places of the group.
PatchChoice choose_patches(const PatchSearch& s, const float* distances, float limit, int32_t fewest, int32_t most,
                           int32_t* chosen) {
  const int32_t n = s.rows * s.stride, candidates = s.rows * s.columns;
  most = most < candidates ? most : candidates;
  fewest = fewest < most ? fewest : most;
  if (!(limit <= kFarthest)) limit = kFarthest;
  int32_t threshold = bits_of(limit > 0.0f ? limit : 0.0f);
  const int32_t near = count_up_to(distances, n, threshold);
  const int32_t wanted = near < fewest ? fewest : near > most ? most : near;
  bool tied = false;
  if (wanted != near) {
    // Finds the smallest threshold that at least the wanted number of distances do not exceed.
    Bracket bracket = near < wanted ? Bracket{threshold, bits_of(farthest(distances, n)), near, candidates}
                                    : Bracket{-1, threshold, 0, near};
    tied = bracket.up_to_high != wanted;
    bool halve = false;
    while (tied && bracket.high - bracket.low > 1) {
      const int32_t bits = bracket.between(wanted, halve);
      const int32_t count = count_up_to(distances, n, bits);
      if (count < wanted)
        bracket.low = bits, bracket.up_to_low = count;
      else
        bracket.high = bits, bracket.up_to_high = count;
      tied = count != wanted;
      halve = !halve;
    }
    threshold = bracket.high;
  }
  int32_t count = 0, ties = 0;
  const VecI limit_bits = VecI{} + threshold;
  for (int32_t i = 0; i < n; i += kLanes) {
    const VecI bits = load(reinterpret_cast<const int32_t*>(distances + i));
    count += store_where(tied ? bits < limit_bits : bits <= limit_bits, lane_number() + i, chosen + count);
  }
  if (tied)
    for (int32_t i = 0; i < n; i += kLanes) {
      const VecI bits = load(reinterpret_cast<const int32_t*>(distances + i));
      ties += store_where(bits == limit_bits, lane_number() + i, chosen + count + ties);
    }
  return {count, ties, wanted};
}

}  // namespace
}  // namespace rsmoe::cpu
