// Denoising of groups of similar patches by non-local Bayes (Lebrun, Buades and Morel, SIAM J. Imaging Sciences 2013,
// doi:10.1137/120874989). Similar patches and their covariance are found on a pilot, which is an earlier estimate of
// the image.
#pragma once
#include <cstdint>

namespace rsmoe::cpu {

constexpr int32_t kPatchSide = 8;                          // Side of a patch in pixels.
constexpr int32_t kPatchPixels = kPatchSide * kPatchSide;  // Pixels of one channel of a patch.
constexpr int32_t kSearchRows = 4;                         // Rows of candidates whose distances are computed together.
constexpr int32_t kProductRows = 4;                        // Groups are padded to a multiple of this number of patches.
constexpr int32_t kColours = 3;  // Channels of a colour image. Other numbers are of detectors.

struct PatchFilter {
  const float* noisy;     // The noisy image, [channels, height, width].
  const float* pilot;     // The pilot, of the same shape.
  const float* variance;  // The variance of the noise at each pixel, of the same shape, positive.
  // The correlation of the noise within a patch, [channels, kPatchPixels, kPatchPixels]. The unit matrix stands for
  // white noise.
  const float* correlation;
  int64_t height, width;  // Size in pixels, each at least kPatchSide.
  int32_t channels;
  // Planes that show nearly the same at the same pixels, each of `channels` channels. The images above have a plane
  // after the other; only the first is filtered and decides which patches are similar, the others help it.
  int32_t planes;
  // Pixels between neighbouring reference patches along both axes. A larger stride is faster; a smaller one averages
  // more estimates of each pixel.
  int32_t stride;
  int32_t reach;   // Largest offset in pixels of a similar patch from its reference patch, along both axes.
  int32_t fewest;  // Smallest number of patches in a group; so many are taken however far away they are.
  int32_t most;    // Largest number of patches in a group.
  // Beyond the fewest, a patch joins a group if its squared distance is at most this multiple of the energy of the
  // noise in a patch, which is its variance summed over pixels and channels. Patches farther away stay out.
  float similar;
  // A reference patch whose squared distance from an earlier one is at most this multiple of the same energy gets no
  // group of its own; above it, it gets one. Negative: every reference patch gets one.
  float same;
  // Variance, as a fraction of that of the noise. Directions of the pilot's covariance are left out if all that is left
  // out is at most this at every pixel of a patch; above it, a further direction is followed.
  float negligible;
  bool steep;  // Whether directions stronger than the noise are kept almost whole, and weaker ones almost removed.
};

// For every reference patch, the patches most similar to it on the pilot form a group. In every channel the patches y
// of the group are modelled as samples of a Gaussian distribution with the covariance S of the pilot within the group,
// plus noise of covariance N. Each patch becomes y - N (S + N)^-1 (y - mean of y). All estimates of a pixel are
// averaged; the weight of an estimate decreases with the fraction of the noise that it retains at this pixel. Pixels at
// the border of a patch are known less well than those inside, as fewer neighbours tell about them.
//
// S has few directions that are stronger than the noise. It is therefore replaced by P^T P (a pivoted Cholesky factor),
// where P has the fewest rows that leave a remainder of at most `negligible` of the variance of the noise at each
// pixel of the patch. With L L^T = 1 + P N^-1 P^T the estimate is the mean plus (L^-1 P)^T (L^-1 P N^-1) (y - mean).
//
// With several planes, a patch is the same square in all of them, and each group has principal components through its
// planes: the eigenvectors R of the covariance of the planes' pilots, in units of their noise. Each component, which is
// a sum of planes, is filtered as above, and R^T brings the components back to the first plane. Where planes show the
// same, one component holds it with the noise of all planes averaged; where they are unrelated, the first plane is
// filtered alone. The correlation of the noise is that of all planes.
//
// The channels of a colour image with white noise show the same content in other proportions at every place. They are
// filtered by principal components of each group in the same way, and R^T brings all of them back, unless one of them
// shows nothing.
//
// A steep filter replaces the gain G = S (S + N)^-1 by 3 G^2 - 2 G^3. It is meant for noisy images that are their own
// pilot: S then contains noise as well, and a gain close to a threshold separates it from content better than a smooth
// one.
//
// The function writes
//   estimate   the filtered first plane, [channels, height, width];
//   leverage   the covariance of noise and estimate as a fraction of the variance of the noise, of the same shape. It
//              concerns the noise of the first plane.
// The results are the same to the bit for any number of threads. The function takes memory for three planes per
// channel, and scratch memory for each thread.
void filter_patches(const PatchFilter& filter, float* estimate, float* leverage);

// One channel of a group, as `SimdTable::filter_group` takes it. All blocks are aligned to 64 bytes. The blocks of
// patches have room for `count` rounded up to a multiple of kProductRows.
struct PatchGroup {
  int32_t count;
  float* pilot;            // The patches of the pilot, [count, kPatchPixels]; they are overwritten.
  float* noisy;            // The patches of the noisy image, [count, kPatchPixels]; they are filtered in place.
  const float* deviation;  // The standard deviation of the noise, [kPatchPixels].
  const float* precision;  // Inverse of the correlation of the noise, [kPatchPixels, kPatchPixels]; null: white.
  float negligible;        // As in PatchFilter.
  bool steep;              // As in PatchFilter.
  float* leverage;         // Receives the fraction of the noise that is retained at each pixel, [kPatchPixels].
  float* scratch;          // Scratch memory of group_scratch(count) floats.
};
constexpr int64_t group_scratch(int64_t count) { return (4 * kPatchPixels + 2 + count + kProductRows) * kPatchPixels; }

// The filtered patches of a group in one channel and the sums they are added to, as `SimdTable::add_patches` takes
// them.
struct PatchSums {
  const float* patches;                 // [count, kPatchPixels]
  const float *weight, *followed;       // The weight of each pixel, and its leverage times the weight, [kPatchPixels].
  float *values, *weights, *followers;  // Planes: the sums of patches times weights, of weights, and of `followed`.
};

// The search for patches similar to a reference patch, as `SimdTable::patch_distances` takes it.
struct PatchSearch {
  const float* planes;   // `channels` planes of `plane` floats; up to kSearchRows rows behind the last plane are read.
  int64_t plane, pitch;  // Floats of a plane, and from one row to the next.
  int32_t channels;
  int64_t reference;  // Offset of the reference patch within a plane, in floats.
  int64_t first;      // Offset of the first candidate within a plane, in floats.
  // Rows and columns of candidates, which lie one pixel apart, and the floats from one row of the result to the next.
  int32_t rows, columns, stride;
};

// The result of `SimdTable::choose_patches`.
struct PatchChoice {
  int32_t certain;  // Number of patches that certainly belong to the group.
  int32_t tied;     // Number of patches at one and the same distance, some of which complete the group.
  int32_t wanted;   // Number of patches in the group.
};

}  // namespace rsmoe::cpu
