// The tile kernels. Compiled once per instruction set (RSMOE_ISA = base, avx2, avx512); see simd.h for the rules.
#include "simd.h"

#include "adam_simd.h"
#include "tile.h"

#define RSMOE_STRING_(a) #a
#define RSMOE_STRING(a) RSMOE_STRING_(a)
#define RSMOE_JOIN_(a, b) a##b
#define RSMOE_JOIN(a, b) RSMOE_JOIN_(a, b)

namespace rsmoe::cpu {
namespace {

constexpr int kVectors = kTilePixels / kLanes;  // vectors of a plane
constexpr int kRowVectors = kTile / kLanes;     // vectors of a row
constexpr int kChunk = 64;                      // kernels whose gates are held at once: 64 KiB, level-2 cache
constexpr int kGroup = 4;                       // channels summed in registers at once
constexpr int kBlock = kLanes == 16 ? 4 : 2;    // vectors whose sums are held in registers at once
constexpr float kMinGateSum = 1e-18f;           // below this the common reference fails: use one per pixel

// Columns of the culled kernels. Positions are relative to the tile's first pixel.
enum Column { kColY, kColX, kColR11, kColR12, kColR22, kColLogit, kColSlopeX, kColSlopeY, kColumns };

struct Workspace {
  int64_t capacity;  // kernels, rounded up to a vector
  int32_t channels;
  int32_t* active_count;
  int32_t* positions;  // [capacity] position in the job's list of each active kernel
  float* columns;      // [kColumns, capacity]
  float* bounds;       // [8, capacity] low and high of the four quadrants
  float* experts;      // [capacity, channels] less the tile's base colour
  float* base;         // [channels]
  float* gates;        // [min(capacity, kChunk), 256] relative to a common or a per-pixel reference
  float* dot;          // [256] residual . value
  float* partial;      // [256] dLoss/ds of one kernel between channel groups
  float* peak;         // [512] per-pixel largest s as doubles, used with a per-pixel reference
  float* gate_sum;     // [256]
  float* inverse;      // [256]
  float* value;        // [channels, 256]
  float* residual;     // [channels, 256]
};

constexpr int64_t round_up(int64_t n) { return (n + 15) / 16 * 16; }

int64_t lay_out(float* memory, int64_t count, int32_t channels, Workspace* w) {
  const int64_t capacity = round_up(count > 0 ? count : 1);
  int64_t floats = 0;
  auto take = [&](int64_t n) {
    float* here = memory ? memory + floats : nullptr;
    floats += round_up(n);
    return here;
  };
  w->capacity = capacity;
  w->channels = channels;
  w->active_count = reinterpret_cast<int32_t*>(take(16));
  w->positions = reinterpret_cast<int32_t*>(take(capacity));
  w->columns = take(kColumns * capacity);
  w->bounds = take(8 * capacity);
  w->experts = take(capacity * channels);
  w->base = take(channels);
  w->gates = take((capacity < kChunk ? capacity : kChunk) * kTilePixels);
  w->dot = take(kTilePixels);
  w->partial = take(kTilePixels);
  w->peak = take(2 * kTilePixels);
  w->gate_sum = take(kTilePixels);
  w->inverse = take(kTilePixels);
  w->value = take(static_cast<int64_t>(channels) * kTilePixels);
  w->residual = take(static_cast<int64_t>(channels) * kTilePixels);
  return floats;
}

int64_t workspace_floats(int64_t count, int32_t channels) {
  Workspace w;
  return lay_out(nullptr, count, channels, &w);
}

TileView view(float* memory, int64_t count, int32_t channels) {
  Workspace w;
  lay_out(memory, count, channels, &w);
  return {w.value, w.residual};
}

// ---------------------------------------------------------------- culling

// s over the box is concave: its minimum is at a corner; its maximum at the centre if that is inside, else on
// an edge, where the best point of the edge's line is clamped into the edge.
void box_bounds(const float* columns, int64_t stride, int64_t n, float y0, float x0, float y1, float x1, float* low,
                float* high) {
  const Vec ya = splat(y0), yb = splat(y1), xa = splat(x0), xb = splat(x1);
  for (int64_t i = 0; i < n; i += kLanes) {
    auto column = [&](Column c) { return load(columns + c * stride + i); };
    const Vec cy = column(kColY), cx = column(kColX), r11 = column(kColR11), r12 = column(kColR12);
    const Vec r22 = column(kColR22), logit = column(kColLogit);
    const Vec slope_x = column(kColSlopeX), slope_y = column(kColSlopeY);
    const Vec top = ya - cy, bottom = yb - cy, left = xa - cx, right = xb - cx;
    auto square = [&](Vec dy, Vec dx) {
      const Vec u = r11 * dx + r12 * dy, v = r22 * dy;
      return u * u + v * v;
    };
    const Vec farthest =
        larger(larger(square(top, left), square(top, right)), larger(square(bottom, left), square(bottom, right)));
    auto along_x = [&](Vec dy) { return square(dy, smaller(larger(-slope_x * dy, left), right)); };
    auto along_y = [&](Vec dx) { return square(smaller(larger(-slope_y * dx, top), bottom), dx); };
    Vec nearest = smaller(smaller(along_x(top), along_x(bottom)), smaller(along_y(left), along_y(right)));
    const VecI inside = (top <= 0.0f) & (bottom >= 0.0f) & (left <= 0.0f) & (right >= 0.0f);
    nearest = inside ? Vec{} : nearest;
    store(low + i, logit - 0.5f * farthest);
    store(high + i, logit - 0.5f * nearest);
  }
}

float maximum(const float* values, int64_t n) {
  float best = values[0];
  for (int64_t i = 1; i < n; ++i) best = values[i] > best ? values[i] : best;
  return best;
}

// Kernels `ids` (null: the first n) as columns, positions relative to (y0, x0). The last vector is filled up
// with the last kernel: harmless, and no arithmetic on garbage.
void gather_columns(const float* geometry, const int32_t* ids, int64_t n, float y0, float x0, float* columns,
                    int64_t stride) {
  for (int64_t i = 0; i < n; ++i) {
    const float* k = geometry + (ids ? int64_t{ids[i]} : i) * kGeometry;
    columns[kColY * stride + i] = k[kY] - y0;
    columns[kColX * stride + i] = k[kX] - x0;
    for (int c = kColR11; c <= kColLogit; ++c) columns[c * stride + i] = k[c];
  }
  for (int64_t i = n; i < round_up(n); ++i)
    for (int c = 0; c < kColSlopeX; ++c) columns[c * stride + i] = columns[c * stride + n - 1];
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec r11 = load(columns + kColR11 * stride + i), r12 = load(columns + kColR12 * stride + i);
    const Vec r22 = load(columns + kColR22 * stride + i);
    store(columns + kColSlopeX * stride + i, r12 / r11);
    store(columns + kColSlopeY * stride + i, r11 * r12 / (r12 * r12 + r22 * r22));
  }
}

// Culls the job's kernels them by quadrant, packs the survivors. Returns the largest s.
float prepare(const TileJob& job, Workspace& w) {
  const int64_t n = job.count, stride = w.capacity;
  gather_columns(job.geometry, job.kernels, n, job.y0, job.x0, w.columns, stride);
  float threshold[4], reference = -__builtin_inff();
  constexpr int half = kTile / 2;
  for (int q = 0; q < 4; ++q) {
    float* low = w.bounds + 2 * q * stride;
    float* high = low + stride;
    const float y = static_cast<float>(q / 2 * half), x = static_cast<float>(q % 2 * half);
    box_bounds(w.columns, stride, n, y, x, y + half - 1, x + half - 1, low, high);
    const float floor_s = job.normalised ? maximum(low, n) : 0.0f;
    const float slack = 1e-5f * (floor_s < 0 ? -floor_s : floor_s);  // float32 rounding of a far kernel's s
    threshold[q] = floor_s - job.tau - slack;
    const float largest = maximum(high, n);
    reference = largest > reference ? largest : reference;
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    bool keep = false;
    for (int q = 0; q < 4; ++q) keep |= w.bounds[(2 * q + 1) * stride + i] >= threshold[q];
    if (!keep) continue;
    w.positions[kept] = static_cast<int32_t>(i);
    for (int c = 0; c < kColSlopeX; ++c) w.columns[c * stride + kept] = w.columns[c * stride + i];
    ++kept;
  }
  *w.active_count = static_cast<int32_t>(kept);
  for (int32_t c = 0; c < job.channels; ++c) {  // a base colour makes equal experts exact
    w.base[c] = job.normalised && kept ? job.experts[int64_t{job.kernels[w.positions[0]]} * job.channels + c] : 0.0f;
    for (int64_t k = 0; k < kept; ++k)
      w.experts[k * job.channels + c] =
          job.experts[int64_t{job.kernels[w.positions[k]]} * job.channels + c] - w.base[c];
  }
  return job.normalised ? reference : 0.0f;
}

// ---------------------------------------------------------------- gates

// exp(s - reference) of the kernels [begin, end), 256 pixels each.
template <bool kNormalised>
void gates(const Workspace& w, int64_t begin, int64_t end, float reference) {
  const Vec lane = lane_index();
  for (int64_t k = begin; k < end; ++k) {
    const float* column = w.columns + k;
    const int64_t stride = w.capacity;
    const float cy = column[kColY * stride], cx = column[kColX * stride];
    const float a = column[kColR11 * stride] * kRootHalfLog2E, b = column[kColR12 * stride] * kRootHalfLog2E;
    const float d = column[kColR22 * stride] * kRootHalfLog2E;
    const float top = (column[kColLogit * stride] - reference) * kLog2E;
    alignas(64) float row[kTile];  // exponent less u^2, per row
    for (int i = 0; i < kTile; i += kLanes) {
      const Vec v = d * (lane + (static_cast<float>(i) - cy));
      store(row + i, top - v * v);
    }
    float* out = w.gates + (k - begin) * kTilePixels;
    for (int g = 0; g < kRowVectors; ++g) {
      Vec u = a * (lane + (static_cast<float>(g * kLanes) - cx)) - splat(b * cy);
#pragma GCC unroll 16
      for (int r = 0; r < kTile; ++r) {
        Vec t = row[r] - u * u;
        if constexpr (!kNormalised) t = smaller(t, splat(127.0f));
        store(out + r * kTile + g * kLanes, exp2_clamped(t));
        u += b;
      }
    }
  }
}

// The exponent of 2 of active kernel k at each pixel, in float64 from the kernel's own numbers: far from every
// kernel s is so large that float32 cannot tell kernels apart.
void exponents(const TileJob& job, const Workspace& w, int64_t k, double* out) {
  const float* kernel = job.geometry + int64_t{job.kernels[w.positions[k]]} * kGeometry;
  constexpr double log2e = 1.4426950408889634;
  const double cy = double{kernel[kY]} - job.y0, cx = double{kernel[kX]} - job.x0;
  const double r11 = kernel[kR11], r12 = kernel[kR12], r22 = kernel[kR22], logit = kernel[kLogit];
  for (int i = 0; i < kTilePixels; ++i) {
    const double dy = i / kTile - cy, dx = i % kTile - cx;
    const double u = r11 * dx + r12 * dy, v = r22 * dy;
    out[i] = log2e * (logit - 0.5 * (u * u + v * v));
  }
}

void find_peaks(const TileJob& job, const Workspace& w) {
  double* peak = reinterpret_cast<double*>(w.peak);
  alignas(64) double t[kTilePixels];
  exponents(job, w, 0, peak);
  for (int64_t k = 1; k < *w.active_count; ++k) {
    exponents(job, w, k, t);
    for (int i = 0; i < kTilePixels; ++i) peak[i] = t[i] > peak[i] ? t[i] : peak[i];
  }
}

void gates_from_peaks(const TileJob& job, const Workspace& w, int64_t begin, int64_t end) {
  const double* peak = reinterpret_cast<const double*>(w.peak);
  alignas(64) double t[kTilePixels];
  alignas(64) float relative[kTilePixels];
  for (int64_t k = begin; k < end; ++k) {
    exponents(job, w, k, t);
    for (int i = 0; i < kTilePixels; ++i) {
      const double r = t[i] - peak[i];
      relative[i] = static_cast<float>(r > -126.0 ? r : -126.0);
    }
    float* out = w.gates + (k - begin) * kTilePixels;
    for (int i = 0; i < kTilePixels; i += kLanes) store(out + i, exp2_clamped(load(relative + i)));
  }
}

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

constexpr SimdTable table = {RSMOE_STRING(RSMOE_ISA), kLanes,   workspace_floats, view,       forward,
                             residual_from_target,    backward, gather_columns,   box_bounds, adam};

}  // namespace

extern const SimdTable* const RSMOE_JOIN(simd_, RSMOE_ISA);
const SimdTable* const RSMOE_JOIN(simd_, RSMOE_ISA) = &table;

}  // namespace rsmoe::cpu
