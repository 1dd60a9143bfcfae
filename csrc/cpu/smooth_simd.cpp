// Rows of a smoothed image. Compiled once per instruction set, as tile_simd.cpp; see simd.h for the rules. Without
// fused multiply-add (-ffp-contract=off), so that the bits are the same on every processor.
#include "simd.h"
#include "smooth.h"

#define RSMOE_JOIN_(a, b) a##b
#define RSMOE_JOIN(a, b) RSMOE_JOIN_(a, b)

namespace rsmoe::cpu {
namespace {

constexpr int kWide = kLanes / 2;  // doubles of a vector
constexpr int kTogether = 4;       // vectors whose sums are held in registers
constexpr int kRun = kTogether * kWide;
typedef double Wide __attribute__((vector_size(kWide * sizeof(double))));
typedef float Narrow __attribute__((vector_size(kWide * sizeof(float))));

inline Wide load_wide(const double* p) {
  Wide v;
  memcpy(&v, p, sizeof v);
  return v;
}
inline Wide load_wide(const float* p) {
  Narrow v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Wide);
}
inline void store_wide(double* p, Wide v) { memcpy(p, &v, sizeof v); }
inline void store_wide(float* p, Wide v) {
  const Narrow narrow = __builtin_convertvector(v, Narrow);
  memcpy(p, &narrow, sizeof narrow);
}

// The place in [0, n) that mirrors place i, the ends repeated.
inline int64_t mirrored(int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  const int64_t period = 2 * n, at = (i % period + period) % period;
  return at < n ? at : period - 1 - at;
}

// Sums n places: out[x] = sum over j of weights[j] (before(j)[x] + after(j)[x]), and weights[0] before(0)[x]. With kRun
// places or more, the last ones may be computed twice.
template <class T, class Out, class Before, class After>
inline void weigh(int64_t n, const double* weights, int64_t reach, Before&& before, After&& after, Out* out) {
  const T* own = before(0);
  for (int64_t x = 0; n >= kRun && x < n; x += kRun) {
    const int64_t first = x + kRun <= n ? x : n - kRun;
    Wide sum[kTogether];
    for (int v = 0; v < kTogether; ++v) sum[v] = load_wide(own + first + v * kWide) * weights[0];
    for (int64_t j = reach; j > 0; --j) {
      const T *a = before(j) + first, *b = after(j) + first;
      for (int v = 0; v < kTogether; ++v) sum[v] += (load_wide(a + v * kWide) + load_wide(b + v * kWide)) * weights[j];
    }
    for (int v = 0; v < kTogether; ++v) store_wide(out + first + v * kWide, sum[v]);
  }
  for (int64_t x = 0; n < kRun && x < n; ++x) {
    double sum = static_cast<double>(own[x]) * weights[0];
    for (int64_t j = reach; j > 0; --j)
      sum += (static_cast<double>(before(j)[x]) + static_cast<double>(after(j)[x])) * weights[j];
    out[x] = static_cast<Out>(sum);
  }
}

// A row is summed along the first axis into the part of its result, which the second axis then replaces.
template <class T> void rows_of(const Smoothing& s, int64_t begin, int64_t end, double* line) {
  const int64_t n = s.width * s.channels, margin = s.reach * s.channels;
  const T* values = static_cast<const T*>(s.values);
  for (int64_t y = begin; y < end; ++y) {
    T* out = static_cast<T*>(s.result) + y * n;
    weigh<T>(
        n, s.weights, s.reach, [&](int64_t j) { return values + mirrored(y - j, s.height) * n; },
        [&](int64_t j) { return values + mirrored(y + j, s.height) * n; }, out);
    for (int64_t x = 0; x < n; ++x) line[margin + x] = static_cast<double>(out[x]);
    for (int64_t x = -s.reach; x < s.width + s.reach; x = x == -1 ? s.width : x + 1)
      for (int64_t c = 0; c < s.channels; ++c)
        line[margin + x * s.channels + c] = line[margin + mirrored(x, s.width) * s.channels + c];
    const double* middle = line + margin;
    weigh<double>(
        n, s.weights, s.reach, [&](int64_t j) { return middle - j * s.channels; },
        [&](int64_t j) { return middle + j * s.channels; }, out);
  }
}

}  // namespace

void RSMOE_JOIN(smooth_rows_, RSMOE_ISA)(const Smoothing& s, int64_t begin, int64_t end, double* line);
void RSMOE_JOIN(smooth_rows_, RSMOE_ISA)(const Smoothing& s, int64_t begin, int64_t end, double* line) {
  s.precise ? rows_of<double>(s, begin, end, line) : rows_of<float>(s, begin, end, line);
}

}  // namespace rsmoe::cpu
