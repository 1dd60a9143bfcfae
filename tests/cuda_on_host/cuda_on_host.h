// Runs CUDA source on the CPU, thread by thread. Any compiler but nvcc gets this instead of <cuda_runtime.h>; see
// csrc/cuda/runtime.h, which says what of CUDA the engine uses, and docs/method/cuda.md.
//
// A CUDA thread is a fiber; the fibers of a block run in turn on one core, each until it has to wait for others.
// Blocks run one after another. CUDA_ON_HOST_SEED shuffles the order of blocks and lanes, which must not matter.
//
// It ends the program, with line and thread, when threads of a block wait at different barriers, when one returns while
// others wait, or at a warp operation that not all 32 lanes reach. Shared memory is filled with NaN before each block.
// Built with -fsanitize=address or thread, it tells the sanitizers what is shared memory and what a barrier orders.
//
// Work must go to the one stream() there is, while a Guard stands. Waiting is counted. While a graph is captured, work
// is kept instead of done, and waiting is refused as CUDA does.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0, cudaErrorStreamCaptureUnsupported = 900 };
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone = 0, cudaStreamCaptureStatusActive = 1 };
inline const char* cudaGetErrorString(cudaError_t error) {
  return error ? "operation not permitted when stream is capturing" : "no error";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus*);
cudaError_t cudaMemsetAsync(void* to, int byte, size_t size, cudaStream_t);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind, cudaStream_t);

namespace cuda_on_host {

struct Indices {
  dim3 thread, block, block_size, grid_size;
};
const Indices& indices();  // of the fiber that runs

void launch(dim3 grid, dim3 block, cudaStream_t stream, const std::function<void()>& kernel);

cudaStream_t stream();

// Stands for the current device being set.
struct Guard {
  Guard();
  ~Guard();
};

void begin_capture();
void end_capture();
void replay();  // what was captured last

// Shared memory: the same sequence of calls in every thread of a block gives the same addresses.
void* shared(size_t bytes, size_t alignment, int line);

void barrier(int line);
unsigned ballot(unsigned mask, bool predicate, int line);
uint64_t exchange(unsigned mask, uint64_t value, unsigned lane, int line);  // value of another lane
unsigned lane();

template <class T> T shuffle(unsigned mask, T value, unsigned from, int line) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, from, line);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace cuda_on_host

#define threadIdx (cuda_on_host::indices().thread)
#define blockIdx (cuda_on_host::indices().block)
#define blockDim (cuda_on_host::indices().block_size)
#define gridDim (cuda_on_host::indices().grid_size)
#define __syncthreads() cuda_on_host::barrier(__LINE__)
#define __ballot_sync(mask, predicate) cuda_on_host::ballot(mask, predicate, __LINE__)
#define __shfl_sync(mask, value, from) cuda_on_host::shuffle(mask, value, (from) & 31, __LINE__)
#define __shfl_xor_sync(mask, value, bits) cuda_on_host::shuffle(mask, value, cuda_on_host::lane() ^ (bits), __LINE__)
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
