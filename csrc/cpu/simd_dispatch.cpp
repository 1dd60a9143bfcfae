#include <cstdlib>
#include <cstring>

#include "../torch_abi.h"
#include "tile.h"

namespace rsmoe::cpu {

extern const SimdTable* const simd_base;
#ifdef RSMOE_X86
extern const SimdTable* const simd_avx2;
extern const SimdTable* const simd_avx512;
#endif

namespace {

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
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (accept(simd_avx512, avx512)) return *simd_avx512;
  if (accept(simd_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) return *simd_avx2;
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
