#include <cstdlib>
#include <cstring>

#ifdef RSMOE_X86
#include <cpuid.h>
#endif

#include "../torch_abi.h"
#include "tile.h"

namespace rsmoe::cpu {

extern const SimdTable* const simd_base;
#ifdef RSMOE_X86
extern const SimdTable* const simd_avx2;
extern const SimdTable* const simd_avx512;
#endif

namespace {

#ifdef RSMOE_X86
// The instruction sets that the processor has and whose registers the system saves.
struct Processor {
  bool avx2 = false;
  bool avx512 = false;
};

// __builtin_cpu_supports would say it too, but zig's runtime library always says no, and that of clang-cl must be
// linked.
Processor ask_processor() {
  const auto all = [](unsigned bits, unsigned wanted) { return (bits & wanted) == wanted; };
  unsigned a, b, c, d;
  constexpr unsigned fma = 1u << 12, saved = 1u << 27, avx = 1u << 28;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, fma | saved | avx)) return {};
  unsigned registers, high;
  __asm__("xgetbv" : "=a"(registers), "=d"(high) : "c"(0));
  constexpr unsigned ymm = 0x6, zmm = 0xe6;
  if (!all(registers, ymm) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
  constexpr unsigned avx2 = 1u << 5, avx512f = 1u << 16, avx512dq = 1u << 17, avx512bw = 1u << 30, avx512vl = 1u << 31;
#ifdef __APPLE__
  const bool zmm_saved = true;  // From their first use on, before which the system does not say so.
#else
  const bool zmm_saved = all(registers, zmm);
#endif
  return {all(b, avx2), zmm_saved && all(b, avx2 | avx512f | avx512dq | avx512bw | avx512vl)};
}
#endif

const SimdTable& choose() {
  const char* wanted = std::getenv("RSMOE_SIMD");
  const auto accept = [&](const SimdTable* table, bool supported) {
    if (wanted && *wanted) {
      if (std::strcmp(wanted, table->name) != 0) return false;
      if (!supported) torch_abi::fail(std::string("RSMOE_SIMD=") + wanted + ": this processor does not have it");
    }
    return supported;
  };
#ifdef RSMOE_X86
  const Processor processor = ask_processor();
  if (accept(simd_avx512, processor.avx512)) return *simd_avx512;
  if (accept(simd_avx2, processor.avx2)) return *simd_avx2;
#endif
  if (accept(simd_base, true)) return *simd_base;
  torch_abi::fail(std::string("RSMOE_SIMD=") + wanted + " is not one of base, avx2, avx512");
}

}  // namespace

const SimdTable& simd() {
  static const SimdTable& table = choose();
  return table;
}

}  // namespace rsmoe::cpu
