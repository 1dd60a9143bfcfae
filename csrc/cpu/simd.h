// Vectors of kLanes floats through GCC/Clang vector extensions: one source for SSE2, AVX2, AVX-512 and NEON.
// Included only by units that are compiled once per instruction set: no STL, nothing with external linkage.
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace rsmoe {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t VecI __attribute__((vector_size(kLanes * 4)));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
// Zero is taken away, which compilers leave out; adding it would change the sign of -0 and would be done.
inline Vec splat(float v) { return v - Vec{}; }
// Written with intrinsics, because compilers do not turn the comparison and choice into one instruction.
#if defined(__AVX512F__)
inline Vec smaller(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec larger(Vec a, Vec b) { return _mm512_max_ps(a, b); }
#elif defined(__AVX2__)
inline Vec smaller(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Vec larger(Vec a, Vec b) { return _mm256_max_ps(a, b); }
#elif defined(__SSE2__)
inline Vec smaller(Vec a, Vec b) { return _mm_min_ps(a, b); }
inline Vec larger(Vec a, Vec b) { return _mm_max_ps(a, b); }
#else
inline Vec smaller(Vec a, Vec b) { return a < b ? a : b; }
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }
#endif

inline Vec absolute(Vec v) { return larger(v, -v); }
inline Vec zero_where(VecI condition, Vec otherwise) { return condition ? Vec{} : otherwise; }

inline Vec clamp(Vec v, Vec low, Vec high) { return smaller(larger(v, low), high); }

inline Vec square_root(Vec v) {
  for (int i = 0; i < kLanes; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
}

// Loads `size` floats from any address, with zeros behind them, and stores them.
inline Vec load_some(const float* p, int size) {
  Vec v{};
  if (size == kLanes)
    memcpy(&v, p, sizeof(Vec));
  else
    memcpy(&v, p, static_cast<size_t>(size) * sizeof(float));
  return v;
}
inline void store_some(float* p, Vec v, int size) {
  if (size == kLanes)
    memcpy(p, &v, sizeof(Vec));
  else
    memcpy(p, &v, static_cast<size_t>(size) * sizeof(float));
}

// The largest of n floats, n at least 1, padded to a whole vector.
inline float largest_of(const float* values, int64_t n) {
  Vec best = load(values);
  for (int64_t i = kLanes; i < n; i += kLanes) best = larger(best, load(values + i));
  float result = best[0];
  for (int i = 1; i < kLanes; ++i) result = best[i] > result ? best[i] : result;
  return result;
}

inline Vec lane_index() {
  Vec v;
  for (int i = 0; i < kLanes; ++i) v[i] = static_cast<float>(i);
  return v;
}

inline VecI load(const int32_t* p) { return *reinterpret_cast<const VecI*>(p); }
inline void store(int32_t* p, VecI v) { *reinterpret_cast<VecI*>(p) = v; }

inline VecI lane_number() {
  VecI v;
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// For each choice among eight lanes, the bits of the index: the numbers of the chosen lanes, in order, a byte each.
struct ChosenLanes {
  uint64_t numbers[256];
};
constexpr ChosenLanes chosen_lanes() {
  ChosenLanes result{};
  for (uint32_t choice = 0; choice < 256; ++choice)
    for (uint64_t lane = 0, count = 0; lane < 8; ++lane)
      if (choice >> lane & 1) result.numbers[choice] |= lane << 8 * count++;
  return result;
}
alignas(64) constexpr ChosenLanes kChosenLanes = chosen_lanes();
#endif

// Writes the values of the lanes where a condition holds to out, in order; returns how many. Without a branch,
// because the condition is hard to predict. out has room for all lanes, at any address.
inline int store_where(VecI condition, VecI values, int32_t* out) {
#if defined(__AVX512F__)
  const __mmask16 chosen = _mm512_movepi32_mask(reinterpret_cast<__m512i>(condition));
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(chosen, reinterpret_cast<__m512i>(values)));
  return __builtin_popcount(chosen);
#elif defined(__AVX2__)
  const auto chosen = static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(condition)));
  const __m256i from = _mm256_cvtepu8_epi32(_mm_loadu_si64(kChosenLanes.numbers + chosen));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                      _mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(values), from));
  return __builtin_popcount(chosen);
#else
  int count = 0;
  for (int i = 0; i < kLanes; ++i) {
    out[count] = values[i];
    count -= condition[i];
  }
  return count;
#endif
}

// 2^t for t in [-126, 127]. Below, the result stays at 2^-126, which is far too small to matter to a gate. With
// t = n + r, 2^r is a minimax polynomial of relative error 3e-6, and n is added to the exponent.
inline Vec exp2_clamped(Vec t) {
  t = larger(t, splat(-126.0f));
#if defined(__AVX512F__)
  const Vec r = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // in [0, 1)
  Vec p = splat(1.3426811e-2f);
  p = p * r + 5.2242048e-2f;
  p = p * r + 2.4128065e-1f;
  p = p * r + 6.9304472e-1f;
  p = p * r + 1.0f;
  return _mm512_scalef_ps(p, t);
#else
  const Vec magic = splat(12582912.0f);  // 1.5 * 2^23: a sum with it has no bits for a fraction.
  const Vec shifted = t + magic;
  const Vec r = t - (shifted - magic);  // in [-1/2, 1/2]
  Vec p = splat(9.5853824e-3f);
  p = p * r + 5.5906627e-2f;
  p = p * r + 2.4024038e-1f;
  p = p * r + 6.9312418e-1f;
  p = p * r + 1.0f;
  return reinterpret_cast<Vec>(reinterpret_cast<VecI>(p) + (reinterpret_cast<VecI>(shifted) << 23));
#endif
}

// Sums of several vectors at once, or what else join(a, b) makes of two: lane i of the result is the sum over the lanes
// of in[i], for i < N <= kLanes. Halves the number of vectors and doubles the groups at each of log2(kLanes) steps.
#if defined(__AVX512F__)
#define RSMOE_LOW8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define RSMOE_HIGH8(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define RSMOE_LOW4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define RSMOE_HIGH4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
#define RSMOE_LOW2(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29)
#define RSMOE_HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31)
#define RSMOE_LOW1(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define RSMOE_HIGH1(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif defined(__AVX2__)
// After the first step, all shuffles stay within the halves of a vector, where they are fastest.
#define RSMOE_LOW4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define RSMOE_HIGH4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#define RSMOE_LOW2(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define RSMOE_HIGH2(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define RSMOE_LOW1(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define RSMOE_HIGH1(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define RSMOE_LOW2(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define RSMOE_HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#define RSMOE_LOW1(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define RSMOE_HIGH1(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#endif

template <int N, class Join>
inline Vec join_lanes(const Vec* in, Join&& join) {
  Vec v[kLanes];
  for (int i = 0; i < kLanes; ++i) v[i] = i < N ? in[i] : Vec{};
#if defined(__AVX512F__)
  for (int i = 0; i < 8; ++i) v[i] = join(RSMOE_LOW8(v[2 * i], v[2 * i + 1]), RSMOE_HIGH8(v[2 * i], v[2 * i + 1]));
  for (int i = 0; i < 4; ++i) v[i] = join(RSMOE_LOW4(v[2 * i], v[2 * i + 1]), RSMOE_HIGH4(v[2 * i], v[2 * i + 1]));
#elif defined(__AVX2__)
  for (int i = 0; i < 4; ++i) v[i] = join(RSMOE_LOW4(v[i], v[i + 4]), RSMOE_HIGH4(v[i], v[i + 4]));
#endif
  for (int i = 0; i < 2; ++i) v[i] = join(RSMOE_LOW2(v[2 * i], v[2 * i + 1]), RSMOE_HIGH2(v[2 * i], v[2 * i + 1]));
  return join(RSMOE_LOW1(v[0], v[1]), RSMOE_HIGH1(v[0], v[1]));
}

template <int N>
inline Vec lane_sums(const Vec* in) {
  return join_lanes<N>(in, [](Vec a, Vec b) { return a + b; });
}

// Stores the first N floats of a vector at any address, without a detour through memory, which takes as long as the
// sums of a kernel.
template <int N>
inline void store_first(float* p, Vec v) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << N) - 1), v);
#else
  for (int i = 0; i < N; ++i) p[i] = v[i];
#endif
}

// The sums of N vectors, written to out[0..N).
template <int N>
inline void sum_lanes(const Vec* in, float* out) {
  if constexpr (N <= kLanes) {
    store_first<N>(out, lane_sums<N>(in));
  } else {
    sum_lanes<kLanes>(in, out);
    sum_lanes<N - kLanes>(in + kLanes, out + kLanes);
  }
}

// The largest lane of each of N vectors, written to out[0..N).
template <int N>
inline void largest_lanes(const Vec* in, float* out) {
  if constexpr (N <= kLanes) {
    store_first<N>(out, join_lanes<N>(in, [](Vec a, Vec b) { return larger(a, b); }));
  } else {
    largest_lanes<kLanes>(in, out);
    largest_lanes<N - kLanes>(in + kLanes, out + kLanes);
  }
}

inline float sum_lanes(Vec v) {
  float out;
  sum_lanes<1>(&v, &out);
  return out;
}

}  // namespace
}  // namespace rsmoe
