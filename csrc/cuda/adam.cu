#include "adam.h"

#include "warp.h"

// Eight lanes share a kernel: they add up its pairs, and six of them hold Adam's moments of its geometry.
namespace rsmoe::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kTeam = 8;
constexpr int kTeams = kThreads / kTeam;  // of a block

struct Team {
  int64_t kernel;  // A team beyond the last kernel idles, but takes part in shuffles.
  int32_t member;
  const float* begin;  // of its pairs
  int64_t count;       // of its pairs
  int32_t columns;     // of a pair

  __device__ explicit Team(const Pairs& pairs) {
    const auto thread = static_cast<int32_t>(threadIdx.x);
    kernel = int64_t{blockIdx.x} * kTeams + thread / kTeam;
    member = thread % kTeam;
    columns = kMoments + expert_columns(pairs.channels, pairs.linear);
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

  // The value of one member of the team; every member gets it.
  __device__ float from(int32_t other, float value) const {
    return __shfl_sync(kAllLanes, value, static_cast<int>(threadIdx.x) % kWarp / kTeam * kTeam + other);
  }
};

__global__ void __launch_bounds__(kThreads)
    gather(const Pairs pairs, const Mixture m, float* __restrict__ grad_geometry, float* __restrict__ grad_experts,
           const Status* __restrict__ status) {
  if (status->overflow) return;
  const Team team(pairs);
  const bool exists = team.kernel < pairs.kernels;
  const int32_t expert_size = team.columns - kMoments;
  const bool drawn = exists && team.count > 0;  // The numbers of a kernel that no tile lists need not be finite.
  Kernel g{0, 0, 0, 0, 0, 0};
  const Moments moments = team.moments();
  if (drawn) g = gradient(load_kernel(m.geometry + team.kernel * kGeometry), moments);
  const float* expert = m.experts + team.kernel * expert_size;
  for (int32_t c = 0; c < expert_size; ++c) {
    const float sum = team.sum(kMoments + c);
    if (!exists) continue;
    if (drawn && pairs.linear && c < pairs.channels) hang_plane(g, expert + c, pairs.channels, sum);
    if (team.member == c % kTeam) grad_experts[team.kernel * expert_size + c] = sum;
  }
  if (exists && team.member == 0) store_kernel(grad_geometry + team.kernel * kGeometry, g);
}

__device__ void sum_loss(const AdamStep& step, float* scratch) {
  const auto model = static_cast<int32_t>(blockIdx.x);
  const int64_t tiles = step.tiles / step.models;
  float loss = 0;
  for (int32_t g = 0; g < step.groups; ++g)
    for (int64_t t = threadIdx.x; t < tiles; t += kThreads) loss += step.tile_loss[g * step.tiles + model * tiles + t];
  loss = block_sum<kThreads>(loss, scratch);
  if (threadIdx.x == 0) step.losses[model * step.steps] = loss;
}

__global__ void __launch_bounds__(kThreads) adam_step(const AdamStep step, const Pairs pairs, Status* status) {
  RSMOE_SHARED(float, scratch, [kThreads / kWarp]);
  if (status->overflow) return;
  if (blockIdx.x < static_cast<unsigned>(step.models)) sum_loss(step, scratch);
  if (blockIdx.x == 0 && threadIdx.x == 0) status->steps = step.steps_done;
  const Team team(pairs);
  const bool exists = team.kernel < pairs.kernels;
  const AdamRates& rates = step.rates;
  const auto kernels = static_cast<int32_t>(pairs.kernels) / step.models;
  const int32_t model = exists ? static_cast<int32_t>(team.kernel) / kernels : 0;
  const int64_t place = team.kernel - int64_t{model} * kernels;  // within the model
  float* first_moments = step.state + int64_t{model} * 2 * team.columns * kernels;
  float* second_moments = first_moments + int64_t{team.columns} * kernels;

  const Moments m = team.moments();
  const bool holds = exists && team.member < kMoments;
  const int64_t own = int64_t{team.member} * kernels + place;
  float first = holds ? first_moments[own] : 0.0f, second = holds ? second_moments[own] : 0.0f;
  Kernel k{0, 0, 1, 0, 1, 0};
  if (exists) k = load_kernel(step.geometry + team.kernel * kGeometry);
  const Kernel old = k;
  move_kernel(k, m, step.whitened, rates, step.limits, [&](int row, float gradient, float rate) {
    float move = 0;
    if (team.member == row) move = adam_move(step.decay, first, second, gradient, rate);
    return team.from(row, move);
  });
  if (holds) {
    first_moments[own] = first;
    second_moments[own] = second;
  }
  if (exists && team.member == 0) store_kernel(step.geometry + team.kernel * kGeometry, k);

  float* expert = step.experts + team.kernel * (team.columns - kMoments);
  for (int32_t c = 0; c < pairs.channels; ++c) {
    const bool moves = exists && team.member == c % kTeam;
    const auto row_move = [&](int32_t column, float gradient) {
      const int64_t at = int64_t{kMoments + column} * kernels + place;
      return adam_move(step.decay, first_moments[at], second_moments[at], gradient, rates.expert);
    };
    const float by_value = team.sum(kMoments + c);
    if (moves) expert[c] += row_move(c, by_value);
    if (!pairs.linear) continue;
    const int32_t y = pairs.channels + c, x = 2 * pairs.channels + c;
    const float by_y = team.sum(kMoments + y), by_x = team.sum(kMoments + x);
    if (!moves) continue;
    float move_y, move_x;
    slope_moves(old, by_y, by_x, step.whitened, move_y, move_x,
                [&](int which, float gradient) { return row_move(which ? x : y, gradient); });
    expert[y] += move_y;
    expert[x] += move_x;
    expert[c] += expert[y] * (k.y - old.y) +
                 expert[x] * (k.x - old.x);  // The plane of a linear expert stays where it is when the centre moves.
  }
}

unsigned blocks_for(const Pairs& pairs, int64_t at_least) {
  const int64_t blocks = (pairs.kernels + kTeams - 1) / kTeams;
  return static_cast<unsigned>(blocks > at_least ? blocks : at_least);
}

}  // namespace

void gather_gradients(const Pairs& pairs, const Mixture& m, float* grad_geometry, float* grad_experts,
                      const Status* status, cudaStream_t stream) {
  RSMOE_LAUNCH(gather, blocks_for(pairs, 1), kThreads, stream, pairs, m, grad_geometry, grad_experts, status);
}

void adam(const AdamStep& step, const Pairs& pairs, Status* status, cudaStream_t stream) {
  RSMOE_LAUNCH(adam_step, blocks_for(pairs, step.models), kThreads, stream, step, pairs, status);
}

}  // namespace rsmoe::cuda
