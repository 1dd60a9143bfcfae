// Arrays that share one block of memory. Under AddressSanitizer a gap behind each of them must not be touched.
// Also included by units that are compiled once per instruction set: no STL, nothing with external linkage.
#pragma once
#include <stdint.h>
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RSMOE_WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(RSMOE_WATCHED)
#undef RSMOE_WATCHED
#define RSMOE_WATCHED 1
#include <sanitizer/asan_interface.h>
#endif

namespace rsmoe::cpu {
namespace {

#if defined(RSMOE_WATCHED)
constexpr bool kWatched = true;
constexpr int64_t kGap = 16;  // floats behind each array
#else
constexpr bool kWatched = false;
constexpr int64_t kGap = 0;
#endif

// Divides a block into arrays, one behind the other, each beginning at a multiple of 16 floats. With a null block it
// only adds up their sizes.
class Arrays {
 public:
  explicit Arrays(float* block) : block_(block) {}

  float* take(int64_t floats) {
    float* here = block_ ? block_ + taken_ : nullptr;
    taken_ += (floats + 15) / 16 * 16 + kGap;
#if defined(RSMOE_WATCHED)
    if (here) {
      __asan_unpoison_memory_region(here, static_cast<size_t>(floats) * sizeof(float));
      __asan_poison_memory_region(here + floats, static_cast<size_t>(block_ + taken_ - here - floats) * sizeof(float));
    }
#endif
    return here;
  }

  int64_t taken() const { return taken_; }

 private:
  float* block_;
  int64_t taken_ = 0;
};

}  // namespace
}  // namespace rsmoe::cpu
