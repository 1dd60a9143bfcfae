// One tile of the steered mixture on one core: the table of functions that each instruction set provides.
//
// The stages of a tile: forward (cull, gates, weighted sums) -> a residual (from a target or from a given
// gradient) -> backward (moments per kernel). All three share one workspace, so the gates computed in the
// forward pass are still in cache for the backward pass.
#pragma once
#include <cstdint>

#include "../common/constants.h"

namespace rsmoe::cpu {

struct TileJob {
  const float* geometry;   // [L, 6] all kernels
  const float* experts;    // [L, channels], or [L, 3 channels] when linear: values, slopes along y, slopes along x
  const int32_t* kernels;  // ids of this tile's kernels, ascending
  int32_t count;           // how many
  int32_t channels;
  float y0, x0;        // image position of the tile's first pixel
  int32_t rows, cols;  // pixels of the tile that lie in the image
  float tau;           // culling margin in nats; infinity keeps every kernel
  int32_t normalised;  // 1: SMoE, gates sum to one; 0: RBF, plain sum
  int32_t linear;      // 1: experts are affine in position, about the kernel's centre

  int32_t expert_columns() const { return linear ? 3 * channels : channels; }
};

struct SimdTable {
  const char* name;
  int32_t lanes;

  // Floats of workspace for a job; the pointer handed over is 64-byte aligned.
  int64_t (*workspace)(const TileJob&);

  // Memory of the workspace for planes row by row, [channels, 256]; the rendered values written there after `forward`;
  // and the residual, dLoss/dvalue, taken from there.
  float* (*rows)(const TileJob&, float* workspace);
  void (*values_to_rows)(const TileJob&, float* workspace);
  void (*residual_from_rows)(const TileJob&, float* workspace);

  void (*forward)(const TileJob&, float* workspace);

  // residual = weight * (value - target) inside the image, 0 outside; returns sum weight * (value - target)^2.
  // target: [channels, 256]; weight: [256] or null. With block 2, 4, 8 or 16 the means over block x block pixels
  // stand for the values, as if each pixel of the target were that large.
  float (*residual_from_target)(const TileJob&, float* workspace, const float* target, const float* weight,
                                int32_t block);

  // Call after `residual` was filled. gradients: [count, 6 + expert columns], raw moments of dLoss/ds, then
  // dLoss/d(expert).
  void (*backward)(const TileJob&, float* workspace, float* gradients);

  // Copies the kernels `ids`, or for null the first n, into 8 columns of `stride` floats, a multiple of 16 and at
  // least n: y - y0, x - x0, r11, r12, r22, logit and two slopes that box_bounds needs.
  void (*gather_columns)(const float* geometry, const int32_t* ids, int64_t n, float y0, float x0, float* columns,
                         int64_t stride);

  // Finds the smallest and largest s = logit - |z|^2 / 2 of the n kernels in `columns`, over a box of pixel centres
  // with its ends, in the coordinates of the columns. low and high have room for n rounded up to 16.
  void (*box_bounds)(const float* columns, int64_t stride, int64_t n, float y0, float x0, float y1, float x1,
                     float* low, float* high);

  // Writes the ids of the kernels that matter to a box (y0, x0, y1, x1) to out, in order, by gate culling as lists.h
  // describes, and returns how many. scratch: 2 * stride floats; out has room for n.
  int64_t (*cull)(const float* columns, int64_t stride, int64_t n, const int32_t* ids, const float* box, float tau,
                  int32_t normalised, float* scratch, int32_t* out);

  // One Adam step on kernels [begin, end); see adam.h.
  void (*adam)(const struct AdamStep&, int64_t begin, int64_t end);

  // The patch filter; see patches.h. Squared distances of patches, [rows, stride], infinite where there is no
  // candidate; room for kSearchRows rows more.
  void (*patch_distances)(const struct PatchSearch&, float* distances);
  // Indices into the distances of the patches of a group, with room for all. Those at most `limit` away are taken, the
  // nearest `fewest` at least and the nearest `most` at most; which of those at the same distance, is left open.
  struct PatchChoice (*choose_patches)(const struct PatchSearch&, const float* distances, float limit, int32_t fewest,
                                       int32_t most, int32_t* chosen);
  // Filters a group.
  void (*filter_group)(const struct PatchGroup&);
  // Patches of an image at these offsets of their corners, and the root of their mean.
  void (*gather_patches)(const float* image, const int64_t* places, int32_t count, int64_t pitch, float* patches);
  void (*root_mean_patch)(const float* image, const int64_t* places, int32_t count, int64_t pitch, float* root);
  // Adds the patches of a group to the sums over all groups.
  void (*add_patches)(const struct PatchSums&, const int64_t* places, int32_t count, int64_t pitch);
  // For groups in several blocks, `apart` floats from each other: patches less their mean; the sum of the products of
  // two blocks; and the first `kept` of n blocks replaced by sums of all with the factors matrix[kept, n]. `before` is
  // scratch memory of n patches.
  void (*centre_patches)(float* patches, int32_t count);
  float (*block_product)(const float* x, const float* y, int32_t count);
  void (*mix_patches)(float* blocks, int64_t apart, int32_t count, const float* matrix, int32_t n, int32_t kept,
                      float* before);

  // Rows [begin, end) of a smoothed image; see smooth.h. line: smoothing_scratch(...) doubles.
  void (*smooth_rows)(const struct Smoothing&, int64_t begin, int64_t end, double* line);
};

// The table for this machine, chosen once. RSMOE_SIMD=base|avx2|avx512 in the environment chooses another.
const SimdTable& simd();

}  // namespace rsmoe::cpu
