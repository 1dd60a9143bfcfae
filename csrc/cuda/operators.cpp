// The operators torch.ops.rsmoe.* on CUDA devices: memory from torch's allocator, work on torch's current stream.
//
// The host waits once at the end of a call, to read whether the lists had enough memory. With wait=False and while a
// CUDA graph is captured it does not wait, and results that lacked memory are NaN.
#include "../operators.h"

#ifdef RSMOE_ON_HOST
#include "../schemas.h"
#include "cuda_on_host.h"
#endif
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>

#include "mixture.h"

namespace {

using namespace rsmoe;
using namespace rsmoe::torch_abi;

#ifdef RSMOE_ON_HOST  // for tests without a device: a library of its own, see tests/cuda_on_host
struct Guard {
  cuda_on_host::Guard guard;
  explicit Guard(Device) {}
};
void* stream_of(Device) { return cuda_on_host::stream(); }
#else
struct Guard {
  DeviceGuard guard;
  explicit Guard(Device device) : guard(device.index) {}
};
void* stream_of(Device device) { return current_cuda_stream(device.index); }
#endif

// The capacities that earlier calls needed, so that a fit of many calls allocates too little at most once.
class Capacities {
 public:
  using Key = std::array<int64_t, 5>;

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

class CudaEngine {
 public:
  CudaEngine(Device device, bool wait) : device_(device), guard_(device), stream_(stream_of(device)), wait_(wait) {}

  template <class T> Tensor empty(std::span<const int64_t> sizes) {
    try {
      return torch_abi::empty<T>(sizes, device_);
    } catch (const std::exception&) {
      int64_t bytes = sizeof(T);
      for (const int64_t size : sizes) bytes *= size;
      fail("not enough memory on the device for another " + std::to_string(bytes >> 20) +
           " MiB; use fewer kernels, a smaller image, or device='cpu'");
    }
  }

  void render(const Mixture& m, float* image) {
    with_room(m, m.culling.tau, [&](const cuda::Queue& queue, int64_t) { return cuda::render(m, image, queue); });
  }

  void render_backward(const Mixture& m, const float* grad_image, float* grad_geometry, float* grad_experts) {
    with_room(m, m.culling.tau, [&](const cuda::Queue& queue, int64_t) {
      return cuda::render_backward(m, grad_image, grad_geometry, grad_experts, queue);
    });
  }

  std::tuple<Tensor, Tensor> tile_lists(const Mixture& m) {
    const int64_t tiles = (m.height + kTile - 1) / kTile * ((m.width + kTile - 1) / kTile);
    Tensor start = empty<int32_t>({tiles + 1}), ids = empty<int32_t>({0});
    with_room(m, m.culling.tau, [&](const cuda::Queue& queue, int64_t) {
      ids = empty<int32_t>({queue.capacity});
      return cuda::tile_lists(m, start.mutable_data<int32_t>("start"), ids.mutable_data<int32_t>("ids"), queue);
    });
    std::vector<int32_t> short_start(static_cast<size_t>(tiles + 1));
    copy(short_start.data(), start.data<int32_t>("start"), tiles + 1);
    const std::vector<int64_t> long_start(short_start.begin(), short_start.end());
    Tensor all_start = empty<int64_t>({tiles + 1}), all_ids = empty<int32_t>({long_start.back()});
    copy(all_start.mutable_data<int64_t>("start"), long_start.data(), tiles + 1);
    copy(all_ids.mutable_data<int32_t>("ids"), ids.data<int32_t>("ids"), long_start.back());
    return {std::move(all_start), std::move(all_ids)};
  }

  void fit(const FitSteps& steps, float* losses, float* seconds) {
    std::fill_n(seconds, 3, 0.0f);  // They are not measured, as this would mean waiting for the device.
    with_room(steps, steps.culling.tau + steps.list_margin,
              [&](const cuda::Queue& queue, int64_t done) { return cuda::fit(steps, done, losses, queue); });
  }

 private:
  template <class T> Tensor empty(std::initializer_list<int64_t> sizes) {
    return empty<T>(std::span<const int64_t>(sizes.begin(), sizes.size()));
  }

  template <class T> void copy(T* to, const T* from, int64_t count) {
    cuda::copy(to, from, count * static_cast<int64_t>(sizeof(T)), stream_);
  }

  // Calls run(queue, done), again with more room and where it stopped as long as lists overflow. `job` is a Mixture or
  // FitSteps, tau the margin of its lists.
  template <class Job, class Run> void with_room(const Job& job, float tau, Run&& run) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 1;
    constexpr const char* kTooMany =
        "too many (tile, kernel) pairs; use fewer kernels, a smaller image or rasterized=True";
    check(job.kernels <= kMost / 64 / job.models && job.height <= kMost / 64 && job.width <= kMost / 64,
          "too large for the device");
    const Capacities::Key key{job.models, job.kernels, job.height, job.width,
                              std::isinf(tau) ? -1 : static_cast<int64_t>(tau * 64)};
    int64_t capacity = capacities.get(key, cuda::first_capacity(job.models, job.kernels, job.height, job.width, tau));
    for (int64_t done = 0;;) {
      check(capacity <= kMost, kTooMany);
      std::vector<Tensor> memory;  // Torch reuses this memory only for later work on the same stream.
      const cuda::Allocate allocate = [&](int64_t bytes) {
        memory.push_back(empty<uint8_t>({bytes}));
        return static_cast<void*>(memory.back().mutable_data<uint8_t>("memory"));
      };
      const cuda::Queue queue{stream_, allocate, capacity};
      const cuda::StatusPointer status = run(queue, done);
      cuda::check_launches();
      if (!wait_ || cuda::is_capturing(queue)) return;
      const cuda::Outcome outcome = cuda::outcome(status, queue);
      if (!outcome.overflow) return;
      done = std::max(done, outcome.steps);
      check(outcome.needed <= kMost, kTooMany);
      capacity = std::min(kMost, outcome.needed + outcome.needed / 4);
      capacities.set(key, capacity);
    }
  }

  Device device_;
  Guard guard_;
  void* stream_;
  bool wait_;
};

void register_operators() {
#ifdef RSMOE_ON_HOST
  define_operators("rsmoe_cuda_on_host");
  Library library = Library::implement("rsmoe_cuda_on_host", "CPU");
#else
  Library library = Library::implement("rsmoe", "CUDA");
#endif
  Operators<CudaEngine>::implement(library);
}

}  // namespace

// Returns null, or an error message.
extern "C" __attribute__((visibility("default"))) const char* rsmoe_register_cuda_operators() {
  return register_once(&register_operators);
}
