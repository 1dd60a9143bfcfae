// Averages of the pixels around each pixel, with weights that are symmetric and separable.
#pragma once
#include <cstdint>

#include "../common/constants.h"

namespace rsmoe::cpu {

struct Smoothing {
  const void* values;  // [height, width, channels], of float or double as `precise` says
  void* result;        // of the same shape and type
  bool precise;        // whether they are doubles
  int64_t height, width, channels;
  const double* weights;  // of pixels 0, 1 ... reach px away, on either side
  int64_t reach;
};

// Doubles of scratch memory of a thread.
constexpr int64_t smoothing_scratch(const Smoothing& s) { return (s.width + 2 * s.reach) * s.channels; }

// Sums, for each pixel, the pixels along the first and then those along the second axis, each multiplied by its weight.
// Behind an edge the image is mirrored, the pixel at the edge repeated. Sums are formed in float64, the outermost
// pixels first, and rounded to the type of the image after either axis: the bits are those of
// scipy.ndimage.correlate1d.
void smooth(const Smoothing& smoothing);

}  // namespace rsmoe::cpu
