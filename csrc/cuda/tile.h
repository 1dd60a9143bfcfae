// Tiles of the steered mixture on the device: a block of threads renders a tile and, for a gradient, back-propagates to
// its kernels while the data of the tile are in shared memory.
#pragma once
#include "../common/mixture.h"
#include "lists.h"
#include "runtime.h"

namespace rsmoe::cuda {

struct TileJobs {
  Mixture mixture;  // kernels: of all models
  Raster raster;
  TileLists lists;
  float tau;  // margin by which the kernels of a list are culled once more
  const Status* status;

  // Where the image goes, of every model: [models, channels, height, width]; null when a gradient is wanted.
  float* image;

  // dLoss/dy for every pixel, [models, channels, height, width]; null when it comes from a target.
  const float* grad_image;
  const float* target;  // [models x tiles, channels, 256]
  const float* weight;  // [models x tiles, 256] or null
  int32_t block;        // side of the squares whose means are compared with the target
  float* tile_loss;     // [channel groups, models x tiles]

  float* pairs;  // [slots, 6 + expert columns] raw moments of dLoss/ds, then dLoss/d(expert)
};

// Channels are taken in groups of up to four. The loss and the gradient are sums over channels, so groups just add up.
constexpr int kGroup = 4;
inline int32_t channel_groups(int32_t channels) { return (channels + kGroup - 1) / kGroup; }

void draw_tiles(const TileJobs&, cudaStream_t);

}  // namespace rsmoe::cuda
