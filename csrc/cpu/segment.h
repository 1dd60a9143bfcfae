// Segmentation of an image into regions of similar colour (a modified DBSCAN), for the initialisation of kernels.
#pragma once

#include <cstdint>

namespace rsmoe::cpu {

// Splits an image into segments:
//   1. Raster scan: every pixel without a label seeds a segment, which grows over 4-neighbours. Pixel p,
//      reached from pixel n, joins the segment of seed s if
//      0.62 |I_p - I_s|^2 + 0.38 |I_p - I_n|^2 < threshold^2.
//   2. In label order, each segment under 50 px joins the one it touches (corners count) with the smallest
//      |difference of mean colours|^2 + 2 |difference of centroids|^2; sizes and means are kept up to date.
//   3. In raster order of their first pixels, islands (4-connected parts of a segment) under 30 px take the
//      label of the bordering pixel whose colour is closest to the island's mean.
//   4. Labels are renumbered in raster order of their first pixels.
// Ties go to the lowest label in 2 and to the lowest pixel index in 3. No island under 30 px remains, unless
// it is the whole image.
//
// image      [height, width, channels], row major; usually RGB in 0..255, blurred. The squared distance of
//            two colours is the plain sum over the channels.
// threshold  in the units of the image, >= 0.
// labels     [height, width], written: 0 .. S-1 without gaps.
// Returns S, the number of segments (0 for an empty image).
// Throws std::invalid_argument for a negative extent and for 2^31 pixels or more.
//
// Single-threaded, deterministic, O(pixels). To give the same labels on every processor the file must be
// compiled without fused multiply-add (-ffp-contract=off).
std::int64_t segment_image(const float* image, std::int64_t height, std::int64_t width, std::int64_t channels,
                           double threshold, std::int32_t* labels);

}  // namespace rsmoe::cpu
