// The tile kernels. Compiled once per instruction set (RSMOE_ISA = base, avx2, avx512); see simd.h for the rules.
#include "adam_simd.h"
#include "culling_simd.h"
#include "gates_simd.h"

#define RSMOE_STRING_(a) #a
#define RSMOE_STRING(a) RSMOE_STRING_(a)
#define RSMOE_JOIN_(a, b) a##b
#define RSMOE_JOIN(a, b) RSMOE_JOIN_(a, b)

namespace rsmoe::cpu {
namespace {

// A linear expert at the pixels of the plane from `at` on; values and slopes stand `channels` apart.
inline Vec affine(const float* expert, int32_t channels, int at, Vec lane) {
  const float row = static_cast<float>(at / kTile), column = static_cast<float>(at % kTile);
  return expert[2 * channels] * (lane + column) + (expert[0] + expert[channels] * row);
}

// ---------------------------------------------------------------- forward

// Adds gates * experts of kernels [begin, end) to G channels, and the gates to gate_sum when kSum.
template <int G, bool kSum, bool kLinear>
void accumulate(const Workspace& w, int64_t begin, int64_t end, int32_t channel) {
  const Vec lane = lane_index();
  for (int block = 0; block < kVectors; block += kBlock) {
    Vec sum[kBlock], value[G][kBlock];
    for (int i = 0; i < kBlock; ++i) {
      const int at = (block + i) * kLanes;
      if constexpr (kSum) sum[i] = load(w.gate_sum + at);
      for (int c = 0; c < G; ++c) value[c][i] = load(w.value + (channel + c) * kTilePixels + at);
    }
    const float* gate = w.gates + block * kLanes;
    const float* expert = w.experts + begin * w.expert_columns + channel;
    for (int64_t k = begin; k < end; ++k, gate += kTilePixels, expert += w.expert_columns) {
#pragma GCC unroll 4
      for (int i = 0; i < kBlock; ++i) {
        const Vec e = load(gate + i * kLanes);
        if constexpr (kSum) sum[i] += e;
        for (int c = 0; c < G; ++c) {
          if constexpr (kLinear)
            value[c][i] += e * affine(expert + c, w.channels, (block + i) * kLanes, lane);
          else
            value[c][i] += e * expert[c];
        }
      }
    }
    for (int i = 0; i < kBlock; ++i) {
      const int at = (block + i) * kLanes;
      if constexpr (kSum) store(w.gate_sum + at, sum[i]);
      for (int c = 0; c < G; ++c) store(w.value + (channel + c) * kTilePixels + at, value[c][i]);
    }
  }
}

template <bool kSum, bool kLinear>
void accumulate_group(const Workspace& w, int64_t begin, int64_t end, int32_t channel, int32_t group) {
  switch (group) {
    case 1: return accumulate<1, kSum, kLinear>(w, begin, end, channel);
    case 2: return accumulate<2, kSum, kLinear>(w, begin, end, channel);
    case 3: return accumulate<3, kSum, kLinear>(w, begin, end, channel);
    default: return accumulate<4, kSum, kLinear>(w, begin, end, channel);
  }
}

int32_t group_at(const Workspace& w, int32_t channel) {
  return w.channels - channel < kGroup ? w.channels - channel : kGroup;
}

struct Reference {
  float common;    // s of which gates are exponentials relative to
  bool per_pixel;  // instead, each pixel's own largest s
};

void chunk_gates(const TileJob& job, const Workspace& w, int64_t begin, int64_t end, const Reference& reference) {
  if (reference.per_pixel)
    gates_from_peaks(job, w, begin, end);
  else if (job.normalised)
    gates<true>(w, begin, end, reference.common);
  else
    gates<false>(w, begin, end, reference.common);
}

void accumulate_all(const TileJob& job, const Workspace& w, const Reference& reference) {
  const int64_t n = *w.active_count;
  memset(w.gate_sum, 0, kTilePixels * sizeof(float));
  memset(w.value, 0, static_cast<size_t>(w.channels) * kTilePixels * sizeof(float));
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t end = begin + kChunk < n ? begin + kChunk : n;
    chunk_gates(job, w, begin, end, reference);
    for (int32_t c = 0; c < w.channels; c += kGroup) {
      const int32_t group = group_at(w, c);
      if (job.linear)
        c == 0 ? accumulate_group<true, true>(w, begin, end, c, group)
               : accumulate_group<false, true>(w, begin, end, c, group);
      else
        c == 0 ? accumulate_group<true, false>(w, begin, end, c, group)
               : accumulate_group<false, false>(w, begin, end, c, group);
    }
  }
}

// What backward needs to know of forward; kept behind the active count.
Reference& reference_of(const Workspace& w) { return *reinterpret_cast<Reference*>(w.active_count + 4); }

void forward(const TileJob& job, float* memory) {
  Workspace w = workspace_at(job, memory);
  Reference& reference = reference_of(w);
  reference = {0.0f, false};
  if (job.count == 0) {  // only the RBF has tiles without kernels
    *w.active_count = 0;
    memset(w.value, 0, static_cast<size_t>(w.channels) * kTilePixels * sizeof(float));
    for (int i = 0; i < kTilePixels; ++i) w.inverse[i] = 1.0f;
    return;
  }
  reference.common = prepare(job, w);
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

float residual_from_target(const TileJob& job, float* memory, const float* target, const float* weight, int32_t block) {
  const Workspace w = workspace_at(job, memory);
  const float* value = w.value;
  if (block > 1) {  // the values themselves are still needed for the gradient
    memcpy(w.residual, w.value, static_cast<size_t>(w.channels) * kTilePixels * sizeof(float));
    for (int32_t c = 0; c < w.channels; ++c) average_blocks(w.residual + c * kTilePixels, block);
    value = w.residual;
  }
  const Vec lane = lane_index();
  Vec loss{};
  for (int i = 0; i < kTilePixels; i += kLanes) {
    const int row = i / kTile;
    const Vec x = lane + static_cast<float>(i % kTile);
    Vec mask = x < static_cast<float>(job.cols) ? splat(row < job.rows ? 1.0f : 0.0f) : Vec{};
    if (weight) mask *= load(weight + i);
    for (int32_t c = 0; c < w.channels; ++c) {
      const int64_t at = c * kTilePixels + i;
      const Vec difference = load(value + at) - load(target + at);
      const Vec g = mask * difference;
      loss += g * difference;
      store(w.residual + at, g);
    }
  }
  return sum_lanes(loss);
}

// ---------------------------------------------------------------- backward

// Moments of dLoss/ds about the kernel's centre, and dLoss/d(expert), for kernels [begin, end) of the active list.
// dLoss/ds = gate * (residual . expert - residual . value); `dot` starts as the second product and, when the
// channels come in several groups, `partial` carries the sum from group to group.
template <int G, bool kFirst, bool kLast, bool kLinear>
void moments(const Workspace& w, int64_t begin, int64_t end, int32_t channel, float* gradients) {
  constexpr int kParts = kLinear ? 3 : 1;  // of an expert: value, slope along y, slope along x
  const Vec lane = lane_index();
  const int64_t stride = w.capacity, columns = kMoments + w.expert_columns;
  for (int64_t k = begin; k < end; ++k) {
    const float cy = w.columns[kColY * stride + k], cx = w.columns[kColX * stride + k];
    const float* expert = w.experts + k * w.expert_columns + channel;
    const float* residual = w.residual + channel * kTilePixels;
    float* out = gradients + w.positions[k] * columns;
    alignas(64) float dy[kTile], dy2[kTile];
    for (int i = 0; i < kTile; i += kLanes) {
      const Vec y = lane + (static_cast<float>(i) - cy);
      store(dy + i, y);
      store(dy2 + i, y * y);
    }
    Vec total[kMoments + kParts * G] = {};
    for (int g = 0; g < kRowVectors; ++g) {
      const int offset = g * kLanes;
      const float* gate = w.gates + (k - begin) * kTilePixels + offset;
      Vec m0{}, m1{}, m2{}, by_value[G] = {}, by_slope[G] = {};
#pragma GCC unroll 4
      for (int r = 0; r < kTile; ++r) {
        const int at = r * kTile;
        const Vec e = load(gate + at);
        Vec q = kFirst ? -load(w.dot + offset + at) : load(w.partial + offset + at);
        for (int c = 0; c < G; ++c) {
          const Vec res = load(residual + c * kTilePixels + offset + at);
          if constexpr (kLinear) {
            const Vec weighted = res * e;
            q += res * affine(expert + c, w.channels, offset + at, lane);
            by_value[c] += weighted;
            by_slope[c] += weighted * dy[r];
          } else {
            q += res * expert[c];
            by_value[c] += res * e;
          }
        }
        if constexpr (kLast) {
          q *= e;
          m0 += q;
          m1 += q * dy[r];
          m2 += q * dy2[r];
        } else {
          store(w.partial + offset + at, q);
        }
      }
      const Vec dx = lane + (static_cast<float>(offset) - cx);
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
    alignas(64) float sums[kMoments + kParts * G];
    sum_lanes<kMoments + kParts * G>(total, sums);
    if constexpr (kLast) memcpy(out, sums, kMoments * sizeof(float));
    for (int part = 0; part < kParts; ++part)
      memcpy(out + kMoments + part * w.channels + channel, sums + kMoments + part * G, G * sizeof(float));
  }
}

template <bool kFirst, bool kLast, bool kLinear>
void moments_group(const Workspace& w, int64_t begin, int64_t end, int32_t channel, float* gradients) {
  switch (group_at(w, channel)) {
    case 1: return moments<1, kFirst, kLast, kLinear>(w, begin, end, channel, gradients);
    case 2: return moments<2, kFirst, kLast, kLinear>(w, begin, end, channel, gradients);
    case 3: return moments<3, kFirst, kLast, kLinear>(w, begin, end, channel, gradients);
    default: return moments<4, kFirst, kLast, kLinear>(w, begin, end, channel, gradients);
  }
}

// All channels of kernels [begin, end), whose gates are at hand.
template <bool kLinear> void chunk_moments(const Workspace& w, int64_t begin, int64_t end, float* gradients) {
  if (w.channels <= kGroup) return moments_group<true, true, kLinear>(w, begin, end, 0, gradients);
  const int32_t last = (w.channels - 1) / kGroup * kGroup;
  for (int64_t k = begin; k < end; ++k) {
    Workspace one = w;
    one.gates += (k - begin) * kTilePixels;
    moments<kGroup, true, false, kLinear>(one, k, k + 1, 0, gradients);
    for (int32_t c = kGroup; c < last; c += kGroup) moments<kGroup, false, false, kLinear>(one, k, k + 1, c, gradients);
    moments_group<false, true, kLinear>(one, k, k + 1, last, gradients);
  }
}

void backward(const TileJob& job, float* memory, float* gradients) {
  const Workspace w = workspace_at(job, memory);
  const int64_t n = *w.active_count;
  if (n < job.count)
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
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t end = begin + kChunk < n ? begin + kChunk : n;
    if (n > kChunk) chunk_gates(job, w, begin, end, reference);  // else forward's are still there
    job.linear ? chunk_moments<true>(w, begin, end, gradients) : chunk_moments<false>(w, begin, end, gradients);
  }
}

constexpr SimdTable table = {RSMOE_STRING(RSMOE_ISA),
                             kLanes,
                             workspace_floats,
                             view,
                             forward,
                             residual_from_target,
                             backward,
                             gather_columns,
                             box_bounds,
                             cull,
                             adam};

}  // namespace

extern const SimdTable* const RSMOE_JOIN(simd_, RSMOE_ISA);
const SimdTable* const RSMOE_JOIN(simd_, RSMOE_ISA) = &table;

}  // namespace rsmoe::cpu
