// How many processors this process may use.
#pragma once
#include <cstdint>

namespace rsmoe::cpu {

// Processors that the calling thread may run on, at least 1: by its affinity now, and by the share of time that the
// control group of the process had when this was first asked, rounded up.
int64_t processors();

}  // namespace rsmoe::cpu
