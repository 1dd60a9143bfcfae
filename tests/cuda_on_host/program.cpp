// A small run of everything in csrc/cuda, for the sanitizers: prints a checksum; ends with 1 if something is wrong.
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <optional>
#include <vector>

#include "cuda/mixture.h"
#include "cuda_on_host.h"

// The fault that is planted in a copy of the engine, see ../cpu_engine/planted.h.
extern "C" int rsmoe_planted;
int rsmoe_planted = std::getenv("RSMOE_PLANTED") ? std::atoi(std::getenv("RSMOE_PLANTED")) : 0;

namespace {

using namespace rsmoe;

#ifdef __SANITIZE_THREAD__
constexpr bool kFewer = true;  // ThreadSanitizer makes the program 50 times slower: the same launches, fewer tiles.
#else
constexpr bool kFewer = false;
#endif

uint32_t state = 1;
float chance() {
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(state >> 8) / 16777216.0f;
}

std::vector<float> chances(int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = chance();
  return values;
}

uint64_t checksum = 14695981039346656037u;
bool good = true;

void note(const std::vector<float>& values) {
  for (const float v : values) {
    uint32_t bits;
    std::memcpy(&bits, &v, sizeof(bits));
    checksum = (checksum ^ bits) * 1099511628211u;
    if (!std::isfinite(v) && good) good = false, std::puts("a result is not finite");
  }
}

// Kernels of size `scale` px, or of all sizes.
std::vector<float> kernels(int64_t n, int64_t height, int64_t width, float scale) {
  std::vector<float> geometry;
  for (int64_t i = 0; i < n; ++i) {
    const float r = 1 / (scale > 0 ? scale : 0.5f + 12 * chance());
    const float row[kGeometry] = {chance() * static_cast<float>(height),
                                  chance() * static_cast<float>(width),
                                  r,
                                  r * (chance() - 0.5f),
                                  r,
                                  chance()};
    geometry.insert(geometry.end(), row, row + kGeometry);
  }
  return geometry;
}

void run(int64_t n, int32_t channels, int64_t height, int64_t width, bool normalised, bool linear, float scale,
         float confidence, int32_t block) {
  std::list<std::vector<unsigned char>> memory;
  const cuda::Allocate allocate = [&](int64_t bytes) {
    memory.emplace_back(static_cast<size_t>(bytes), static_cast<unsigned char>(0xff));
    return memory.back().data();
  };
  const cuda::Queue queue{cuda_on_host::stream(), allocate, cuda::first_capacity(1, n, height, width, 9)};
  const int64_t columns = expert_columns(channels, linear), tiles = ((height + 15) / 16) * ((width + 15) / 16);
  std::vector<float> geometry = kernels(n, height, width, scale), experts = chances(n * columns);
  const Mixture m{geometry.data(), experts.data(), n, channels, linear, height, width, {7, normalised, confidence}};

  std::vector<float> image(static_cast<size_t>(channels * height * width));
  cuda::render(m, image.data(), queue);
  note(image);
  std::vector<float> grad = chances(channels * height * width), by_geometry(geometry.size()), by_expert(experts.size());
  cuda::render_backward(m, grad.data(), by_geometry.data(), by_expert.data(), queue);
  note(by_geometry);
  note(by_expert);

  const int64_t count = kFewer ? 3 : 4;  // of steps: lists are built twice
  std::vector<float> moments(static_cast<size_t>(2 * (kMoments + columns) * n)), losses(static_cast<size_t>(count));
  const std::vector<float> target = chances(tiles * channels * kTilePixels), weight = chances(tiles * kTilePixels);
  const std::vector<float> rates(16, 0.02f);
  const FitSteps steps{geometry.data(),
                       experts.data(),
                       moments.data(),
                       n,
                       channels,
                       linear,
                       height,
                       width,
                       target.data(),
                       weight.data(),
                       block,
                       rates.data(),
                       0,
                       count,
                       2,
                       2.0f,
                       0.9f,
                       0.99f,
                       !linear,
                       m.culling,
                       {-20, static_cast<float>(height) + 20, -20, static_cast<float>(width) + 20, 8, 0.25f, 200, 8}};
  cuda::fit(steps, 0, losses.data(), queue);
  note(geometry);
  note(experts);
  note(losses);
}

// Some models of one image, and a fit of some of them.
struct Models {
  static constexpr int64_t n = kFewer ? 15 : 30, height = kFewer ? 24 : 40, width = kFewer ? 14 : 50;
  static constexpr int64_t tiles = kFewer ? 2 : 12, steps = kFewer ? 4 : 6;
  static constexpr int32_t channels = 2;
  int32_t models;
  bool normalised = true;
  std::vector<float> geometry = kernels(models * n, height, width, 2), experts = chances(models * n * channels);
  std::vector<float> target = chances(models * tiles * channels * kTilePixels),
                     rates = std::vector<float>(4 * steps, 0.2f);
  std::vector<float> moments = std::vector<float>(static_cast<size_t>(2 * (kMoments + channels) * n * models));
  std::vector<float> losses = std::vector<float>(static_cast<size_t>(models * steps));
  std::list<std::vector<unsigned char>> memory;

  explicit Models(int32_t models) : models(models) {}

  // The part of model `number`.
  Models only(int64_t number) const {
    Models one(1);
    const auto part = [number](const std::vector<float>& all, int64_t size) {
      return std::vector<float>(all.begin() + number * size, all.begin() + (number + 1) * size);
    };
    one.geometry = part(geometry, n * kGeometry);
    one.experts = part(experts, n * channels);
    one.target = part(target, tiles * channels * kTilePixels);
    one.moments = part(moments, 2 * (kMoments + channels) * n);
    one.losses = part(losses, steps);
    return one;
  }

  cuda::Outcome fit(int64_t capacity, int64_t done = 0) {
    const cuda::Allocate allocate = [this](int64_t bytes) {
      memory.emplace_back(static_cast<size_t>(bytes), static_cast<unsigned char>(0xff));
      return memory.back().data();
    };
    const cuda::Queue queue{cuda_on_host::stream(), allocate, capacity};
    const FitSteps job{geometry.data(),
                       experts.data(),
                       moments.data(),
                       n,
                       channels,
                       false,
                       height,
                       width,
                       target.data(),
                       nullptr,
                       1,
                       rates.data(),
                       0,
                       steps,
                       2,
                       2.0f,
                       0.9f,
                       0.99f,
                       true,
                       {7, normalised, 0},
                       {-20, height + 20, -20, width + 20, 8, 0.25f, 200, 8},
                       models};
    const cuda::StatusPointer status = cuda::fit(job, done, losses.data(), queue);
    return cuda::is_capturing(queue) ? cuda::Outcome{} : cuda::outcome(status, queue);
  }

  int64_t room() const { return models * n * tiles; }
};

// Models in one launch are, to the bit, what each is alone.
bool batch_is_the_same() {
  const Models start(2);
  Models together = start;
  together.fit(together.room());
  if (kFewer) return true;  // Whether threads race does not depend on what is compared.
  bool same = true;
  for (int64_t number = 0; number < 2; ++number) {
    Models alone = start.only(number);
    alone.fit(alone.room());
    const Models expected = together.only(number);
    same &= alone.geometry == expected.geometry && alone.experts == expected.experts;
    same &= alone.moments == expected.moments && alone.losses == expected.losses;
  }
  return same;
}

// A fit whose lists outgrow their room stands still, and goes on with more as if nothing had been.
bool overflow_is_resumed() {
  Models start(1);
  start.normalised = false;  // small kernels grow to cover the gaps, and their lists with them
  start.geometry = kernels(Models::n, Models::height, Models::width, 0.5f);
  Models whole = start;
  whole.fit(whole.room());
  bool late = false;
  for (int64_t capacity = Models::n; capacity < start.room(); capacity += kFewer ? 1 : 10) {
    Models part = start;
    const cuda::Outcome outcome = part.fit(capacity);
    if (!outcome.overflow) break;
    if (kFewer && !outcome.steps) continue;  // Begun anew, with nothing that could be lost.
    late |= outcome.steps > 0;
    part.fit(part.room(), outcome.steps);
    if (part.geometry != whole.geometry || part.losses != whole.losses || part.moments != whole.moments) return false;
    if (kFewer && late) break;
  }
  return late;  // it has stopped in the middle at least once
}

// A captured fit does nothing until it is replayed, and then the same as one that was not captured, each time.
bool graph_is_the_same() {
  const Models start(2);
  Models direct = start, captured = start;
  direct.fit(direct.room());
  cuda_on_host::begin_capture();
  captured.fit(captured.room());
  cuda_on_host::end_capture();
  bool same = captured.geometry == start.geometry;
  for (int times = 0; times < (kFewer ? 1 : 2); ++times) {
    captured.geometry.assign(start.geometry.begin(), start.geometry.end());
    captured.experts.assign(start.experts.begin(), start.experts.end());
    captured.moments.assign(start.moments.begin(), start.moments.end());
    cuda_on_host::replay();
    same &= captured.geometry == direct.geometry && captured.losses == direct.losses;
  }
  return same;
}

}  // namespace

// With any argument: without a device guard, which must be seen.
int main(int arguments, char**) {
  std::optional<cuda_on_host::Guard> guard;
  if (arguments == 1) guard.emplace();
  const int64_t width = kFewer ? 20 : 40, height = kFewer ? 21 : 37;
  run(30, 3, height, width, true, false, 0, 0, 1);
  run(9, 5, width, 20, true, true, 0, 0, 1);           // two groups of channels
  run(150, 1, 32, 16, true, false, 8, 0, 4);           // more kernels in a tile than are packed at once
  run(12, 1, height, width, true, false, 0.1f, 0, 2);  // gates underflow: one reference for each pixel
  run(20, 2, 48, width, false, false, 2, 3, 1);        // RBF, the paper's selection, empty tiles
  std::printf("%016" PRIx64 "\n", checksum);
  if (!batch_is_the_same()) good = false, std::puts("models fitted together differ from models fitted alone");
  if (!graph_is_the_same()) good = false, std::puts("a replayed graph differs from what was captured");
  if (!overflow_is_resumed()) good = false, std::puts("a fit that had to stop differs from one that had not");
  return good ? 0 : 1;
}
