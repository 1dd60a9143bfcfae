// Distances and filter of alike patches; part of tile_simd.cpp, compiled per instruction set.
#pragma once
#include "patches.h"
#include "simd.h"

namespace rsmoe::cpu {
namespace {

constexpr int kPatchVectors = kPatchPixels / kLanes;

// Squared distances of a patch to those of a window, summed over the channels.
void patch_distances(const PatchSearch& s, float* distances) {
  constexpr int kAtOnce = 2;  // vectors of candidates side by side
  for (int32_t row = 0; row < s.rows; ++row) {
    for (int32_t column = 0; column < s.columns; column += kAtOnce * kLanes) {
      Vec sum[kAtOnce] = {};
      for (int32_t c = 0; c < s.channels; ++c) {
        const float* reference = s.planes + c * s.plane + s.reference;
        const float* candidate = s.planes + c * s.plane + s.first + row * s.pitch + column;
        for (int i = 0; i < kPatchSide; ++i, reference += s.pitch, candidate += s.pitch)
          for (int j = 0; j < kPatchSide; ++j)
            for (int v = 0; v < kAtOnce; ++v) {
              const Vec difference = load_some(candidate + j + v * kLanes, kLanes) - reference[j];
              sum[v] += difference * difference;
            }
      }
      for (int v = 0; v < kAtOnce; ++v) store(distances + row * s.stride + column + v * kLanes, sum[v]);
    }
  }
}

// Mean patch; with kSubtract it is taken off the patches.
template <bool kSubtract> void mean_patch(float* patches, int32_t count, float* mean) {
  for (int v = 0; v < kPatchVectors; ++v) {
    float* first = patches + v * kLanes;
    Vec sum{};
    for (int32_t k = 0; k < count; ++k) sum += load(first + k * kPatchPixels);
    sum *= 1.0f / static_cast<float>(count);
    store(mean + v * kLanes, sum);
    if constexpr (kSubtract)
      for (int32_t k = 0; k < count; ++k) store(first + k * kPatchPixels, load(first + k * kPatchPixels) - sum);
  }
}

// Covariance of centred patches plus that of the noise; on and above the diagonal, and some of it below.
void noisy_covariance(const PatchGroup& g, float* matrix) {
  constexpr int kRows = kLanes == 16 ? 8 : 4, kColumns = 2;  // rows and vectors of columns held in registers
  const float share = 1.0f / static_cast<float>(g.count);
  for (int i = 0; i < kPatchPixels; i += kRows)
    for (int j = i / (kColumns * kLanes) * (kColumns * kLanes); j < kPatchPixels; j += kColumns * kLanes) {
      Vec sum[kRows][kColumns] = {};
      const float* patch = g.pilot;
      for (int32_t k = 0; k < g.count; ++k, patch += kPatchPixels)
        for (int r = 0; r < kRows; ++r)
          for (int v = 0; v < kColumns; ++v) sum[r][v] += patch[i + r] * load(patch + j + v * kLanes);
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kColumns; ++v) {
          const int at = (i + r) * kPatchPixels + j + v * kLanes;
          store(matrix + at, sum[r][v] * share + load(g.noise + at));
        }
    }
}

// Rows of the Cholesky factor U, matrix = U^T U, from those of vector kFirst on, and of U^-T right, in place. The
// diagonal of U becomes its inverse.
template <int kFirst> void eliminate(float* matrix, float* right, float least_pivot) {
  for (int i = kFirst * kLanes; i < (kFirst + 1) * kLanes; ++i) {
    float *row = matrix + i * kPatchPixels, *right_row = right + i * kPatchPixels;
    Vec left_sum[kPatchVectors], right_sum[kPatchVectors];
    for (int v = kFirst; v < kPatchVectors; ++v) left_sum[v] = load(row + v * kLanes);
    for (int v = 0; v < kPatchVectors; ++v) right_sum[v] = load(right_row + v * kLanes);
    for (int k = 0; k < i; ++k) {
      const float factor = matrix[k * kPatchPixels + i];
      for (int v = kFirst; v < kPatchVectors; ++v) left_sum[v] -= factor * load(matrix + k * kPatchPixels + v * kLanes);
      for (int v = 0; v < kPatchVectors; ++v) right_sum[v] -= factor * load(right + k * kPatchPixels + v * kLanes);
    }
    const float pivot = left_sum[kFirst][i % kLanes];
    const float inverse = 1.0f / __builtin_sqrtf(pivot > least_pivot ? pivot : least_pivot);
    for (int v = kFirst; v < kPatchVectors; ++v) store(row + v * kLanes, left_sum[v] * inverse);
    for (int v = 0; v < kPatchVectors; ++v) store(right_row + v * kLanes, right_sum[v] * inverse);
    row[i] = inverse;
  }
  if constexpr (kFirst + 1 < kPatchVectors) eliminate<kFirst + 1>(matrix, right, least_pivot);
}

// right becomes U^-1 right.
void substitute_back(const float* matrix, float* right) {
  for (int i = kPatchPixels - 1; i >= 0; --i) {
    const float* row = matrix + i * kPatchPixels;
    float* right_row = right + i * kPatchPixels;
    Vec sum[kPatchVectors];
    for (int v = 0; v < kPatchVectors; ++v) sum[v] = load(right_row + v * kLanes);
    for (int k = i + 1; k < kPatchPixels; ++k)
      for (int v = 0; v < kPatchVectors; ++v) sum[v] -= row[k] * load(right + k * kPatchPixels + v * kLanes);
    for (int v = 0; v < kPatchVectors; ++v) store(right_row + v * kLanes, sum[v] * row[i]);
  }
}

// Patches y become y - gain^T (y - mean), kPatches at a time.
template <int kPatches> void apply(float* patches, const float* mean, const float* gain) {
  Vec sum[kPatches][kPatchVectors];
  for (int k = 0; k < kPatches; ++k)
    for (int v = 0; v < kPatchVectors; ++v) sum[k][v] = load(patches + k * kPatchPixels + v * kLanes);
  for (int i = 0; i < kPatchPixels; ++i)
    for (int k = 0; k < kPatches; ++k) {
      const float factor = patches[k * kPatchPixels + i] - mean[i];
      for (int v = 0; v < kPatchVectors; ++v) sum[k][v] -= factor * load(gain + i * kPatchPixels + v * kLanes);
    }
  for (int k = 0; k < kPatches; ++k)
    for (int v = 0; v < kPatchVectors; ++v) store(patches + k * kPatchPixels + v * kLanes, sum[k][v]);
}

void filter_group(const PatchGroup& g) {
  float *matrix = g.scratch, *gain = matrix + kPatchPixels * kPatchPixels, *mean = gain + kPatchPixels * kPatchPixels;
  mean_patch<true>(g.pilot, g.count, mean);
  noisy_covariance(g, matrix);
  float trace = 0;
  for (int i = 0; i < kPatchPixels; ++i) trace += matrix[i * (kPatchPixels + 1)];
  // Without noise the covariance may be singular; single precision ends at some 1e-7 of it.
  const float least = 1e-6f * trace + 1e-30f;
  memcpy(gain, g.noise, sizeof(float) * kPatchPixels * kPatchPixels);
  eliminate<0>(matrix, gain, least);
  substitute_back(matrix, gain);
  // What the filter takes off, N (S + N)^-1 N on the diagonal, as a share of N; the mean patch keeps 1 / count of it.
  const float kept = 1.0f - 1.0f / static_cast<float>(g.count);
  for (int v = 0; v < kPatchVectors; ++v) {
    Vec taken{};
    for (int i = 0; i < kPatchPixels; ++i) {
      const int at = i * kPatchPixels + v * kLanes;
      taken += load(g.noise + at) * load(gain + at);
    }
    Vec own;
    for (int i = 0; i < kLanes; ++i) own[i] = g.noise[(v * kLanes + i) * (kPatchPixels + 1)];
    store(g.leverage + v * kLanes, 1.0f - kept * taken / own);
  }
  mean_patch<false>(g.noisy, g.count, mean);
  constexpr int kPatches = kPatchVectors < 8 ? 16 / kPatchVectors : 2;
  int32_t k = 0;
  for (; k + kPatches <= g.count; k += kPatches) apply<kPatches>(g.noisy + k * kPatchPixels, mean, gain);
  for (; k < g.count; ++k) apply<1>(g.noisy + k * kPatchPixels, mean, gain);
}

}  // namespace
}  // namespace rsmoe::cpu
