// Denoising of groups of similar patches: non-local Bayes (Lebrun, Buades and Morel, SIAM J. Imaging Sciences 2013)
// with a pilot: an estimate that finds similar patches and their covariance.
#pragma once
#include <cstdint>

namespace rsmoe::cpu {

constexpr int32_t kPatchSide = 8;                          // px
constexpr int32_t kPatchPixels = kPatchSide * kPatchSide;  // of one channel
constexpr int32_t kSearchRows = 4;                         // rows of candidates whose distances are taken at once
constexpr int32_t kProductRows = 4;                        // groups are padded to a multiple of this number of patches

struct PatchFilter {
  const float* noisy;        // [channels, height, width]
  const float* pilot;        // the same shape
  const float* variance;     // the same shape: variance of the noise, positive
  const float* correlation;  // [channels, kPatchPixels, kPatchPixels] of the noise within a patch; unit matrix: white
  int64_t height, width;     // both at least kPatchSide
  int32_t channels;
  int32_t stride;    // px between reference patches, along both axes
  int32_t reach;     // largest distance of a similar patch in px, along both axes
  int32_t fewest;    // smallest number of patches of a group, whatever their distance
  int32_t most;      // largest number of patches of a group
  float similar;     // further ones are taken if their squared distance is at most this multiple of the noise's
  float same;        // a patch this close to an earlier reference patch needs no group of its own; negative: all do
  float negligible;  // variance, in units of that of the noise, below which the pilot's covariance is not followed
  bool steep;        // whether directions stronger than the noise are kept nearly whole and weaker ones nearly dropped
};

// For every reference patch, the patches most similar to it on the pilot form a group. In every channel the group is
// modelled as draws of a Gaussian whose covariance S is the pilot's within the group, plus noise of covariance N: its
// patches become y - N (S + N)^-1 (y - mean of y). All estimates of a pixel are averaged with weights that fall with
// the fraction of the noise that they follow.
//
// S has few directions that are stronger than the noise, so it is replaced by P^T P with as few rows as leave at most
// `negligible` of the noise's variance at each place of the patch (a Cholesky factor with pivots). With
// L L^T = 1 + P N^-1 P^T the estimate is the mean plus (L^-1 P)^T (L^-1 P N^-1) (y - mean).
//
// A steep filter takes 3 G^2 - 2 G^3 in place of the gain G = S (S + N)^-1. It is for noisy images as their own pilot:
// their S holds noise as well, which a threshold tells from content better than a gentle gain does.
//
// estimate   [channels, height, width], written.
// leverage   the same shape, written: the covariance of noise and estimate, as a share of the noise's variance; the
//            mean over each patch.
// The same to the bit for any number of threads. Memory: three planes for each channel, and scratch for each thread.
void filter_patches(const PatchFilter& filter, float* estimate, float* leverage);

// One channel of a group, for `SimdTable::filter_group`. All blocks are 64-byte aligned; patches have room for their
// number rounded up to kProductRows.
struct PatchGroup {
  int32_t count;
  float* pilot;            // [count, kPatchPixels], overwritten
  float* noisy;            // [count, kPatchPixels], filtered in place
  const float* deviation;  // [kPatchPixels] of the noise
  const float* precision;  // [kPatchPixels, kPatchPixels] inverse of the noise's correlation; null: white
  float negligible;        // as in PatchFilter
  bool steep;              // as in PatchFilter
  float* scratch;          // group_scratch(count) floats
};
constexpr int64_t group_scratch(int64_t count) { return (4 * kPatchPixels + 2 + count + kProductRows) * kPatchPixels; }

// A search, for `SimdTable::patch_distances`.
struct PatchSearch {
  const float* planes;   // [channels] planes of `plane` floats; kSearchRows rows more may be read behind the last
  int64_t plane, pitch;  // floats of a plane, and from row to row
  int32_t channels;
  int64_t reference;              // offset of the reference patch in a plane
  int64_t first;                  // offset of the first candidate
  int32_t rows, columns, stride;  // of candidates, each one px from the next; stride: a row of the result, in floats
};

// The result of `SimdTable::choose_patches`.
struct PatchChoice {
  int32_t certain;  // patches that belong to the group
  int32_t tied;     // patches, equally far away, of which some fill the group up
  int32_t wanted;   // size of the group
};

}  // namespace rsmoe::cpu
