// Reads the floating-point state of threads, for tests/engine/test_denormals.py.
#include <cstdint>
#include <xmmintrin.h>

using ParallelFunc = void (*)(int64_t begin, int64_t end, void* context);
extern "C" int32_t torch_parallel_for(int64_t begin, int64_t end, int64_t grain_size, ParallelFunc function,
                                      void* context);

namespace {
constexpr uint32_t kExceptionFlags = 0x3f, kDenormalOperand = 0x02;
}

extern "C" {

// The control bits of this thread.
uint32_t control_word() { return _mm_getcsr() & ~kExceptionFlags; }

void clear_exceptions() { _mm_setcsr(_mm_getcsr() & ~kExceptionFlags); }

// Whether an operand was denormal since the exceptions of this thread were cleared. Not raised where denormals are
// zero.
bool met_denormals() { return (_mm_getcsr() & kDenormalOperand) != 0; }

// The control bits of torch's workers, one for each of `count` pieces of work.
void control_words_of_workers(int64_t count, uint32_t* words) {
  const ParallelFunc read = [](int64_t begin, int64_t end, void* out) {
    for (int64_t i = begin; i < end; ++i) static_cast<uint32_t*>(out)[i] = control_word();
  };
  torch_parallel_for(0, count, 1, read, words);
}

}  // extern "C"
