// The part of CUDA that the engine uses. nvcc compiles it for the graphics card; any other compiler runs the same
// source thread by thread on the CPU, which is how it is tested without one (tests/cuda_on_host).
//
// The subset that both can do: blocks of a multiple of 32 threads; 48 KiB of static shared memory; full masks; barriers
// and warp operations that all threads reach. Shared memory is declared and kernels are launched by the macros below.
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>

#define RSMOE_SHARED(type, name, dimensions) __shared__ type name dimensions
#define RSMOE_LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#else
#include "cuda_on_host.h"

#define RSMOE_SHARED(type, name, dimensions)                                                                           \
  using name##_type = type dimensions;                                                                                 \
  name##_type& name =                                                                                                  \
      *static_cast<name##_type*>(cuda_on_host::shared(sizeof(name##_type), alignof(name##_type), __LINE__))
#define RSMOE_LAUNCH(kernel, grid, block, stream, ...)                                                                 \
  cuda_on_host::launch(grid, block, stream, [=] { kernel(__VA_ARGS__); })
#endif

#include <cstdint>

namespace rsmoe::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarp = 32;

// 2^t, relative error 2^-22; what is below 2^-126 is 0.
__device__ __forceinline__ float exp2_fast(float t) {
#ifdef __CUDACC__
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(t));
  return result;
#else
  return t < -126.0f ? 0.0f : std::exp2(t);
#endif
}

__device__ __forceinline__ float infinity() {
#ifdef __CUDACC__
  return __int_as_float(0x7f800000);
#else
  return __builtin_inff();
#endif
}

}  // namespace rsmoe::cuda
