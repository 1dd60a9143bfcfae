// The tile kernels. Compiled once per instruction set (RSMOE_ISA = base, avx2, avx512); see simd.h for the rules.
#include "adam_simd.h"
#include "culling_simd.h"
#include "gates_simd.h"
#include "patch_filter_simd.h"
#include "patch_search_simd.h"

#define RSMOE_STRING_(a) #a
#define RSMOE_STRING(a) RSMOE_STRING_(a)
#define RSMOE_JOIN_(a, b) a##b
#define RSMOE_JOIN(a, b) RSMOE_JOIN_(a, b)

namespace rsmoe::cpu {

void RSMOE_JOIN(smooth_rows_, RSMOE_ISA)(const struct Smoothing&, int64_t, int64_t, double*);  // of smooth_simd.cpp

namespace {

// The values of a linear expert at these rows and columns. Value and slopes lie `channels` floats apart.
inline Vec affine(const float* expert, int32_t channels, Vec row, Vec column) {
  return expert[2 * channels] * column + (expert[0] + expert[channels] * row);
}

// ---------------------------------------------------------------- forward

struct Reference {
  float common;    // s that is subtracted in the exponents of all gates
  bool per_pixel;  // whether each pixel's own largest s is subtracted instead
};

enum class Gates { kMake, kLoad };

// Makes or loads the gates of one block of a chunk, adds them to gate_sum if kSum, and adds gates * experts to G
// channels.
template <int G, Gates kGates, bool kSum, bool kLinear>
void accumulate(const Workspace& w, const Chunk& chunk, int block, float* gates, int32_t channel) {
  // Vectors whose sums are held in registers at once, one below the other.
  constexpr int kTogether = kLanes == 8 && G == 1 && !kLinear ? kDown : 2;
  const int64_t stride = w.record_stride;
  const int32_t *begin = w.kernels_of(block) + chunk.from[block], *end = w.kernels_of(block) + chunk.to[block];
  for (int first = 0; first < kBlockPixels; first += kTogether * kLanes) {
    const int at = block * kBlockPixels + first, row = vector_row(at);
    const Vec x = lane_column() + static_cast<float>(vector_column(at));
    Vec sum[kTogether], value[G + 1][kTogether], y[kTogether];
    for (int r = 0; r < kTogether; ++r) {
      if constexpr (kSum) sum[r] = load(w.gate_sum + at + r * kLanes);
      for (int c = 0; c < G; ++c) value[c][r] = load(w.value + (channel + c) * kTilePixels + at + r * kLanes);
      if constexpr (kLinear) y[r] = lane_row() + static_cast<float>(row + r * kVectorRows);
    }
    float* gate = gates + first;
    for (const int32_t* k = begin; k < end; ++k, gate += kBlockPixels) {
      const float* record = w.records + *k * stride;
      const float* expert = record + kRecordExpert + channel;
      Vec u{}, constant[G + 1];
      for (int c = 0; c < G && !kLinear; ++c) constant[c] = splat(expert[c]);
      if constexpr (kGates == Gates::kMake) u = (x + record[kRecordX]) * record[kRecordScale];
      record += row;
#pragma GCC unroll 4
      for (int r = 0; r < kTogether; ++r) {
        Vec e;
        if constexpr (kGates == Gates::kMake) {
          const Vec z = u + by_row(record + kRecordShear + r * kVectorRows);
          e = exp2_clamped(by_row(record + kRecordRow + r * kVectorRows) - z * z);
          store(gate + r * kLanes, e);
        } else {
          e = load(gate + r * kLanes);
        }
        if constexpr (kSum) sum[r] += e;
        for (int c = 0; c < G; ++c) {
          if constexpr (kLinear)
            value[c][r] += e * affine(expert + c, w.channels, y[r], x);
          else
            value[c][r] += e * constant[c];
        }
      }
    }
    for (int r = 0; r < kTogether; ++r) {
      if constexpr (kSum) store(w.gate_sum + at + r * kLanes, sum[r]);
      for (int c = 0; c < G; ++c) store(w.value + (channel + c) * kTilePixels + at + r * kLanes, value[c][r]);
    }
  }
}

template <Gates kGates, bool kSum, bool kLinear>
void accumulate_group(const Workspace& w, const Chunk& chunk, int block, float* gates, int32_t channel) {
  switch (w.channels - channel) {
    case 1: return accumulate<1, kGates, kSum, kLinear>(w, chunk, block, gates, channel);
    case 2: return accumulate<2, kGates, kSum, kLinear>(w, chunk, block, gates, channel);
    case 3: return accumulate<3, kGates, kSum, kLinear>(w, chunk, block, gates, channel);
    default: return accumulate<4, kGates, kSum, kLinear>(w, chunk, block, gates, channel);
  }
}

template <bool kLinear> void accumulate_chunk(const TileJob& job, const Workspace& w, const Chunk& chunk, bool exact) {
  if (exact) gates_from_peaks(job, w, chunk);
  float* gates[kBlocks];
  chunk.gates(w, gates);
  for (int b = 0; b < kBlocks; ++b) {
    if (exact)
      accumulate_group<Gates::kLoad, true, kLinear>(w, chunk, b, gates[b], 0);
    else
      accumulate_group<Gates::kMake, true, kLinear>(w, chunk, b, gates[b], 0);
    for (int32_t c = kGroup; c < w.channels; c += kGroup)
      accumulate_group<Gates::kLoad, false, kLinear>(w, chunk, b, gates[b], c);
  }
}

void make_gates(const TileJob& job, const Workspace& w, const Chunk& chunk, const Reference& reference) {
  if (reference.per_pixel) return gates_from_peaks(job, w, chunk);
  float* gates[kBlocks];
  chunk.gates(w, gates);
  for (int b = 0; b < kBlocks; ++b) accumulate<0, Gates::kMake, false, false>(w, chunk, b, gates[b], 0);
}

void accumulate_all(const TileJob& job, const Workspace& w, const Reference& reference) {
  memset(w.gate_sum, 0, kTilePixels * sizeof(float));
  memset(w.value, 0, static_cast<size_t>(w.channels) * kTilePixels * sizeof(float));
  for_chunks(w, [&](const Chunk& chunk) {
    job.linear ? accumulate_chunk<true>(job, w, chunk, reference.per_pixel)
               : accumulate_chunk<false>(job, w, chunk, reference.per_pixel);
  });
}

// The reference that forward chose and backward needs; it is kept behind the active count.
Reference& reference_of(const Workspace& w) { return *reinterpret_cast<Reference*>(w.active_count + 4); }

// Leaves a tile without drawable kernels: its values are 0 in every mode.
void leave_empty(const Workspace& w) {
  *w.active_count = 0;
  memset(w.block_count, 0, kBlocks * sizeof(int32_t));
  memset(w.base, 0, static_cast<size_t>(w.channels) * sizeof(float));
  memset(w.value, 0, static_cast<size_t>(w.channels) * kTilePixels * sizeof(float));
  for (int i = 0; i < kTilePixels; ++i) w.inverse[i] = 1.0f;
}

void forward(const TileJob& job, float* memory) {
  Workspace w = workspace_at(job, memory);
  Reference& reference = reference_of(w);
  reference = {0.0f, false};
  if (job.count == 0) return leave_empty(w);
  reference.common = prepare(job, w);
  if (*w.active_count == 0) return leave_empty(w);
  write_records(job, w, reference.common);
  accumulate_all(job, w, reference);
  if (!job.normalised) {
    for (int i = 0; i < kTilePixels; ++i) w.inverse[i] = 1.0f;
    return;
  }
  Vec least = load(w.gate_sum);
  for (int i = kLanes; i < kTilePixels; i += kLanes) least = smaller(least, load(w.gate_sum + i));
  float smallest = least[0];
  for (int i = 1; i < kLanes; ++i) smallest = least[i] < smallest ? least[i] : smallest;
  if (!(smallest >= kMinGateSum)) {
    reference.per_pixel = true;
    find_peaks(job, w);
    accumulate_all(job, w, reference);
  }
  for (int i = 0; i < kTilePixels; i += kLanes) {
    const Vec inverse = 1.0f / load(w.gate_sum + i);
    store(w.inverse + i, inverse);
    for (int32_t c = 0; c < w.channels; ++c) {
      float* value = w.value + c * kTilePixels + i;
      store(value, load(value) * inverse + w.base[c]);
    }
  }
}

// ---------------------------------------------------------------- residual

// Replaces a plane by its means over block x block pixels.
void average_blocks(float* plane, int32_t block) {
  const float share = 1.0f / static_cast<float>(block * block);
  for (int y = 0; y < kTile; y += block) {
    for (int x = 0; x < kTile; x += block) {
      float sum = 0.0f;
      for (int i = 0; i < block; ++i)
        for (int j = 0; j < block; ++j) sum += plane[(y + i) * kTile + x + j];
      for (int i = 0; i < block; ++i)
        for (int j = 0; j < block; ++j) plane[(y + i) * kTile + x + j] = sum * share;
    }
  }
}

// Writes planes row by row, and the reverse.
void planes_to_rows(const Workspace& w, const float* planes) {
  for (int i = 0; i < kTilePixels; i += kLanes)
    for (int32_t c = 0; c < w.channels; ++c)
      store_rows(w.rows + c * kTilePixels + vector_row(i) * kTile + vector_column(i), kTile,
                 load(planes + c * kTilePixels + i));
}

void values_to_rows(const TileJob& job, float* memory) {
  const Workspace w = workspace_at(job, memory);
  planes_to_rows(w, w.value);
}

void residual_from_rows(const TileJob& job, float* memory) {
  const Workspace w = workspace_at(job, memory);
  for (int i = 0; i < kTilePixels; i += kLanes)
    for (int32_t c = 0; c < w.channels; ++c)
      store(w.residual + c * kTilePixels + i,
            load_rows(w.rows + c * kTilePixels + vector_row(i) * kTile + vector_column(i), kTile));
}

float residual_from_target(const TileJob& job, float* memory, const float* target, const float* weight, int32_t block) {
  const Workspace w = workspace_at(job, memory);
  if (block > 1) {  // the values themselves are still needed for the gradient
    planes_to_rows(w, w.value);
    for (int32_t c = 0; c < w.channels; ++c) average_blocks(w.rows + c * kTilePixels, block);
  }
  Vec loss{};
  for (int i = 0; i < kTilePixels; i += kLanes) {
    const int row = vector_row(i), column = vector_column(i), at_row = row * kTile + column;
    const VecI inside = (lane_column() + static_cast<float>(column) < static_cast<float>(job.cols)) &
                        (lane_row() + static_cast<float>(row) < static_cast<float>(job.rows));
    Vec mask = inside ? splat(1.0f) : Vec{};
    if (weight) mask *= load_rows(weight + at_row, kTile);
    for (int32_t c = 0; c < w.channels; ++c) {
      const int64_t plane = c * kTilePixels;
      const Vec value = block > 1 ? load_rows(w.rows + plane + at_row, kTile) : load(w.value + plane + i);
      const Vec difference = value - load_rows(target + plane + at_row, kTile);
      const Vec g = mask * difference;
      loss += g * difference;
      store(w.residual + plane + i, g);
    }
  }
  return sum_lanes(loss);
}

// ---------------------------------------------------------------- backward

// Moments of dLoss/ds about the kernel's centre, and dLoss/d(expert), for active kernels [begin, end), whose gates are
// at `gates`, which moves on behind the last channels. dLoss/ds = gate * (residual . expert - residual . value); `dot`
// starts as the second product and, when the channels come in several groups, `partial` carries the sum from group to
// group.
template <int G, bool kFirst, bool kLast, bool kLinear>
void moments(const Workspace& w, int32_t begin, int32_t end, float** gates, int32_t channel, float* gradients) {
  constexpr int kParts = kLinear ? 3 : 1;  // of an expert: value, slope along y, slope along x
  const int64_t stride = w.capacity, columns = kMoments + w.expert_columns;
  for (int32_t i = begin; i < end; ++i) {
    const int64_t k = w.active[i];
    const float cy = w.columns[kColY * stride + k], cx = w.columns[kColX * stride + k];
    const float* expert = w.record(k) + kRecordExpert + channel;
    const float* residual = w.residual + channel * kTilePixels;
    float* out = gradients + k * columns;
    Vec total[kMoments + kParts * G] = {};
    for (int part = 0; part < kHalves * kAcross; ++part) {
      const int half = part / kAcross, across = part % kAcross * kDown * kLanes;
      const int first = w.first_band[half * stride + k], end_band = first + w.bands[half * stride + k];
      if (first >= end_band) continue;
      const float column = static_cast<float>(vector_column(half * kBands * kBlockPixels + across));
      Vec m0{}, m1{}, m2{}, by_value[G] = {}, by_slope[G] = {};
      Vec dy = lane_row() + (static_cast<float>(first * kBlockRows) - cy);
      for (int band = first; band < end_band; ++band) {
        const int block = half * kBands + band;
        const float* gate = gates[block] + across;
#pragma GCC unroll 4
        for (int v = 0; v < kDown; ++v, gate += kLanes, dy += static_cast<float>(kVectorRows)) {
          const int at = block * kBlockPixels + across + v * kLanes;
          const Vec e = load(gate);
          Vec q = kFirst ? -load(w.dot + at) : load(w.partial + at);
          for (int c = 0; c < G; ++c) {
            const Vec res = load(residual + c * kTilePixels + at);
            if constexpr (kLinear) {
              const Vec weighted = res * e;
              q += res * affine(expert + c, w.channels, lane_row() + static_cast<float>(vector_row(at)),
                                lane_column() + column);
              by_value[c] += weighted;
              by_slope[c] += weighted * dy;
            } else {
              q += res * expert[c];
              by_value[c] += res * e;
            }
          }
          if constexpr (kLast) {
            q *= e;
            m0 += q;
            const Vec first_moment = q * dy;
            m1 += first_moment;
            m2 += first_moment * dy;
          } else {
            store(w.partial + at, q);
          }
        }
      }
      const Vec dx = lane_column() + (column - cx);
      total[0] += m0;
      total[1] += m1;
      total[2] += m0 * dx;
      total[3] += m2;
      total[4] += m1 * dx;
      total[5] += m0 * (dx * dx);
      for (int c = 0; c < G; ++c) {
        total[kMoments + c] += by_value[c];
        if constexpr (kLinear) {
          total[kMoments + G + c] += by_slope[c];
          total[kMoments + 2 * G + c] += by_value[c] * dx;
        }
      }
    }
    if constexpr (kLast) for_blocks_of(w, k, [&](int block) { gates[block] += kBlockPixels; });
    if constexpr (kFirst && kLast && !kLinear) {
      sum_lanes<kMoments + G>(total, out);
      continue;
    }
    alignas(64) float sums[kMoments + kParts * G];
    sum_lanes<kMoments + kParts * G>(total, sums);
    if constexpr (kLast) memcpy(out, sums, kMoments * sizeof(float));
    for (int part = 0; part < kParts; ++part)
      memcpy(out + kMoments + part * w.channels + channel, sums + kMoments + part * G, G * sizeof(float));
  }
}

template <bool kFirst, bool kLast, bool kLinear>
void moments_group(const Workspace& w, int32_t begin, int32_t end, float** gates, int32_t channel, float* gradients) {
  switch (w.channels - channel) {
    case 1: return moments<1, kFirst, kLast, kLinear>(w, begin, end, gates, channel, gradients);
    case 2: return moments<2, kFirst, kLast, kLinear>(w, begin, end, gates, channel, gradients);
    case 3: return moments<3, kFirst, kLast, kLinear>(w, begin, end, gates, channel, gradients);
    default: return moments<4, kFirst, kLast, kLinear>(w, begin, end, gates, channel, gradients);
  }
}

// The moments of a chunk's kernels over all channels; their gates are in memory.
template <bool kLinear> void chunk_moments(const Workspace& w, const Chunk& chunk, float** gates, float* gradients) {
  if (w.channels <= kGroup) return moments_group<true, true, kLinear>(w, chunk.begin, chunk.end, gates, 0, gradients);
  const int32_t last = (w.channels - 1) / kGroup * kGroup;
  for (int32_t i = chunk.begin; i < chunk.end; ++i) {
    moments<kGroup, true, false, kLinear>(w, i, i + 1, gates, 0, gradients);
    for (int32_t c = kGroup; c < last; c += kGroup)
      moments<kGroup, false, false, kLinear>(w, i, i + 1, gates, c, gradients);
    moments_group<false, true, kLinear>(w, i, i + 1, gates, last, gradients);
  }
}

void backward(const TileJob& job, float* memory, float* gradients) {
  const Workspace w = workspace_at(job, memory);
  if (*w.active_count < job.count)
    memset(gradients, 0, static_cast<size_t>(job.count) * (kMoments + w.expert_columns) * sizeof(float));
  const Reference reference = reference_of(w);
  for (int i = 0; i < kTilePixels; i += kLanes) {
    const Vec inverse = load(w.inverse + i);
    Vec dot{};
    for (int32_t c = 0; c < w.channels; ++c) {
      const int64_t at = c * kTilePixels + i;
      const Vec scaled = load(w.residual + at) * inverse;
      store(w.residual + at, scaled);
      if (job.normalised) dot += scaled * (load(w.value + at) - w.base[c]);
    }
    store(w.dot + i, dot);
  }
  for_chunks(w, [&](const Chunk& chunk) {
    if (!all_held(w)) make_gates(job, w, chunk, reference);
    float* gates[kBlocks];
    chunk.gates(w, gates);
    job.linear ? chunk_moments<true>(w, chunk, gates, gradients) : chunk_moments<false>(w, chunk, gates, gradients);
  });
}

constexpr SimdTable table = {RSMOE_STRING(RSMOE_ISA),
                             kLanes,
                             workspace_floats,
                             rows,
                             values_to_rows,
                             residual_from_rows,
                             forward,
                             residual_from_target,
                             backward,
                             gather_columns,
                             box_bounds,
                             cull,
                             adam,
                             patch_distances,
                             choose_patches,
                             filter_group,
                             gather_patches,
                             root_mean_patch,
                             add_patches,
                             centre_patches,
                             block_product,
                             mix_patches,
                             RSMOE_JOIN(smooth_rows_, RSMOE_ISA)};

}  // namespace

extern const SimdTable* const RSMOE_JOIN(simd_, RSMOE_ISA);
const SimdTable* const RSMOE_JOIN(simd_, RSMOE_ISA) = &table;

}  // namespace rsmoe::cpu
