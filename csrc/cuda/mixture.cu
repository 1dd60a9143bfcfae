#include "mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "adam.h"
#include "lists.h"
#include "tile.h"

namespace rsmoe::cuda {
namespace {

cudaStream_t stream_of(const Queue& queue) { return static_cast<cudaStream_t>(queue.stream); }

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string("rsmoe: ") + what + ": " + cudaGetErrorString(error));
}

template <class T> T* take(const Queue& queue, int64_t count) {
  return static_cast<T*>(queue.allocate(std::max<int64_t>(count, 1) * static_cast<int64_t>(sizeof(T))));
}

void fill_nan(float* values, int64_t count, const Queue& queue) {
  if (count == 0) return;
  const auto bytes = static_cast<size_t>(count) * sizeof(float);
  check(cudaMemsetAsync(values, 0xff, bytes, stream_of(queue)), "clearing memory");
}

// The lists, with the memory that is needed to build and use them.
struct Lists {
  const Queue& queue;
  int64_t kernels;  // of all models
  Raster raster;
  TileLists lists{};
  ListScratch scratch{};
  Status* status;

  // `inverted`: with the pairs of each kernel.
  Lists(const Mixture& m, const Queue& queue, bool inverted)
      : queue(queue), kernels(m.models * m.kernels), raster{m.height, m.width, m.models},
        status(take<Status>(queue, 1)) {
    const int64_t tiles = raster.tiles(), capacity = queue.capacity;
    lists.capacity = capacity;
    lists.start = take<int32_t>(queue, tiles + 1);
    lists.ids = take<int32_t>(queue, capacity);
    if (inverted) {
      lists.slots = take<int32_t>(queue, capacity);
      lists.kernel_start = take<int32_t>(queue, kernels + 1);
      scratch.ranks = take<int32_t>(queue, ListScratch::kChunks * kernels);
    }
    scratch.start = take<int32_t>(queue, tiles + 1);
    scratch.ids = take<int32_t>(queue, capacity);
    scratch.counts = take<int32_t>(queue, std::max(tiles, kernels));
    scratch.thresholds = take<float>(queue, tiles);
    check(cudaMemsetAsync(status, 0, sizeof(Status), stream_of(queue)), "clearing memory");
  }

  void build(const Mixture& m, const Culling& culling) const {
    build_lists(m, raster, culling, lists, scratch, status, stream_of(queue));
  }

  TileJobs jobs(const Mixture& m) const {
    TileJobs jobs{};
    jobs.mixture = m;
    jobs.raster = raster;
    jobs.lists = lists;
    // The paper's selection is final; gate culling goes on within the tile.
    jobs.tau = m.culling.confidence > 0 ? std::numeric_limits<float>::infinity() : m.culling.tau;
    jobs.status = status;
    return jobs;
  }

  Pairs pairs(const Mixture& m, float*& memory) const {
    memory = take<float>(queue, lists.capacity * (kMoments + expert_columns(m.channels, m.linear)));
    return {memory, lists.kernel_start, kernels, m.channels, m.linear};
  }
};

}  // namespace

int64_t first_capacity(int32_t models, int64_t kernels, int64_t height, int64_t width, float tau) {
  const int64_t tiles = Raster{height, width, 1}.tiles(), all = tiles * kernels;
  const int64_t usual = std::isinf(tau) ? all : std::min(all, 96 * tiles + 8 * kernels);
  return models * std::max(kernels, usual);
}

StatusPointer render(const Mixture& m, float* image, const Queue& queue) {
  const Lists lists(m, queue, false);
  fill_nan(image, int64_t{m.models} * m.channels * m.height * m.width, queue);
  lists.build(m, m.culling);
  TileJobs jobs = lists.jobs(m);
  jobs.image = image;
  draw_tiles(jobs, stream_of(queue));
  return lists.status;
}

StatusPointer render_backward(const Mixture& m, const float* grad_image, float* grad_geometry, float* grad_experts,
                              const Queue& queue) {
  const Lists lists(m, queue, true);
  TileJobs jobs = lists.jobs(m);
  jobs.grad_image = grad_image;
  const Pairs pairs = lists.pairs(m, jobs.pairs);
  fill_nan(grad_geometry, lists.kernels * kGeometry, queue);
  fill_nan(grad_experts, lists.kernels * expert_columns(m.channels, m.linear), queue);
  lists.build(m, m.culling);
  draw_tiles(jobs, stream_of(queue));
  gather_gradients(pairs, m, grad_geometry, grad_experts, lists.status, stream_of(queue));
  return lists.status;
}

StatusPointer tile_lists(const Mixture& m, int32_t* start, int32_t* ids, const Queue& queue) {
  Lists lists(m, queue, false);
  lists.lists.start = start;
  lists.lists.ids = ids;
  lists.build(m, m.culling);
  return lists.status;
}

StatusPointer fit(const FitSteps& f, int64_t done, float* losses, const Queue& queue) {
  const Mixture m{f.geometry, f.experts, f.kernels, f.channels, f.linear, f.height, f.width, f.culling, f.models};
  const Lists lists(m, queue, true);
  Culling with_margin = f.culling;
  with_margin.tau += f.list_margin;
  TileJobs jobs = lists.jobs(m);
  const int32_t groups = channel_groups(f.channels);
  jobs.target = f.target;
  jobs.weight = f.weight;
  jobs.block = f.block;
  jobs.tile_loss = take<float>(queue, groups * lists.raster.tiles());
  const Pairs pairs = lists.pairs(m, jobs.pairs);
  if (done == 0) fill_nan(losses, f.models * f.steps, queue);
  for (int64_t i = done; i < f.steps; ++i) {
    if (i == done || i % f.list_interval == 0) lists.build(m, with_margin);
    draw_tiles(jobs, stream_of(queue));
    const auto step = static_cast<double>(f.first_step + i + 1);
    const float* rate = f.rates + 4 * i;
    adam({f.geometry,
          f.experts,
          f.state,
          {rate[0], rate[1], rate[2], rate[3]},
          {f.beta1, f.beta2, static_cast<float>(1 / (1 - std::pow(f.beta1, step))),
           static_cast<float>(1 / (1 - std::pow(f.beta2, step)))},
          f.whitened,
          f.limits,
          jobs.tile_loss,
          groups,
          f.models,
          lists.raster.tiles(),
          losses + i,
          f.steps,
          i + 1},
         pairs, lists.status, stream_of(queue));
  }
  return lists.status;
}

Outcome outcome(StatusPointer device, const Queue& queue) {
  Status status{};
  copy(&status, device, sizeof(Status), queue.stream);
  return {status.overflow != 0, status.needed, status.steps};
}

void copy(void* to, const void* from, int64_t bytes, void* stream) {
  auto* queue = static_cast<cudaStream_t>(stream);
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, queue), "copying");
  check(cudaStreamSynchronize(queue), "running on the device");
}

bool is_capturing(const Queue& queue) {
  cudaStreamCaptureStatus status{};
  check(cudaStreamIsCapturing(stream_of(queue), &status), "asking for the state of the stream");
  return status != cudaStreamCaptureStatusNone;
}

void check_launches() { check(cudaGetLastError(), "launching on the device"); }

}  // namespace rsmoe::cuda
