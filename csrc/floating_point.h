// The floating-point state that all arithmetic of the engine runs in.
//
// A denormal is a number below the smallest normal one, 2^-126 in float32. Processors of Intel take over a hundred
// cycles for each vector that contains one, and products with the tails of Gaussians are full of them. Nothing that
// small can be seen in an image, so results and operands that are denormal count as zero: results then have the same
// bits whatever state the caller is in, on every processor that can flush.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define RSMOE_HAS_MXCSR 1
#endif

namespace rsmoe {

// Flushes denormals in this thread until the end of the scope, then restores the control bits as they were. Exception
// flags that were raised in between stay raised, as after any arithmetic. Scopes may be nested.
//
// RSMOE_DENORMALS=keep in the environment keeps denormals, so that benchmarks can measure their cost.
class FlushDenormals {
 public:
  FlushDenormals() : before_(read()) {
    if (enabled()) write(before_ | kFlush);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
  ~FlushDenormals() {
    if (enabled()) write((read() & ~kFlush) | (before_ & kFlush));
  }

 private:
#if defined(RSMOE_HAS_MXCSR)
  using Word = uint32_t;
  static constexpr Word kFlush = 0x8040;  // flush-to-zero for results, denormals-are-zero for operands
  static Word read() { return _mm_getcsr(); }
  static void write(Word word) {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // The compiler moves no load or store across this line.
    _mm_setcsr(word);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
  using Word = uint64_t;
  static constexpr Word kFlush = uint64_t{1} << 24;  // FZ: results and operands, scalars and vectors
  static Word read() {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#else  // On other processors denormals are kept.
  using Word = uint32_t;
  static constexpr Word kFlush = 0;
  static Word read() { return 0; }
  static void write(Word) {}
#endif

  static bool enabled() {
    static const bool enabled = [] {
      const char* setting = std::getenv("RSMOE_DENORMALS");
      return !setting || std::strcmp(setting, "keep") != 0;
    }();
    return enabled;
  }

  Word before_;
};

}  // namespace rsmoe
