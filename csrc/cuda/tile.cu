#include "tile.h"

#include "tile_pack.h"

// Division of the work: in the loops over kernels each warp takes every fourth kernel, and each of its lanes eight
// pixels of a column, so that what a kernel needs is read once for eight pixels, and a sum over the tile is one over a
// lane's pixels and then over a warp. Between the two loops each thread has two pixels of its own.
namespace rsmoe::cuda {
namespace {

// Shared memory of a block. sums: of the gates, then of gates times experts; later, what a pixel's residuals need.
template <int G, class Packed> struct Shared {
  Packed* packed;                     // [kChunk]
  int32_t* ids;                       // [kChunk]
  int32_t* kept;                      // [kTileWarps]
  float* scratch;                     // [kTileWarps]
  float (*sums)[1 + G][kTilePixels];  // [2]
  double* peaks;                      // [kTilePixels] largest exponents, where one reference for all pixels fails
};

struct Lane {
  int32_t lane, warp;
  float y, x;  // of its first pixel; the others lie 2, 4, ... below

  __device__ Lane() {
    const auto thread = static_cast<int32_t>(threadIdx.x);
    lane = thread % kWarp;
    warp = thread / kWarp;
    y = static_cast<float>(lane / kTile);
    x = static_cast<float>(lane % kTile);
  }
};

__device__ double exponent_at(const Kernel& k, const Tile& tile, const Lane& lane, int row) {
  return exact_exponent(k, double{tile.y0} + lane.y + 2 * row - k.y, double{tile.x0} + lane.x - k.x);
}

// Gates of one kernel at a lane's pixels, and its v there.
template <bool kPeaks>
__device__ __forceinline__ void gates(const TileJobs& jobs, const Tile& tile, const Lane& lane, const PackedKernel& k,
                                      int32_t id, const double* peaks, float (&gate)[kRows], float (&v)[kRows]) {
  const float dy = lane.y - k.y, u0 = k.r11 * (lane.x - k.x) + k.r12 * dy, v0 = k.r22 * dy;
  Kernel exact;
  if constexpr (kPeaks) exact = load_kernel(jobs.mixture.geometry + int64_t{id} * kGeometry);
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    v[r] = k.r22 * static_cast<float>(2 * r) + v0;
    if constexpr (kPeaks) {
      gate[r] = exp2_fast(static_cast<float>(exponent_at(exact, tile, lane, r) - peaks[r * kWarp + lane.lane]));
    } else {
      const float u = k.r12 * static_cast<float>(2 * r) + u0;
      gate[r] = exp2_fast(k.top - u * u - v[r] * v[r]);
    }
  }
}

// The experts of one kernel at a lane's pixels.
template <int G, class Packed> struct Experts {
  static constexpr bool kLinear = std::is_same_v<Packed, PackedLinear>;
  const Packed& k;
  float first[G];  // at the lane's first pixel

  __device__ __forceinline__ Experts(const Packed& k, const Lane& lane) : k(k) {
#pragma unroll
    for (int c = 0; c < G; ++c) {
      first[c] = k.expert[c];
      if constexpr (kLinear) first[c] += k.slope_y[c] * (lane.y - k.y) + k.slope_x[c] * (lane.x - k.x);
    }
  }
  __device__ __forceinline__ float operator()(int c, int row) const {
    if constexpr (kLinear) return first[c] + k.slope_y[c] * static_cast<float>(2 * row);
    return first[c];
  }
};

// Sums of the gates and of gates times experts, [2] halves that are still to be added. Returns how many kernels were
// packed last.
template <int G, bool kPeaks, class Packed>
__device__ int32_t accumulate(const TileJobs& jobs, const Tile& tile, const Channels& channels, const Lane& lane,
                              bool clears, const Shared<G, Packed>& shared) {
  float sum[1 + G][kRows] = {};
  int32_t n = 0;
  for (int32_t begin = 0; begin < tile.count; begin += kChunk) {
    n = pack(jobs, tile, channels, begin, clears, shared.packed, shared.ids, shared.kept);
    for (int32_t i = lane.warp; i < n; i += kTileWarps) {
      const Packed k = shared.packed[i];
      float gate[kRows], v[kRows];
      gates<kPeaks>(jobs, tile, lane, k, shared.ids[i], shared.peaks, gate, v);
      const Experts<G, Packed> expert(k, lane);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        sum[0][r] += gate[r];
#pragma unroll
        for (int c = 0; c < G; ++c) sum[1 + c][r] += gate[r] * expert(c, r);
      }
    }
  }
  constexpr int kHalf = kTileWarps / 2;
  for (int turn = 1; turn >= 0; --turn) {  // the upper two warps write, then the lower two add
    if (lane.warp / kHalf == turn) {
#pragma unroll
      for (int c = 0; c < 1 + G; ++c) {
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          float& half = shared.sums[lane.warp % kHalf][c][r * kWarp + lane.lane];
          half = turn ? sum[c][r] : half + sum[c][r];
        }
      }
    }
    __syncthreads();
  }
  return n;
}

// The largest exponent at each pixel.
template <int G, class Packed>
__device__ void find_peaks(const TileJobs& jobs, const Tile& tile, const Channels& channels, const Lane& lane,
                           const Shared<G, Packed>& shared) {
  double peak[kRows];
  for (int r = 0; r < kRows; ++r) peak[r] = -1e300;
  for (int32_t begin = 0; begin < tile.count; begin += kChunk) {
    const int32_t n = pack(jobs, tile, channels, begin, false, shared.packed, shared.ids, shared.kept);
    for (int32_t i = lane.warp; i < n; i += kTileWarps) {
      const Kernel k = load_kernel(jobs.mixture.geometry + int64_t{shared.ids[i]} * kGeometry);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const double t = exponent_at(k, tile, lane, r);
        peak[r] = t > peak[r] ? t : peak[r];
      }
    }
  }
  for (int32_t turn = kTileWarps - 1; turn >= 0; --turn) {  // one warp after the other; this is rare
    if (lane.warp == turn) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        double& most = shared.peaks[r * kWarp + lane.lane];
        most = turn == kTileWarps - 1 || peak[r] > most ? peak[r] : most;
      }
    }
    __syncthreads();
  }
}

// Means over block x block pixels of each thread's own values, [G] planes in sums.
template <int G, class Packed>
__device__ void average_blocks(int32_t block, float (&value)[kOwn][G], const Shared<G, Packed>& shared) {
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const float share = 1.0f / static_cast<float>(block);
  for (int along = 0; along < 2; ++along) {  // along x, then along y
    const int32_t stride = along ? kTile : 1;
    __syncthreads();
    for (int o = 0; o < kOwn; ++o)
      for (int c = 0; c < G; ++c) shared.sums[0][c][thread + o * kTileThreads] = value[o][c];
    __syncthreads();
    for (int o = 0; o < kOwn; ++o) {
      const int32_t p = thread + o * kTileThreads, from = p - p / stride % block * stride;
      for (int c = 0; c < G; ++c) {
        float sum = 0;
        for (int32_t i = 0; i < block; ++i) sum += shared.sums[0][c][from + i * stride];
        value[o][c] = sum * share;
      }
    }
  }
  __syncthreads();
}

// dLoss/dy of a thread's own pixels from their values; returns their part of the loss.
template <int G, class Packed>
__device__ float residuals(const TileJobs& jobs, const Tile& tile, const Channels& channels, float (&value)[kOwn][G],
                           const Shared<G, Packed>& shared) {
  const auto thread = static_cast<int32_t>(threadIdx.x);
  if (jobs.target && jobs.block > 1) average_blocks(jobs.block, value, shared);
  float loss = 0;
  for (int o = 0; o < kOwn; ++o) {
    const int32_t p = thread + o * kTileThreads, y = p / kTile, x = p % kTile;
    const bool inside = y < tile.rows && x < tile.cols;
    float weight = inside ? 1.0f : 0.0f;
    if (jobs.target && jobs.weight) weight *= jobs.weight[int64_t{tile.number} * kTilePixels + p];
    for (int c = 0; c < G; ++c) {
      const int64_t channel = channels.first + c, all = jobs.mixture.channels;
      if (jobs.target) {
        const float difference = value[o][c] - jobs.target[(tile.number * all + channel) * kTilePixels + p];
        value[o][c] = weight * difference;
        loss += value[o][c] * difference;
      } else {
        const int64_t row = (tile.model * all + channel) * jobs.raster.height + static_cast<int64_t>(tile.y0) + y;
        value[o][c] = inside ? jobs.grad_image[row * jobs.raster.width + static_cast<int64_t>(tile.x0) + x] : 0.0f;
      }
    }
  }
  return loss;
}

// Moments of dLoss/ds about each kernel's centre, and dLoss/d(expert), for all kernels of the tile.
// dLoss/ds = gate * (residual . expert - residual . value), with residuals over the sum of gates. A list of one chunk
// is still packed.
template <int G, bool kPeaks, class Packed>
__device__ void backward(const TileJobs& jobs, const Tile& tile, const Channels& channels, const Lane& lane,
                         int32_t packed_last, const Shared<G, Packed>& shared) {
  float dot[kRows], residual[G][kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    dot[r] = shared.sums[0][0][r * kWarp + lane.lane];
#pragma unroll
    for (int c = 0; c < G; ++c) residual[c][r] = shared.sums[0][1 + c][r * kWarp + lane.lane];
  }
  constexpr bool kLinear = std::is_same_v<Packed, PackedLinear>;
  constexpr int kSums = kMoments + (kLinear ? 3 * G : G);
  const ColumnSums<kSums> column_sums(lane.lane);
  const bool moment = column_sums.column < kMoments, adds = moment && channels.first > 0;
  int32_t column = column_sums.column;  // of the pair; sums have values, slopes along y and slopes along x, G of each
  if (!moment) column += channels.first + (column - kMoments) / G * (channels.all - G);
  for (int32_t begin = 0; begin < tile.count; begin += kChunk) {
    int32_t n = packed_last;
    if (tile.count > kChunk) n = pack(jobs, tile, channels, begin, false, shared.packed, shared.ids, shared.kept);
    for (int32_t i = lane.warp; i < n; i += kTileWarps) {
      const Packed k = shared.packed[i];
      float gate[kRows], v[kRows];
      gates<kPeaks>(jobs, tile, lane, k, shared.ids[i], shared.peaks, gate, v);
      const Experts<G, Packed> expert(k, lane);
      float m0 = 0, m1 = 0, m2 = 0, by_value[G] = {}, by_slope[G] = {};  // moments and slopes in v
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        float q = -dot[r];
#pragma unroll
        for (int c = 0; c < G; ++c) {
          q += residual[c][r] * expert(c, r);
          if constexpr (kLinear) {
            const float share = residual[c][r] * gate[r];
            by_value[c] += share;
            by_slope[c] += share * v[r];
          } else {
            by_value[c] += residual[c][r] * gate[r];
          }
        }
        q *= gate[r];
        const float qv = q * v[r];
        m0 += q;
        m1 += qv;
        m2 += qv * v[r];
      }
      const float dx = lane.x - k.x, my = m1 * k.per_r22;
      float sums[kSums] = {m0, my, m0 * dx, m2 * k.per_r22 * k.per_r22, my * dx, m0 * dx * dx};
#pragma unroll
      for (int c = 0; c < G; ++c) {
        sums[kMoments + c] = by_value[c];
        if constexpr (kLinear) {
          sums[kMoments + G + c] = by_slope[c] * k.per_r22;
          sums[kMoments + 2 * G + c] = by_value[c] * dx;
        }
      }
      const float sum = column_sums(sums, lane.lane);
      if (column_sums.writes) {
        float& place = pair_of(jobs, channels, k.slot)[column];
        place = adds ? place + sum : sum;
      }
    }
  }
}

template <int G, class Packed, bool kBackward>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks) draw(const TileJobs jobs, int32_t first_channel) {
  RSMOE_SHARED(Packed, packed, [kChunk]);
  RSMOE_SHARED(int32_t, ids, [kChunk]);
  RSMOE_SHARED(int32_t, kept, [kTileWarps]);
  RSMOE_SHARED(float, scratch, [kTileWarps]);
  RSMOE_SHARED(float, sums, [2][1 + G][kTilePixels]);
  RSMOE_SHARED(double, peaks, [kTilePixels]);
  if (jobs.status->overflow) return;
  const Shared<G, Packed> shared{packed, ids, kept, scratch, sums, peaks};
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const Lane lane;
  const Channels channels(jobs.mixture, first_channel, G);
  const Tile tile = find_tile(jobs, scratch);

  int32_t packed_last = accumulate<G, false>(jobs, tile, channels, lane, kBackward, shared);
  float least = infinity();
  for (int o = 0; o < kOwn; ++o) {
    const int32_t p = thread + o * kTileThreads;
    least = smaller(least, sums[0][0][p] + sums[1][0][p]);
  }
  const bool use_peaks = tile.normalised && !(-block_max<kTileThreads>(-least, scratch) >= kMinGateSum);
  if (use_peaks) {
    find_peaks(jobs, tile, channels, lane, shared);
    packed_last = accumulate<G, true>(jobs, tile, channels, lane, false, shared);
  }

  float value[kOwn][G], inverse[kOwn], plain[kOwn][G];
  for (int o = 0; o < kOwn; ++o) {
    const int32_t p = thread + o * kTileThreads;
    inverse[o] = tile.normalised ? 1.0f / (sums[0][0][p] + sums[1][0][p]) : 1.0f;
    for (int c = 0; c < G; ++c) {
      plain[o][c] = (sums[0][1 + c][p] + sums[1][1 + c][p]) * inverse[o];
      value[o][c] = plain[o][c] + base_colour(jobs, tile, channels, c);
    }
  }
  if constexpr (!kBackward) {
    for (int o = 0; o < kOwn; ++o) {
      const int32_t p = thread + o * kTileThreads, y = p / kTile, x = p % kTile;
      if (y >= tile.rows || x >= tile.cols) continue;
      for (int c = 0; c < G; ++c) {
        const int64_t plane = int64_t{tile.model} * jobs.mixture.channels + first_channel + c;
        const int64_t row = plane * jobs.raster.height + static_cast<int64_t>(tile.y0) + y;
        jobs.image[row * jobs.raster.width + static_cast<int64_t>(tile.x0) + x] = value[o][c];
      }
    }
  } else {
    const float loss = block_sum<kTileThreads>(residuals(jobs, tile, channels, value, shared), scratch);
    if (jobs.tile_loss && thread == 0)
      jobs.tile_loss[first_channel / kGroup * jobs.raster.tiles() + tile.number] = loss;
    for (int o = 0; o < kOwn; ++o) {
      const int32_t p = thread + o * kTileThreads;
      float dot = 0;
      for (int c = 0; c < G; ++c) {
        const float scaled = value[o][c] * inverse[o];
        sums[0][1 + c][p] = scaled;
        if (tile.normalised) dot += scaled * plain[o][c];
      }
      sums[0][0][p] = dot;
    }
    __syncthreads();
    if (use_peaks)
      backward<G, true>(jobs, tile, channels, lane, packed_last, shared);
    else
      backward<G, false>(jobs, tile, channels, lane, packed_last, shared);
  }
}

template <int G, class Packed> void launch(const TileJobs& jobs, int32_t first_channel, cudaStream_t stream) {
  const auto tiles = static_cast<unsigned>(jobs.raster.tiles());
  if (jobs.image)
    RSMOE_LAUNCH((draw<G, Packed, false>), tiles, kTileThreads, stream, jobs, first_channel);
  else
    RSMOE_LAUNCH((draw<G, Packed, true>), tiles, kTileThreads, stream, jobs, first_channel);
}

template <int G> void launch(const TileJobs& jobs, int32_t first_channel, cudaStream_t stream) {
  if (jobs.mixture.linear)
    launch<G, PackedLinear>(jobs, first_channel, stream);
  else
    launch<G, Packed>(jobs, first_channel, stream);
}

}  // namespace

void draw_tiles(const TileJobs& jobs, cudaStream_t stream) {
  for (int32_t first = 0; first < jobs.mixture.channels; first += kGroup) {
    switch (jobs.mixture.channels - first) {
      case 1: launch<1>(jobs, first, stream); break;
      case 2: launch<2>(jobs, first, stream); break;
      case 3: launch<3>(jobs, first, stream); break;
      default: launch<4>(jobs, first, stream); break;
    }
  }
}

}  // namespace rsmoe::cuda
