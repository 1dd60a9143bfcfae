#include "smooth.h"

#include <algorithm>
#include <vector>

#include "../threads.h"
#include "tile.h"

namespace rsmoe::cpu {
namespace {

constexpr int64_t kPixelsOfTask =
    1 << 14;  // A task of 0.1 ms. Fewer pixels cost time for each, more keep threads idle.
constexpr int64_t kPixelsAtOnce = 1 << 22;  // Pixels between two checks whether the work is to stop.

// Nobody follows the tasks meanwhile: they are too short to be counted among those of a job.
class Unwatched {
 public:
  Unwatched() : before_(watch(0)) {}
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
  ~Unwatched() { watch(before_); }

 private:
  int64_t before_;
};

}  // namespace

void smooth(const Smoothing& s) {
  const int64_t floats = std::max<int64_t>(1, s.width * s.channels);
  const int64_t rows = std::max<int64_t>(1, kPixelsOfTask / floats), most = std::max(rows, kPixelsAtOnce / floats);
  std::vector<std::vector<double>> scratch(static_cast<size_t>(worker_count()));
  for (auto& each : scratch) each.resize(static_cast<size_t>(smoothing_scratch(s)));
  for (int64_t begin = 0; begin < s.height; begin += most) {
    stop_if_asked();
    const Unwatched unwatched;
    const int64_t end = std::min(s.height, begin + most);
    for_each_task((end - begin + rows - 1) / rows,
                  [&](int64_t task, int64_t worker) {
                    const int64_t first = begin + task * rows;
                    simd().smooth_rows(s, first, std::min(end, first + rows),
                                       scratch[static_cast<size_t>(worker)].data());
                  },
                  static_cast<int64_t>(scratch.size()));
  }
}

}  // namespace rsmoe::cpu
