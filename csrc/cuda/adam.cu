#include "adam.h"

#include "warp.h"

// Eight lanes share a kernel: they add up its pairs, and six of them hold Adam's moments of its geometry.
namespace rsmoe::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kTeam = 8;
constexpr int kTeams = kThreads / kTeam;  // of a block

struct Team {
  int64_t kernel;  // past the last one the team idles, but takes part in shuffles
  int32_t member;
  const float* begin;  // of its pairs
  int64_t count;       // of its pairs
  int32_t columns;

  __device__ explicit Team(const Pairs& pairs) {
    const auto thread = static_cast<int32_t>(threadIdx.x);
    kernel = int64_t{blockIdx.x} * kTeams + thread / kTeam;
    member = thread % kTeam;
    columns = kMoments + pairs.channels;
    const int64_t first = kernel < pairs.kernels ? pairs.kernel_start[kernel] : 0;
    count = kernel < pairs.kernels ? pairs.kernel_start[kernel + 1] - first : 0;
    begin = pairs.values + first * columns;
  }

  // Sum of a column over the kernel's pairs; every member gets it.
  __device__ float sum(int32_t column) const {
    float total = 0;
    for (int64_t p = member; p < count; p += kTeam) total += begin[p * columns + column];
#pragma unroll
    for (int bit = kTeam / 2; bit > 0; bit >>= 1) total += __shfl_xor_sync(kAllLanes, total, bit);
    return total;
  }

  __device__ Moments moments() const { return {sum(0), sum(1), sum(2), sum(3), sum(4), sum(5)}; }

  // The value that a member has.
  __device__ float from(int32_t other, float value) const {
    return __shfl_sync(kAllLanes, value, static_cast<int>(threadIdx.x) % kWarp / kTeam * kTeam + other);
  }
};

__global__ void __launch_bounds__(kThreads)
    gather(const Pairs pairs, const float* __restrict__ geometry, float* __restrict__ grad_geometry,
           float* __restrict__ grad_experts, const Status* __restrict__ status) {
  if (status->overflow) return;
  const Team team(pairs);
  const bool exists = team.kernel < pairs.kernels;
  const Moments m = team.moments();
  if (exists && team.member == 0) {
    const int64_t row = team.kernel * kGeometry;
    store_kernel(grad_geometry + row, gradient(load_kernel(geometry + row), m));
  }
  for (int32_t c = 0; c < pairs.channels; ++c) {
    const float sum = team.sum(kMoments + c);
    if (exists && team.member == c % kTeam) grad_experts[team.kernel * pairs.channels + c] = sum;
  }
}

__device__ void sum_loss(const AdamStep& step, float* scratch) {
  const auto model = static_cast<int32_t>(blockIdx.x);
  const int64_t tiles = step.tiles / step.models;
  float loss = 0;
  for (int32_t g = 0; g < step.groups; ++g)
    for (int64_t t = threadIdx.x; t < tiles; t += kThreads) loss += step.tile_loss[g * step.tiles + model * tiles + t];
  loss = block_sum<kThreads>(loss, scratch);
  if (threadIdx.x == 0) step.losses[model] = loss;
}

__global__ void __launch_bounds__(kThreads) adam_step(const AdamStep step, const Pairs pairs, Status* status) {
  RSMOE_SHARED(float, scratch, [kThreads / kWarp]);
  if (status->overflow) return;
  if (blockIdx.x < static_cast<unsigned>(step.models)) sum_loss(step, scratch);
  if (blockIdx.x == 0 && threadIdx.x == 0) status->steps = step.steps_done;
  const Team team(pairs);
  const bool exists = team.kernel < pairs.kernels;
  const AdamRates rates{step.rates[0], step.rates[1], step.rates[2], step.rates[3]};
  float* second_moments = step.state + team.columns * pairs.kernels;

  const Moments m = team.moments();
  const bool holds = exists && team.member < kMoments;
  const int64_t own = team.member * pairs.kernels + team.kernel;
  float first = holds ? step.state[own] : 0.0f, second = holds ? second_moments[own] : 0.0f;
  Kernel k{0, 0, 1, 0, 1, 0};
  if (exists) k = load_kernel(step.geometry + team.kernel * kGeometry);
  move_kernel(k, m, step.whitened, rates, step.limits, [&](int row, float gradient, float rate) {
    float move = 0;
    if (team.member == row) move = adam_move(step.decay, first, second, gradient, rate);
    return team.from(row, move);
  });
  if (holds) {
    step.state[own] = first;
    second_moments[own] = second;
  }
  if (exists && team.member == 0) store_kernel(step.geometry + team.kernel * kGeometry, k);

  for (int32_t c = 0; c < pairs.channels; ++c) {
    const float sum = team.sum(kMoments + c);
    if (!exists || team.member != c % kTeam) continue;
    const int64_t at = (kMoments + c) * pairs.kernels + team.kernel;
    step.experts[team.kernel * pairs.channels + c] +=
        adam_move(step.decay, step.state[at], second_moments[at], sum, rates.expert);
  }
}

unsigned blocks_for(const Pairs& pairs, int64_t at_least) {
  const int64_t blocks = (pairs.kernels + kTeams - 1) / kTeams;
  return static_cast<unsigned>(blocks > at_least ? blocks : at_least);
}

}  // namespace

void gather_gradients(const Pairs& pairs, const float* geometry, float* grad_geometry, float* grad_experts,
                      const Status* status, cudaStream_t stream) {
  RSMOE_LAUNCH(gather, blocks_for(pairs, 1), kThreads, stream, pairs, geometry, grad_geometry, grad_experts, status);
}

void adam(const AdamStep& step, const Pairs& pairs, Status* status, cudaStream_t stream) {
  RSMOE_LAUNCH(adam_step, blocks_for(pairs, step.models), kThreads, stream, step, pairs, status);
}

}  // namespace rsmoe::cuda
