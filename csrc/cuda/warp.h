// Sums and maxima over a warp or a block, always in the same order.
#pragma once
#include "runtime.h"

namespace rsmoe::cuda {

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int bit = 16; bit > 0; bit >>= 1) v += __shfl_xor_sync(kAllLanes, v, bit);
  return v;
}

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int bit = 16; bit > 0; bit >>= 1) {
    const float other = __shfl_xor_sync(kAllLanes, v, bit);
    v = other > v ? other : v;
  }
  return v;
}

// Reduces over all threads of a block; scratch has a place for each warp. Every thread gets the result.
template <int kThreads> __device__ __forceinline__ float block_sum(float v, float* scratch) {
  v = warp_sum(v);
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = v;
  __syncthreads();
  float total = scratch[0];
  for (int w = 1; w < kThreads / kWarp; ++w) total += scratch[w];
  __syncthreads();
  return total;
}

template <int kThreads> __device__ __forceinline__ float block_max(float v, float* scratch) {
  v = warp_max(v);
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = v;
  __syncthreads();
  float most = scratch[0];
  for (int w = 1; w < kThreads / kWarp; ++w) most = scratch[w] > most ? scratch[w] : most;
  __syncthreads();
  return most;
}

// Sums N values of each lane over a warp, with N + 3 or so shuffles instead of 5 N: at each step a lane hands half of
// its values to its partner. Lane l ends with the sum of value `column`; `writes` marks one lane for each column.
template <int N> struct ColumnSums {
  int column = 0;
  bool writes = true;

  __device__ __forceinline__ explicit ColumnSums(int lane) {
    constexpr int sizes[5] = {N, half(N), half(half(N)), half(half(half(N))), half(half(half(half(N))))};
#pragma unroll
    for (int step = 4; step >= 0; --step) {
      const bool upper = (lane >> step & 1) != 0;
      const int next = half(sizes[step]);
      const bool moves = upper && sizes[step] > 1 && column + next < sizes[step];
      if (upper && !moves) writes = false;
      if (moves) column += next;
    }
  }

  __device__ __forceinline__ float operator()(float (&v)[N], int lane) const {
    step<N, 0>(v, lane);
    return v[0];
  }

 private:
  static constexpr __host__ __device__ int half(int n) { return (n + 1) / 2; }

  template <int n, int number> __device__ __forceinline__ static void step(float (&v)[N], int lane) {
    constexpr int next = half(n);
    const bool upper = (lane >> number & 1) != 0;
#pragma unroll
    for (int i = 0; i < next; ++i) {
      if (i + next < n) {
        const float kept = upper ? v[i + next] : v[i], given = upper ? v[i] : v[i + next];
        v[i] = kept + __shfl_xor_sync(kAllLanes, given, 1 << number);
      } else {
        v[i] += __shfl_xor_sync(kAllLanes, v[i], 1 << number);
      }
    }
    if constexpr (number < 4) step<next, number + 1>(v, lane);
  }
};

}  // namespace rsmoe::cuda
