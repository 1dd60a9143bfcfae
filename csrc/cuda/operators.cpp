// The operators torch.ops.rsmoe.* on CUDA devices: memory from torch's allocator, work on torch's current stream.
//
// The host waits once at the end of each call, to learn whether the lists had room; while a CUDA graph is captured not
// even then, and a fit that would have needed more room shows it by losses of NaN.
#ifdef RSMOE_ON_HOST
#include "../schemas.h"
#endif
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <vector>

#include "../arguments.h"
#include "../torch_abi.h"
#include "mixture.h"

namespace {

using namespace rsmoe;
using namespace rsmoe::torch_abi;

#ifdef RSMOE_ON_HOST  // for tests without a device: a library of its own, see tests/cuda_on_host
struct Guard {
  explicit Guard(Device) {}
};
void* stream_of(Device) { return nullptr; }
#else
struct Guard {
  DeviceGuard guard;
  explicit Guard(Device device) : guard(device.index) {}
};
void* stream_of(Device device) { return current_cuda_stream(device.index); }
#endif

template <class T> Tensor device_empty(std::initializer_list<int64_t> sizes, Device device) {
  try {
    return empty<T>(sizes, device);
  } catch (const std::exception&) {
    int64_t bytes = sizeof(T);
    for (const int64_t size : sizes) bytes *= size;
    fail("not enough memory on the device for another " + std::to_string(bytes >> 20) +
         " MiB; use fewer kernels, a smaller image, or device='cpu'");
  }
}

// Capacities that were needed before, so that a fit of many calls asks too little at most once.
class Capacities {
 public:
  using Key = std::array<int64_t, 4>;

  int64_t get(const Key& key, int64_t otherwise) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(key);
    return found == known_.end() ? otherwise : found->second;
  }
  void set(const Key& key, int64_t capacity) {
    const std::lock_guard lock(mutex_);
    if (known_.size() > 256) known_.clear();
    known_[key] = capacity;
  }

 private:
  std::mutex mutex_;
  std::map<Key, int64_t> known_;
};
Capacities capacities;

// Calls run(queue, done), again with more room and where it stopped as long as lists overflow.
template <class Run>
void with_room(Device device, int64_t kernels, int64_t height, int64_t width, float tau, Run&& run) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 1;
  constexpr const char* kTooMany =
      "too many (tile, kernel) pairs; use fewer kernels, a smaller image or rasterized=True";
  check(kernels <= kMost / 64 && height <= kMost / 64 && width <= kMost / 64, "too large for the device");
  const Capacities::Key key{kernels, height, width, std::isinf(tau) ? -1 : static_cast<int64_t>(tau * 64)};
  int64_t capacity = capacities.get(key, cuda::first_capacity(kernels, height, width, 1, tau)), done = 0;
  for (;;) {
    check(capacity <= kMost, kTooMany);
    std::vector<Tensor> memory;  // torch hands it out again only to work behind this on the same stream
    const cuda::Allocate allocate = [&](int64_t bytes) {
      memory.push_back(device_empty<uint8_t>({bytes}, device));
      return static_cast<void*>(memory.back().mutable_data<uint8_t>("memory"));
    };
    const cuda::Queue queue{stream_of(device), allocate, capacity, 1};
    cuda::StatusPointer status = run(queue, done);
    cuda::check_launches();
    if (cuda::is_capturing(queue)) return;
    const cuda::Outcome outcome = cuda::outcome(status, queue);
    if (!outcome.overflow) return;
    done = std::max(done, outcome.steps);
    check(outcome.needed <= kMost, kTooMany);
    capacity = std::min(kMost, outcome.needed + outcome.needed / 4);
    capacities.set(key, capacity);
  }
}

Tensor render(const Tensor& geometry, const Tensor& experts, int64_t height, int64_t width, double tau, bool normalised,
              double confidence, bool linear) {
  const Mixture m =
      checked_mixture(geometry, experts, linear, height, width, checked_culling(tau, normalised, confidence));
  const Device device = geometry.device();
  const Guard guard(device);
  Tensor image = device_empty<float>({m.channels, height, width}, device);
  with_room(device, m.kernels, height, width, m.culling.tau, [&](const cuda::Queue& queue, int64_t) {
    return cuda::render(m, image.mutable_data<float>("image"), queue);
  });
  return image;
}

std::tuple<Tensor, Tensor> render_backward(const Tensor& grad, const Tensor& geometry, const Tensor& experts,
                                           double tau, bool normalised, double confidence, bool linear) {
  const Mixture m = checked_mixture(grad, geometry, experts, linear, checked_culling(tau, normalised, confidence));
  const Device device = geometry.device();
  const Guard guard(device);
  Tensor grad_geometry = device_empty<float>({m.kernels, kGeometry}, device);
  Tensor grad_experts = device_empty<float>({m.kernels, experts.size(1)}, device);
  with_room(device, m.kernels, m.height, m.width, m.culling.tau, [&](const cuda::Queue& queue, int64_t) {
    return cuda::render_backward(m, grad.data<float>("grad"), grad_geometry.mutable_data<float>("grad_geometry"),
                                 grad_experts.mutable_data<float>("grad_experts"), queue);
  });
  return {std::move(grad_geometry), std::move(grad_experts)};
}

std::tuple<Tensor, Tensor> tile_lists(const Tensor& geometry, int64_t height, int64_t width, double tau,
                                      bool normalised, double confidence) {
  const int64_t kernels = checked_kernels(geometry, height, width);
  const Mixture m{geometry.data<float>("geometry"),
                  nullptr,
                  kernels,
                  0,
                  false,
                  height,
                  width,
                  checked_culling(tau, normalised, confidence)};
  const Device device = geometry.device();
  const Guard guard(device);
  const int64_t tiles = (height + kTile - 1) / kTile * ((width + kTile - 1) / kTile);
  Tensor start = device_empty<int32_t>({tiles + 1}, device), ids = device_empty<int32_t>({0}, device);
  with_room(device, kernels, height, width, m.culling.tau, [&](const cuda::Queue& queue, int64_t) {
    ids = device_empty<int32_t>({queue.capacity}, device);
    return cuda::tile_lists(m, start.mutable_data<int32_t>("start"), ids.mutable_data<int32_t>("ids"), queue);
  });
  std::vector<int32_t> short_start(static_cast<size_t>(tiles + 1));
  void* stream = stream_of(device);
  cuda::copy(short_start.data(), start.data<int32_t>("start"), (tiles + 1) * int64_t{sizeof(int32_t)}, stream);
  const std::vector<int64_t> long_start(short_start.begin(), short_start.end());
  Tensor all_start = device_empty<int64_t>({tiles + 1}, device);
  Tensor all_ids = device_empty<int32_t>({long_start.back()}, device);
  cuda::copy(all_start.mutable_data<int64_t>("start"), long_start.data(), (tiles + 1) * int64_t{sizeof(int64_t)},
             stream);
  cuda::copy(all_ids.mutable_data<int32_t>("ids"), ids.data<int32_t>("ids"),
             long_start.back() * int64_t{sizeof(int32_t)}, stream);
  return {std::move(all_start), std::move(all_ids)};
}

std::tuple<Tensor, Tensor> fit_steps(const Tensor& geometry, const Tensor& experts, const Tensor& state,
                                     const Tensor& target, const std::optional<Tensor>& weight, int64_t block,
                                     const Tensor& rates, int64_t height, int64_t width, int64_t first_step, double tau,
                                     bool normalised, double confidence, bool linear, bool whitened,
                                     int64_t list_interval, double list_margin, double beta1, double beta2,
                                     const std::vector<double>& limits) {
  const FitSteps steps = checked_fit(geometry, experts, state, target, weight, block, rates, height, width, first_step,
                                     checked_culling(tau, normalised, confidence), linear, whitened, list_interval,
                                     list_margin, beta1, beta2, limits);
  const Device device = geometry.device();
  const Guard guard(device);
  Tensor losses = device_empty<float>({steps.steps}, device), seconds = empty<float>({3});
  std::fill_n(seconds.mutable_data<float>("seconds"), 3, 0.0f);  // to measure them would take waiting
  with_room(device, steps.kernels, height, width, steps.culling.tau + steps.list_margin,
            [&](const cuda::Queue& queue, int64_t done) {
              return cuda::fit(steps, done, losses.mutable_data<float>("losses"), queue);
            });
  return {std::move(losses), std::move(seconds)};
}

void register_operators() {
#ifdef RSMOE_ON_HOST
  define_operators("rsmoe_cuda_on_host");
  Library library = Library::implement("rsmoe_cuda_on_host", "CPU");
#else
  Library library = Library::implement("rsmoe", "CUDA");
#endif
  library.impl<&render>("render")
      .impl<&render_backward>("render_backward")
      .impl<&tile_lists>("tile_lists")
      .impl<&fit_steps>("fit_steps");
}

}  // namespace

// Returns null, or the text of what went wrong.
extern "C" __attribute__((visibility("default"))) const char* rsmoe_register_cuda_operators() {
  return register_once(&register_operators);
}
