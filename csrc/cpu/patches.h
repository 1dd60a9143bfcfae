// Denoising of groups of alike patches: non-local Bayes (Lebrun, Buades and Morel, SIAM J. Imaging Sciences 2013)
// with a pilot, an estimate that tells which patches are alike and what they have in common.
#pragma once
#include <cstdint>

namespace rsmoe::cpu {

constexpr int32_t kPatchSide = 8;                          // px
constexpr int32_t kPatchPixels = kPatchSide * kPatchSide;  // of one channel

struct PatchFilter {
  const float* noisy;        // [channels, height, width]
  const float* pilot;        // the same shape
  const float* variance;     // the same shape: of the noise, positive
  const float* correlation;  // [channels, kPatchPixels, kPatchPixels] of the noise within a patch; unit matrix: white
  int64_t height, width;     // both at least kPatchSide
  int32_t channels;
  int32_t stride;  // px between reference patches, along both axes
  int32_t reach;   // px that an alike patch may lie away, along both axes
  int32_t fewest;  // patches of a group that are taken however unlike they are
  int32_t most;    // patches of a group at most
  float alike;     // further ones are taken if their squared distance is at most this multiple of the noise's
};

// Around every reference patch the patches most alike to it on the pilot make a group. In every channel a group is
// taken for draws of a Gaussian whose covariance S is the pilot's within the group, plus noise of covariance N: its
// patches become y - N (S + N)^-1 (y - mean of y). All estimates of a pixel are averaged with weights that fall with
// the share of the noise that they follow.
//
// estimate   [channels, height, width], written.
// leverage   the same shape, written: the covariance of noise and estimate, as a share of the noise's variance.
// The same to the bit for any number of threads. Memory: a plane for each channel, and scratch for each thread.
void filter_patches(const PatchFilter& filter, float* estimate, float* leverage);

// One channel of a group, for `SimdTable::filter_group`. All blocks are 64-byte aligned.
struct PatchGroup {
  int32_t count;
  float* pilot;        // [count, kPatchPixels], overwritten
  float* noisy;        // [count, kPatchPixels], filtered in place
  const float* noise;  // [kPatchPixels, kPatchPixels] covariance of the noise
  float* leverage;     // [kPatchPixels], written
  float* scratch;      // kGroupScratch floats
};
constexpr int64_t kGroupScratch = (2 * kPatchPixels + 2) * kPatchPixels;

// A search, for `SimdTable::patch_distances`.
struct PatchSearch {
  const float* planes;   // [channels] planes of `plane` floats, with 64 floats to spare behind the last
  int64_t plane, pitch;  // floats of a plane, and from row to row
  int32_t channels;
  int64_t reference;              // offset of the reference patch in a plane
  int64_t first;                  // offset of the first candidate
  int32_t rows, columns, stride;  // of candidates, each one px from the next; stride: a row of the result, in floats
};

}  // namespace rsmoe::cpu
