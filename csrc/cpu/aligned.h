// A block of floats that can grow, aligned to 64 bytes for vector loads. It loses its contents when it grows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>

#include "guards.h"

namespace rsmoe::cpu {

class AlignedFloats {
 public:
  AlignedFloats() = default;
  AlignedFloats(const AlignedFloats&) = delete;
  AlignedFloats& operator=(const AlignedFloats&) = delete;
  ~AlignedFloats() { release(); }

  void reserve(int64_t floats) {
    if (floats <= capacity_ && !kWatched) return;
    release();
    const int64_t capacity = kWatched ? floats : floats + floats / 4;
    data_ = static_cast<float*>(::operator new(static_cast<size_t>(capacity) * sizeof(float), kAlignment));
    capacity_ = capacity;
  }
  float* data() { return data_; }
  const float* data() const { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  void release() {
    if (data_) ::operator delete(data_, kAlignment);
    data_ = nullptr;
    capacity_ = 0;
  }
  float* data_ = nullptr;
  int64_t capacity_ = 0;
};

}  // namespace rsmoe::cpu
