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

// ---------------------------------------------------------------- forward

// Adds gates * experts of kernels [begin, end) to G channels, and the gates to gate_sum when kSum.
template <int G, bool kSum>
void accumulate(const Workspace& w, int64_t begin, int64_t end, int32_t channel) {
  for (int block = 0; block < kVectors; block += kBlock) {
    Vec sum[kBlock], value[G][kBlock];
    for (int i = 0; i < kBlock; ++i) {
      const int at = (block + i) * kLanes;
      if constexpr (kSum) sum[i] = load(w.gate_sum + at);
      for (int c = 0; c < G; ++c) value[c][i] = load(w.value + (channel + c) * kTilePixels + at);
    }
    const float* gate = w.gates + block * kLanes;
    const float* expert = w.experts + begin * w.channels + channel;
    for (int64_t k = begin; k < end; ++k, gate += kTilePixels, expert += w.channels) {
#pragma GCC unroll 4
      for (int i = 0; i < kBlock; ++i) {
        const Vec e = load(gate + i * kLanes);
        if constexpr (kSum) sum[i] += e;
        for (int c = 0; c < G; ++c) value[c][i] += e * expert[c];
      }
    }
    for (int i = 0; i < kBlock; ++i) {
      const int at = (block + i) * kLanes;
      if constexpr (kSum) store(w.gate_sum + at, sum[i]);
      for (int c = 0; c < G; ++c) store(w.value + (channel + c) * kTilePixels + at, value[c][i]);
    }
  }
}

template <bool kSum>
void accumulate_group(const Workspace& w, int64_t begin, int64_t end, int32_t channel, int32_t group) {
  switch (group) {
    case 1: return accumulate<1, kSum>(w, begin, end, channel);
    case 2: return accumulate<2, kSum>(w, begin, end, channel);
    case 3: return accumulate<3, kSum>(w, begin, end, channel);
    default: return accumulate<4, kSum>(w, begin, end, channel);
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
      c == 0 ? accumulate_group<true>(w, begin, end, c, group) : accumulate_group<false>(w, begin, end, c, group);
    }
  }
}

// What backward needs to know of forward; kept behind the active count.
Reference& reference_of(const Workspace& w) { return *reinterpret_cast<Reference*>(w.active_count + 4); }

void forward(const TileJob& job, float* memory) {
  Workspace w;
  lay_out(memory, job.count, job.channels, &w);
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
  Workspace w;
  lay_out(memory, job.count, job.channels, &w);
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

// Moments of dLoss/ds about the kernel's centre, and dLoss/dm, for kernels [begin, end) of the active list.
// dLoss/ds = gate * (residual . expert - residual . value); `dot` starts as the second product and, when the
// channels come in several groups, carries the sum from group to group.
template <int G, bool kFirst, bool kLast>
void moments(const Workspace& w, int64_t begin, int64_t end, int32_t channel, float* gradients) {
  const Vec lane = lane_index();
  const int64_t stride = w.capacity, columns = kMoments + w.channels;
  for (int64_t k = begin; k < end; ++k) {
    const float cy = w.columns[kColY * stride + k], cx = w.columns[kColX * stride + k];
    const float* expert = w.experts + k * w.channels + channel;
    const float* residual = w.residual + channel * kTilePixels;
    float* out = gradients + w.positions[k] * columns;
    alignas(64) float dy[kTile], dy2[kTile];
    for (int i = 0; i < kTile; i += kLanes) {
      const Vec y = lane + (static_cast<float>(i) - cy);
      store(dy + i, y);
      store(dy2 + i, y * y);
    }
    Vec total[kMoments + G] = {};
    for (int g = 0; g < kRowVectors; ++g) {
      const int offset = g * kLanes;
      const float* gate = w.gates + (k - begin) * kTilePixels + offset;
      Vec m0{}, m1{}, m2{}, expert_gradient[G] = {};
#pragma GCC unroll 4
      for (int r = 0; r < kTile; ++r) {
        const int at = r * kTile;
        const Vec e = load(gate + at);
        Vec q = kFirst ? -load(w.dot + offset + at) : load(w.partial + offset + at);
        for (int c = 0; c < G; ++c) {
          const Vec res = load(residual + c * kTilePixels + offset + at);
          q += res * expert[c];
          expert_gradient[c] += res * e;
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
      for (int c = 0; c < G; ++c) total[kMoments + c] += expert_gradient[c];
    }
    alignas(64) float sums[kMoments + G];
    sum_lanes<kMoments + G>(total, sums);
    if constexpr (kLast) memcpy(out, sums, kMoments * sizeof(float));
    memcpy(out + kMoments + channel, sums + kMoments, G * sizeof(float));
  }
}

template <bool kFirst, bool kLast>
void moments_group(const Workspace& w, int64_t begin, int64_t end, int32_t channel, float* gradients) {
  switch (group_at(w, channel)) {
    case 1: return moments<1, kFirst, kLast>(w, begin, end, channel, gradients);
    case 2: return moments<2, kFirst, kLast>(w, begin, end, channel, gradients);
    case 3: return moments<3, kFirst, kLast>(w, begin, end, channel, gradients);
    default: return moments<4, kFirst, kLast>(w, begin, end, channel, gradients);
  }
}

Workspace with_gates_at(Workspace w, int64_t kernel) {
  w.gates += kernel * kTilePixels;
  return w;
}

void backward(const TileJob& job, float* memory, float* gradients) {
  Workspace w;
  lay_out(memory, job.count, job.channels, &w);
  const int64_t n = *w.active_count;
  if (n < job.count) memset(gradients, 0, static_cast<size_t>(job.count) * (kMoments + job.channels) * sizeof(float));
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
    if (w.channels <= kGroup) {
      moments_group<true, true>(w, begin, end, 0, gradients);
      continue;
    }
    const int32_t last = (w.channels - 1) / kGroup * kGroup;
    for (int64_t k = begin; k < end; ++k) {
      const Workspace one = with_gates_at(w, k - begin);
      moments<kGroup, true, false>(one, k, k + 1, 0, gradients);
      for (int32_t c = kGroup; c < last; c += kGroup) moments<kGroup, false, false>(one, k, k + 1, c, gradients);
      moments_group<false, true>(one, k, k + 1, last, gradients);
    }
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
