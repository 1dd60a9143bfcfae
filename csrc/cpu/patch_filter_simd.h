// Filter of groups of similar patches. This is a part of tile_simd.cpp, which is compiled once for each instruction
// set.
#pragma once
#include "patches.h"
#include "simd.h"

namespace rsmoe::cpu {
namespace {

constexpr int kPatchVectors = kPatchPixels / kLanes;

// Vectors of a patch whose sums are held in registers at once.
constexpr int kPatchBlock = kPatchVectors < 8 ? kPatchVectors : 8;

// Subtracts the mean patch from all patches. With kScale every pixel of a patch is then multiplied by its scale, and
// the sums of the squares of each pixel are written to `squares`.
template <bool kScale>
void centre(float* patches, int32_t count, float* mean, const float* scale = nullptr, float* squares = nullptr) {
  for (int first = 0; first < kPatchPixels; first += kPatchBlock * kLanes) {
    float* patch = patches + first;
    Vec sum[kPatchBlock] = {}, factor[kPatchBlock], square[kPatchBlock] = {};
    for (int32_t k = 0; k < count; ++k, patch += kPatchPixels)
      for (int v = 0; v < kPatchBlock; ++v) sum[v] += load(patch + v * kLanes);
    for (int v = 0; v < kPatchBlock; ++v) {
      sum[v] *= 1.0f / static_cast<float>(count);
      store(mean + first + v * kLanes, sum[v]);
      if constexpr (kScale) factor[v] = load(scale + first + v * kLanes);
    }
    patch = patches + first;
    for (int32_t k = 0; k < count; ++k, patch += kPatchPixels)
      for (int v = 0; v < kPatchBlock; ++v) {
        Vec value = load(patch + v * kLanes) - load(mean + first + v * kLanes);
        if constexpr (kScale) {
          value *= factor[v];
          square[v] += value * value;
        }
        store(patch + v * kLanes, value);
      }
    for (int v = 0; kScale && v < kPatchBlock; ++v) store(squares + first + v * kLanes, square[v]);
  }
}

// Sums the patches, each multiplied by its own value at pixel i: kVectors vectors of row i of the scatter matrix.
template <int kVectors> void scatter_row(const float* patches, int32_t count, int i, float* row) {
  Vec even[kVectors] = {}, odd[kVectors] = {};
  int32_t k = 0;
  for (; k + 2 <= count; k += 2, patches += 2 * kPatchPixels)
    for (int v = 0; v < kVectors; ++v) {
      even[v] += patches[i] * load(patches + v * kLanes);
      odd[v] += patches[kPatchPixels + i] * load(patches + kPatchPixels + v * kLanes);
    }
  for (int v = 0; v < kVectors; ++v) {
    if (k < count) even[v] += patches[i] * load(patches + v * kLanes);
    store(row + v * kLanes, even[v] + odd[v]);
  }
}

// The first of kPatchPixels values that equals one of them.
inline int place_of(float value, const float* values) {
  for (int at = 0;; at += kLanes) {
    const VecI same = load(values + at) == splat(value);
#if defined(__AVX512F__)
    const uint32_t places = _mm512_movepi32_mask(reinterpret_cast<__m512i>(same));
    if (places) return at + __builtin_ctz(places);
#elif defined(__AVX2__)
    const auto places = static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(same)));
    if (places) return at + __builtin_ctz(places);
#else
    for (int i = 0; i < kLanes; ++i)
      if (same[i]) return at + i;
#endif
  }
}

// Computes a pivoted Cholesky factor P of X^T X, for X of shape [count, kPatchPixels], and stops as soon as no element
// of the diagonal of X^T X - P^T P exceeds `negligible`. `rest` holds the diagonal of X^T X and receives that of the
// remainder. Returns the number of rows of P.
int factor_pilot(const float* x, int32_t count, float negligible, float* rest, float* rows) {
  constexpr int kBlock = kPatchVectors < 4 ? kPatchVectors : 4;
  float trace = 0;
  for (int i = 0; i < kPatchPixels; ++i) trace += rest[i];
  // Rounding to float32 is about 1e-7 of the trace; a remainder below 1e-6 of the trace could be rounding alone.
  const float least = negligible > 1e-6f * trace ? negligible : 1e-6f * trace;
  int rank = 0;
  for (; rank < kPatchPixels; ++rank) {
    const float largest = largest_of(rest, kPatchPixels);
    if (!(largest > least)) break;
    const int i = place_of(largest, rest);
    float* row = rows + rank * kPatchPixels;
    for (int v = 0; v < kPatchVectors; v += kBlock)
      scatter_row<kBlock>(x + v * kLanes, count, i - v * kLanes, row + v * kLanes);
    const float scale = 1.0f / __builtin_sqrtf(largest);
    for (int v = 0; v < kPatchVectors; v += kBlock) {
      Vec sum[kBlock];
      for (int b = 0; b < kBlock; ++b) sum[b] = load(row + (v + b) * kLanes);
      for (int q = 0; q < rank; ++q) {
        const float* before = rows + q * kPatchPixels;
        for (int b = 0; b < kBlock; ++b) sum[b] -= before[i] * load(before + (v + b) * kLanes);
      }
      for (int b = 0; b < kBlock; ++b) {
        const Vec value = sum[b] * scale;
        store(row + (v + b) * kLanes, value);
        float* left = rest + (v + b) * kLanes;
        store(left, load(left) - value * value);
      }
    }
    rest[i] = 0;
  }
  return rank;
}

// Computes the scalar products of rows of kPatchPixels floats: out[i * kPatchPixels + j] = a_i . b_j. The numbers of
// rows and columns are rounded up to multiples of kProductRows: so many rows are read, and so many values written.
void scalar_products(const float* a, int32_t rows, const float* b, int32_t columns, float* out) {
  constexpr int kA = kLanes == 4 ? 2 : 4, kB = kLanes / kA;
  static_assert(kProductRows % kA == 0 && kProductRows % kB == 0);
  for (int32_t i = 0; i < rows; i += kA)
    for (int32_t j = 0; j < columns; j += kB) {
      Vec sum[kLanes] = {};
      for (int v = 0; v < kPatchVectors; ++v) {
        Vec right[kB];
        for (int q = 0; q < kB; ++q) right[q] = load(b + (j + q) * kPatchPixels + v * kLanes);
        for (int p = 0; p < kA; ++p) {
          const Vec left = load(a + (i + p) * kPatchPixels + v * kLanes);
          for (int q = 0; q < kB; ++q) sum[p * kB + q] += left * right[q];
        }
      }
      alignas(64) float products[kLanes];
      store(products, lane_sums<kLanes>(sum));
      for (int p = 0; p < kA; ++p) memcpy(out + (i + p) * kPatchPixels + j, products + p * kB, kB * sizeof(float));
    }
}

// Replaces P and W by L^-1 P and L^-1 W, where 1 + W P^T = L L^T. P and W may be the same. `matrix` is scratch memory.
void whiten_rows(float* p, float* w, int rank, float* matrix) {
  scalar_products(w, rank, p, rank, matrix);
  const int vectors = (rank + kLanes - 1) / kLanes;
  for (int i = 0; i < rank; ++i) {
    float *upper = matrix + i * kPatchPixels, *p_row = p + i * kPatchPixels, *w_row = w + i * kPatchPixels;
    upper[i] += 1.0f;
    Vec p_sum[kPatchVectors], w_sum[kPatchVectors];
    for (int v = 0; v < kPatchVectors; ++v) p_sum[v] = load(p_row + v * kLanes);
    for (int k = 0; k < i; ++k) {
      const float factor = matrix[k * kPatchPixels + i];
      for (int v = 0; v < kPatchVectors; ++v) p_sum[v] -= factor * load(p + k * kPatchPixels + v * kLanes);
    }
    for (int v = i / kLanes; v < vectors; ++v) {
      Vec sum = load(upper + v * kLanes);
      for (int k = 0; k < i; ++k) sum -= matrix[k * kPatchPixels + i] * load(matrix + k * kPatchPixels + v * kLanes);
      store(upper + v * kLanes, sum);
    }
    const float inverse = 1.0f / __builtin_sqrtf(upper[i] > 1.0f ? upper[i] : 1.0f);
    for (int v = i / kLanes; v < vectors; ++v) store(upper + v * kLanes, load(upper + v * kLanes) * inverse);
    if (w != p) {
      for (int v = 0; v < kPatchVectors; ++v) w_sum[v] = load(w_row + v * kLanes);
      for (int k = 0; k < i; ++k) {
        const float factor = matrix[k * kPatchPixels + i];
        for (int v = 0; v < kPatchVectors; ++v) w_sum[v] -= factor * load(w + k * kPatchPixels + v * kLanes);
      }
      for (int v = 0; v < kPatchVectors; ++v) store(w_row + v * kLanes, w_sum[v] * inverse);
    }
    for (int v = 0; v < kPatchVectors; ++v) store(p_row + v * kLanes, p_sum[v] * inverse);
  }
}

// Replaces kPatches patches: patch k becomes the mean patch plus the sum over q of products[k, q] rows[q].
template <int kPatches>
void combine(const float* products, const float* rows, int rank, const float* mean, float* patches) {
  constexpr int kBlock = kPatchVectors < 4 ? kPatchVectors : 4;
  for (int v = 0; v < kPatchVectors; v += kBlock) {
    Vec sum[kPatches][kBlock];
    for (int k = 0; k < kPatches; ++k)
      for (int b = 0; b < kBlock; ++b) sum[k][b] = load(mean + (v + b) * kLanes);
    for (int q = 0; q < rank; ++q) {
      Vec row[kBlock];
      for (int b = 0; b < kBlock; ++b) row[b] = load(rows + q * kPatchPixels + (v + b) * kLanes);
      for (int k = 0; k < kPatches; ++k)
        for (int b = 0; b < kBlock; ++b) sum[k][b] += products[k * kPatchPixels + q] * row[b];
    }
    for (int k = 0; k < kPatches; ++k)
      for (int b = 0; b < kBlock; ++b) store(patches + k * kPatchPixels + (v + b) * kLanes, sum[k][b]);
  }
}

// Multiplies rows by a symmetric matrix; both have kPatchPixels columns.
void times_symmetric(const float* rows, int rank, const float* matrix, float* out) {
  for (int q = 0; q < rank; ++q) {
    Vec sum[kPatchVectors] = {};
    for (int i = 0; i < kPatchPixels; ++i)
      for (int v = 0; v < kPatchVectors; ++v)
        sum[v] += rows[q * kPatchPixels + i] * load(matrix + i * kPatchPixels + v * kLanes);
    for (int v = 0; v < kPatchVectors; ++v) store(out + q * kPatchPixels + v * kLanes, sum[v]);
  }
}

void scale_columns(float* rows, int rank, const float* scale) {
  for (int q = 0; q < rank; ++q)
    for (int v = 0; v < kPatchVectors; ++v) {
      float* at = rows + q * kPatchPixels + v * kLanes;
      store(at, load(at) * load(scale + v * kLanes));
    }
}

// Sums the `rank` rows, row q multiplied by matrix[q].
inline void combine_rows(const float* matrix, int rank, const float* rows, Vec* sum) {
  for (int v = 0; v < kPatchVectors; ++v) sum[v] = Vec{};
  for (int q = 0; q < rank; ++q)
    for (int v = 0; v < kPatchVectors; ++v) sum[v] += matrix[q] * load(rows + q * kPatchPixels + v * kLanes);
}

// Replaces P so that P^T W becomes 3 G^2 - 2 G^3, where G = P^T W is the gain before. Adds the products of the elements
// of P before and after to the sums of their columns. `matrix` and `rows` are scratch memory.
void steepen(float* p, const float* w, int rank, float* matrix, float* rows, Vec* sums) {
  scalar_products(w, rank, p, rank, matrix);
  Vec sum[kPatchVectors];
  for (int i = 0; i < rank; ++i) {
    combine_rows(matrix + i * kPatchPixels, rank, p, sum);
    for (int v = 0; v < kPatchVectors; ++v) {
      const int at = i * kPatchPixels + v * kLanes;
      store(rows + at, 3.0f * load(p + at) - 2.0f * sum[v]);
    }
  }
  for (int i = 0; i < rank; ++i) {
    combine_rows(matrix + i * kPatchPixels, rank, rows, sum);
    for (int v = 0; v < kPatchVectors; ++v) {
      float* at = p + i * kPatchPixels + v * kLanes;
      sums[v] += load(at) * sum[v];
      store(at, sum[v]);
    }
  }
}

void filter_group(const PatchGroup& g) {
  float *mean = g.scratch, *scale = mean + kPatchPixels, *p = scale + kPatchPixels;
  float *w = p + kPatchPixels * kPatchPixels, *matrix = w + kPatchPixels * kPatchPixels;
  float* rows = matrix + kPatchPixels * kPatchPixels;
  float* products = rows + kPatchPixels * kPatchPixels;
  const float count = static_cast<float>(g.count);
  for (int i = 0; i < kPatchPixels; ++i) scale[i] = 1.0f / (g.deviation[i] * __builtin_sqrtf(count));
  alignas(64) float squares[kPatchPixels];
  centre<true>(g.pilot, g.count, mean, scale, squares);
  const int rank = factor_pilot(g.pilot, g.count, g.negligible, squares, p);
  if (g.precision)
    times_symmetric(p, rank, g.precision, w);
  else
    w = p;
  whiten_rows(p, w, rank, matrix);
  Vec sums[kPatchVectors] = {};  // The diagonal of the gain times the correlation of the noise.
  if (!g.steep)
    for (int q = 0; q < rank; ++q)
      for (int v = 0; v < kPatchVectors; ++v) {
        const Vec value = load(p + q * kPatchPixels + v * kLanes);
        sums[v] += value * value;
      }
  if (w == p) {
    w = p + kPatchPixels * kPatchPixels;
    memcpy(w, p, sizeof(float) * static_cast<size_t>(rank) * kPatchPixels);
  }
  if (g.steep) steepen(p, w, rank, matrix, rows, sums);
  for (int v = 0; v < kPatchVectors; ++v)
    store(g.leverage + v * kLanes, (1.0f - 1.0f / count) * sums[v] + 1.0f / count);
  for (int i = 0; i < kPatchPixels; ++i) scale[i] = 1.0f / g.deviation[i];
  scale_columns(w, rank, scale);
  scale_columns(p, rank, g.deviation);
  centre<false>(g.noisy, g.count, mean);
  scalar_products(g.noisy, g.count, w, rank, products);
  constexpr int kPatches = kLanes == 16 ? 4 : 2;
  int32_t k = 0;
  for (; k + kPatches <= g.count; k += kPatches)
    combine<kPatches>(products + k * kPatchPixels, p, rank, mean, g.noisy + k * kPatchPixels);
  for (; k < g.count; ++k) combine<1>(products + k * kPatchPixels, p, rank, mean, g.noisy + k * kPatchPixels);
}

typedef float Row __attribute__((vector_size(kPatchSide * sizeof(float))));

// Copies the patches of an image whose first pixels have these offsets.
void gather_patches(const float* image, const int64_t* places, int32_t count, int64_t pitch, float* patches) {
  for (int32_t k = 0; k < count; ++k)
    for (int i = 0; i < kPatchSide; ++i, patches += kPatchSide)
      memcpy(patches, image + places[k] + i * pitch, sizeof(Row));
}

// Computes the root of the mean patch of an image, over the patches whose first pixels have these offsets.
void root_mean_patch(const float* image, const int64_t* places, int32_t count, int64_t pitch, float* root) {
  Row sum[kPatchSide] = {};
  for (int32_t k = 0; k < count; ++k)
    for (int i = 0; i < kPatchSide; ++i) {
      Row row;
      memcpy(&row, image + places[k] + i * pitch, sizeof(Row));
      sum[i] += row;
    }
  memcpy(root, sum, sizeof sum);
  const float share = 1.0f / static_cast<float>(count);
  for (int v = 0; v < kPatchVectors; ++v) store(root + v * kLanes, square_root(share * load(root + v * kLanes)));
}

// Adds patches, each pixel multiplied by its weight, the weights, and the leverages times the weights to three images
// at the offsets of the first pixels of the patches.
void add_patches(const PatchSums& s, const int64_t* places, int32_t count, int64_t pitch) {
  Row weight[kPatchSide], followed[kPatchSide];
  memcpy(weight, s.weight, sizeof weight);
  memcpy(followed, s.followed, sizeof followed);
  const auto add = [](float* at, Row value) {
    Row sum;
    memcpy(&sum, at, sizeof(Row));
    sum += value;
    memcpy(at, &sum, sizeof(Row));
  };
  const float* patch = s.patches;
  for (int32_t k = 0; k < count; ++k)
    for (int i = 0; i < kPatchSide; ++i, patch += kPatchSide) {
      const int64_t at = places[k] + i * pitch;
      Row value;
      memcpy(&value, patch, sizeof(Row));
      add(s.values + at, value * weight[i]);
      add(s.weights + at, weight[i]);
      add(s.followers + at, followed[i]);
    }
}

// Replaces the first `kept` of n blocks of patches by sums of all: block r by the sum over b of matrix[r, b] times
// block b. Blocks lie `apart` floats from each other; `before` is scratch memory for a patch of each.
void mix_patches(float* blocks, int64_t apart, int32_t count, const float* matrix, int32_t n, int32_t kept,
                 float* before) {
  for (int32_t k = 0; k < count; ++k, blocks += kPatchPixels) {
    for (int32_t b = 0; b < n; ++b) memcpy(before + b * kPatchPixels, blocks + b * apart, kPatchPixels * sizeof(float));
    for (int32_t r = 0; r < kept; ++r)
      for (int first = 0; first < kPatchPixels; first += kPatchBlock * kLanes) {
        Vec sum[kPatchBlock] = {};
        for (int32_t b = 0; b < n; ++b)
          for (int v = 0; v < kPatchBlock; ++v)
            sum[v] += matrix[r * n + b] * load(before + b * kPatchPixels + first + v * kLanes);
        for (int v = 0; v < kPatchBlock; ++v) store(blocks + r * apart + first + v * kLanes, sum[v]);
      }
  }
}

// The sum over patches and pixels of the products of two blocks of patches.
float block_product(const float* x, const float* y, int32_t count) {
  Vec total{};
  for (int first = 0; first < kPatchPixels; first += kPatchBlock * kLanes) {
    Vec sum[kPatchBlock] = {};
    for (int64_t at = first; at < int64_t{count} * kPatchPixels; at += kPatchPixels)
      for (int v = 0; v < kPatchBlock; ++v) sum[v] += load(x + at + v * kLanes) * load(y + at + v * kLanes);
    for (int v = 0; v < kPatchBlock; ++v) total += sum[v];
  }
  return sum_lanes(total);
}

// Subtracts the mean patch from the patches of a block.
void centre_patches(float* patches, int32_t count) {
  alignas(64) float mean[kPatchPixels];
  centre<false>(patches, count, mean);
}

}  // namespace
}  // namespace rsmoe::cpu
