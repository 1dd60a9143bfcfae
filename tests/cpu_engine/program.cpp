// Random and hostile work for everything in csrc/cpu, for the sanitizers: `program ROUNDS SEED [FILE]`.
//
// Prints what it has tried as JSON; ends with 1 and a message if a result is wrong. It writes the images that it has
// drawn to FILE, each after the number of its values and the largest expert, so that those of different instruction
// sets (RSMOE_SIMD) can be compared. It needs no torch.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// The true count is tried too, but the engine is to have several threads on every machine.
#define processors true_processors
#include "cpu/processors.cpp"  // NOLINT(bugprone-suspicious-include)
#undef processors

#include "cpu/guards.h"
#include "cpu/lists.h"
#include "cpu/mixture.h"
#include "cpu/patches.h"
#include "cpu/segment.h"
#include "cpu/tile.h"
#include "threads.h"
#include "torch_c_abi.h"

namespace {

uint32_t threads = 1;
unsigned char filling = 0xff;  // what fresh memory holds: NaN and -1, or 0x7f: large floats, and integers to overflow

}  // namespace

namespace rsmoe::cpu {
int64_t processors() { return 4; }
}  // namespace rsmoe::cpu

// The fault that is planted in a copy of the engine, see planted.h.
extern "C" int rsmoe_planted;
int rsmoe_planted = std::getenv("RSMOE_PLANTED") ? std::atoi(std::getenv("RSMOE_PLANTED")) : 0;

// The part of torch's C ABI that the engine below the operators calls.
extern "C" AOTITorchError torch_get_num_threads(uint32_t* out_num_threads) {
  *out_num_threads = threads;
  return 0;
}

// The engine's scratch memory, which it allocates aligned, never holds zeros by chance.
void* operator new(size_t size, std::align_val_t alignment) {
  const auto boundary = static_cast<size_t>(alignment);
  void* memory = std::aligned_alloc(boundary, (size / boundary + 1) * boundary);
  if (!memory) throw std::bad_alloc();
  std::memset(memory, filling, size);
#if defined(RSMOE_WATCHED)
  __asan_poison_memory_region(static_cast<char*>(memory) + size, (size / boundary + 1) * boundary - size);
#endif
  return memory;
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }

namespace {

using namespace rsmoe;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

// ---- random numbers ----------------------------------------------------------------------------------------------

uint64_t state = 1;
uint32_t random_bits() {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 32);
}
float chance() { return static_cast<float>(random_bits() >> 8) / 16777216.0f; }
int64_t whole(int64_t low, int64_t high) { return low + random_bits() % (high - low + 1); }
bool happens(float probability) { return chance() < probability; }
template <class T> T one_of(std::initializer_list<T> values) { return values.begin()[random_bits() % values.size()]; }

float any_bits() {
  const uint32_t bits = random_bits();
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float hostile() {
  const float sign = happens(0.5f) ? 1.0f : -1.0f;
  if (happens(0.3f)) return any_bits();
  return sign * one_of({kNaN, kInfinity, 3.4e38f, 3e38f, 1e30f, 1e20f, 1e-30f, 1e-40f, 0.0f, kMostCenter, kMostSteering,
                        kMostLogit, 0.4f * kMostCenter, 0.4f * kMostSteering, 0.9f * kMostLogit});
}

// ---- memory of the caller ----------------------------------------------------------------------------------------

// Floats that begin and end within a vector, exactly as many as asked for.
class Floats {
 public:
  explicit Floats(int64_t size, float value = 0.0f) : all_(static_cast<size_t>(size) + 1, value) {}
  template <class Make> static Floats made(int64_t size, Make&& make) {
    Floats result(size);
    for (int64_t i = 0; i < size; ++i) result[i] = make(i);
    return result;
  }
  float* data() { return all_.data() + 1; }
  const float* data() const { return all_.data() + 1; }
  float& operator[](int64_t i) { return all_[static_cast<size_t>(i) + 1]; }
  float operator[](int64_t i) const { return all_[static_cast<size_t>(i) + 1]; }
  int64_t size() const { return static_cast<int64_t>(all_.size()) - 1; }
  // Some of them are no longer what they should be.
  void spoil(float share) {
    for (int64_t i = 0; i < size(); ++i)
      if (happens(share)) (*this)[i] = hostile();
  }
  bool operator==(const Floats& other) const {
    return size() == other.size() &&
           std::memcmp(data(), other.data(), sizeof(float) * all_.size() - sizeof(float)) == 0;
  }
  bool finite() const {
    for (int64_t i = 0; i < size(); ++i)
      if (!std::isfinite((*this)[i])) return false;
    return true;
  }

 private:
  std::vector<float> all_;
};

Floats chances(int64_t size) {
  return Floats::made(size, [](int64_t) { return chance(); });
}

// ---- results -----------------------------------------------------------------------------------------------------

struct Counts {
  int64_t rounds = 0, models = 0, hostile_models = 0, drawings = 0, gradients = 0, fits = 0, lists = 0,
          patch_filters = 0, segmentations = 0;
} counts;

std::string doing;  // for messages
bool good = true;

void require(bool holds, const char* what) {
  if (holds || !good) return;
  good = false;
  std::printf("wrong: %s (%s)\n", what, doing.c_str());
}

FILE* images = nullptr;

// The same work with one thread and with several, which must give the same bits.
Floats with_any_threads(const std::function<Floats()>& work) {
  threads = one_of({2u, 3u, 4u});
  Floats several = work();
#if !defined(__SANITIZE_THREAD__)
  threads = 1;
  require(several == work(), "the number of threads changes bits");
#endif
  return several;
}

// ---- mixtures ----------------------------------------------------------------------------------------------------

struct Model {
  int64_t kernels = happens(0.2f) ? whole(1, 3) : happens(0.1f) ? whole(100, 700) : whole(4, 60);
  int64_t height = happens(0.1f) ? 1 : whole(2, 70), width = happens(0.1f) ? 1 : whole(2, 70);
  int32_t channels = static_cast<int32_t>(whole(1, 6));
  bool linear = happens(0.4f), normalised = happens(0.6f);
  float tau = one_of({0.5f, 7.0f, 9.0f, 20.0f, kInfinity});
  float confidence = happens(0.2f) ? 3.0f : 0.0f;
  int hostility = static_cast<int>(random_bits() % 3);  // 0: ordinary, 1: some numbers are hostile, 2: many
  Floats geometry = Floats(kernels * kGeometry), experts = chances(kernels * columns());

  Model() {
    const float scale = happens(0.3f) ? one_of({0.02f, 0.3f, 40.0f, 1e4f}) : 0.0f;
    for (int64_t i = 0; i < kernels; ++i) {
      const float r = 1 / (scale > 0 ? scale : 0.4f + 15 * chance() * chance());
      const float row[kGeometry] = {(chance() * 1.4f - 0.2f) * static_cast<float>(height),
                                    (chance() * 1.4f - 0.2f) * static_cast<float>(width),
                                    r,
                                    r * (chance() - 0.5f) * 4,
                                    r * (0.3f + chance()),
                                    4 * chance() - 2};
      std::memcpy(geometry.data() + i * kGeometry, row, sizeof row);
    }
    const float share = hostility == 2 ? 0.5f : 0.05f;
    if (hostility) geometry.spoil(share);
    if (hostility && happens(0.5f)) experts.spoil(share);
    ++counts.models;
    counts.hostile_models += hostility != 0;
    doing = "model " + std::to_string(counts.models) + ": " + std::to_string(kernels) + " kernels of " +
            std::to_string(channels) + " channels, " + std::to_string(height) + " x " + std::to_string(width) +
            (linear ? ", linear" : "") + (normalised ? ", smoe" : ", rbf") + ", tau " + std::to_string(tau) +
            ", hostility " + std::to_string(hostility);
  }

  int32_t columns() const { return expert_columns(channels, linear); }
  Culling culling() const { return {tau, normalised, confidence}; }
  Mixture mixture() const {
    return {geometry.data(), experts.data(), kernels, channels, linear, height, width, culling()};
  }
  bool drawable(int64_t i) const {
    return is_drawable(load_kernel(geometry.data() + i * kGeometry), kMostCenter) &&
           is_drawable_expert(experts.data() + i * columns(), columns());
  }
  float largest_expert() const {
    float largest = 0;
    for (int64_t i = 0; i < kernels; ++i)
      for (int32_t c = 0; drawable(i) && c < columns(); ++c)
        largest = std::max(largest, std::abs(experts[i * columns() + c]));
    return largest;
  }
};

// Lists hold kernels that can be drawn, in order; and where gates sum to one, none is empty as long as there is any.
void try_lists(const Model& model) {
  threads = 3;
  const Mixture m = model.mixture();
  const cpu::TileLists lists = cpu::build_lists(m, m.culling);
  int64_t drawable = 0;
  for (int64_t i = 0; i < model.kernels; ++i) drawable += model.drawable(i);
  require(lists.pairs() == lists.start.back(), "lists and their ends do not agree");
  for (int64_t t = 0; t < lists.tiles(); ++t) {
    require(!model.normalised || (lists.count(t) > 0) == (drawable > 0), "a tile is without a kernel");
    for (int64_t p = lists.start[t]; p < lists.start[t + 1]; ++p) {
      require(model.drawable(lists.ids[p]), "a list holds a kernel that cannot be drawn");
      require(p == lists.start[t] || lists.ids[p - 1] < lists.ids[p], "a list is not in order");
    }
  }
  const cpu::KernelPairs pairs = cpu::invert(lists, model.kernels);
  require(pairs.start.back() == lists.pairs(), "pairs are lost");
  ++counts.lists;
}

// Constant experts under gates that sum to one: no pixel is beyond the experts.
void require_between_experts(const Model& model, const Floats& image) {
  for (int32_t c = 0; c < model.channels; ++c) {
    float low = kInfinity, high = -kInfinity, largest = 0;
    for (int64_t i = 0; i < model.kernels; ++i) {
      if (!model.drawable(i)) continue;
      const float expert = model.experts[i * model.channels + c];
      low = std::min(low, expert);
      high = std::max(high, expert);
      largest = std::max(largest, std::abs(expert));
    }
    const float slack = 1e-4f * (high - low) + 1e-5f * largest + std::numeric_limits<float>::min();
    for (int64_t p = 0; p < model.height * model.width; ++p) {
      const float value = image[c * model.height * model.width + p];
      if (low > high)
        require(value == 0, "something is drawn without kernels");
      else
        require(value >= low - slack && value <= high + slack, "a pixel lies beyond the experts");
    }
  }
}

void try_drawing(const Model& model) {
  const Mixture m = model.mixture();
  const int64_t size = model.channels * model.height * model.width;
  const Floats image = with_any_threads([&] {
    Floats result(size, kNaN);
    cpu::render(m, result.data());
    return result;
  });
  require(image.finite(), "a pixel is not finite");
  if (model.normalised && !model.linear) require_between_experts(model, image);
  if (images) {
    const auto floats = static_cast<int32_t>(size);
    const float largest = model.largest_expert();
    std::fwrite(&floats, sizeof floats, 1, images);
    std::fwrite(&largest, sizeof largest, 1, images);
    std::fwrite(image.data(), sizeof(float), static_cast<size_t>(size), images);
  }
  ++counts.drawings;

  Floats upstream = chances(size);
  if (model.hostility == 2) upstream.spoil(0.01f);
  const Floats gradients = with_any_threads([&] {
    Floats result(model.geometry.size() + model.experts.size(), kNaN);
    cpu::render_backward(m, upstream.data(), result.data(), result.data() + model.geometry.size());
    return result;
  });
  if (!model.hostility) require(gradients.finite(), "a gradient is not finite");
  for (int64_t i = 0; i < model.kernels; ++i)
    if (!model.drawable(i))
      for (int c = 0; c < kGeometry; ++c)
        require(gradients[i * kGeometry + c] == 0, "a kernel that cannot be drawn has a gradient");
  ++counts.gradients;
}

void try_fit(const Model& model) {
  const int64_t tiles = (model.height + 15) / 16 * ((model.width + 15) / 16);
  const auto divides = [&](int64_t block) { return model.height % block == 0 && model.width % block == 0; };
  const int64_t block = happens(0.4f) ? one_of<int64_t>({2, 4, 8, 16}) : 1;
  Floats target = chances(tiles * model.channels * kTilePixels), weight = chances(tiles * kTilePixels);
  if (model.hostility == 2) target.spoil(0.01f);
  const bool weighted = happens(0.5f);
  const int64_t steps = whole(1, 6);
  const Floats rates = Floats::made(4 * steps, [](int64_t) { return 0.2f * chance(); });
  const float far = 20.0f;
  const Limits limits{
      -far, static_cast<float>(model.height) + far, -far, static_cast<float>(model.width) + far, 8, 0.25f, 200, 8};
  const int64_t interval = whole(1, 4);
  const bool whitened = happens(0.7f);
  const Floats fitted = with_any_threads([&] {
    const int64_t g = model.geometry.size(), e = model.experts.size();
    const int64_t s = 2 * (kMoments + model.columns()) * model.kernels;
    Floats result(g + e + s + steps);
    std::memcpy(result.data(), model.geometry.data(), sizeof(float) * static_cast<size_t>(g));
    std::memcpy(result.data() + g, model.experts.data(), sizeof(float) * static_cast<size_t>(e));
    const FitSteps f{.geometry = result.data(),
                     .experts = result.data() + g,
                     .state = result.data() + g + e,
                     .kernels = model.kernels,
                     .channels = model.channels,
                     .linear = model.linear,
                     .height = model.height,
                     .width = model.width,
                     .target = target.data(),
                     .weight = weighted ? weight.data() : nullptr,
                     .block = static_cast<int32_t>(divides(block) ? block : 1),
                     .rates = rates.data(),
                     .first_step = 0,
                     .steps = steps,
                     .list_interval = interval,
                     .list_margin = 2.0f,
                     .beta1 = 0.9f,
                     .beta2 = 0.99f,
                     .whitened = whitened,
                     .culling = model.culling(),
                     .limits = limits};
    cpu::fit(f, result.data() + g + e + s);
    return result;
  });
  if (!model.hostility) require(fitted.finite(), "a fit leads to numbers that are not finite");
  ++counts.fits;
}

// ---- patches and segments ----------------------------------------------------------------------------------------

void try_patches() {
  const auto channels = static_cast<int32_t>(whole(1, 3));
  const int64_t height = happens(0.2f) ? 8 : whole(8, 40), width = happens(0.2f) ? 8 : whole(8, 60);
  const int64_t size = channels * height * width, square = int64_t{cpu::kPatchPixels} * cpu::kPatchPixels;
  const int spoilt = happens(0.5f) ? static_cast<int>(random_bits() % 4) : -1;
  doing = "patches of " + std::to_string(channels) + " channels, " + std::to_string(height) + " x " +
          std::to_string(width) + (spoilt < 0 ? "" : ", spoilt " + std::to_string(spoilt));
  Floats noisy = chances(size), pilot = happens(0.2f) ? Floats(size) : chances(size);
  Floats variance = Floats::made(size, [](int64_t) { return 0.01f + chance(); });
  const bool white = happens(0.5f);
  Floats correlation = Floats::made(channels * square, [&](int64_t i) {
    const int64_t at = i % square, row = at / cpu::kPatchPixels, column = at % cpu::kPatchPixels;
    return row == column ? 1.0f : !white && std::abs(row - column) == 1 && row / 8 == column / 8 ? 0.3f : 0.0f;
  });
  if (spoilt >= 0)
    (std::initializer_list<Floats*>{&noisy, &pilot, &variance, &correlation}.begin()[spoilt])->spoil(0.02f);
  const auto fewest = static_cast<int32_t>(whole(1, 60));
  const cpu::PatchFilter filter{noisy.data(),
                                pilot.data(),
                                variance.data(),
                                correlation.data(),
                                height,
                                width,
                                channels,
                                static_cast<int32_t>(whole(1, 8)),
                                static_cast<int32_t>(whole(0, 14)),
                                fewest,
                                fewest + static_cast<int32_t>(whole(0, 60)),
                                one_of({0.0f, 0.5f, 2.0f, 1e30f, kInfinity}),
                                one_of({-1.0f, 0.1f, 1.0f}),
                                one_of({0.0f, 0.1f, 1.0f})};
  const Floats result = with_any_threads([&] {
    Floats both(2 * size, kNaN);
    cpu::filter_patches(filter, both.data(), both.data() + size);
    return both;
  });
  if (spoilt < 0) require(result.finite(), "a filtered value is not finite");
  ++counts.patch_filters;
}

void try_segments() {
  const int64_t height = happens(0.1f) ? whole(0, 1) : whole(1, 40), width = whole(1, 40), channels = whole(1, 4);
  doing = "segments of " + std::to_string(height) + " x " + std::to_string(width);
  const float step = one_of({1.0f, 60.0f, 255.0f});
  Floats image =
      Floats::made(height * width * channels, [&](int64_t) { return std::floor(255 * chance() / step) * step; });
  if (happens(0.3f)) image.spoil(0.05f);
  std::vector<int32_t> labels(static_cast<size_t>(height * width), -7);
  const double threshold = one_of({0.0, 10.0, 60.0, 300.0, std::numeric_limits<double>::quiet_NaN()});
  const int64_t found = cpu::segment_image(image.data(), height, width, channels, threshold, labels.data());
  const std::set<int32_t> kinds(labels.begin(), labels.end());
  require(static_cast<int64_t>(kinds.size()) == found, "labels have gaps");
  require(kinds.empty() || (*kinds.begin() == 0 && *kinds.rbegin() == found - 1), "labels are out of range");
  ++counts.segmentations;
}

// ---- threads -----------------------------------------------------------------------------------------------------

// Several callers at once, jobs within jobs, and jobs that fail.
void try_threads() {
  doing = "several callers at once";
  threads = 4;
  const auto call = [] {
    for (int times = 0; times < 3; ++times) {
      std::vector<int64_t> seen(50);
      for_each_task(50, [&](int64_t task, int64_t) {
        for_each_piece(10, 3, [&](int64_t begin, int64_t end) { seen[task] += end - begin; });
      });
      for (const int64_t pieces : seen) require(pieces == 10, "a task was left out");
      bool thrown = false;
      try {
        for_each_task(20, [&](int64_t task, int64_t) {
          if (task % 7 == 3) throw std::runtime_error("as it should");
        });
      } catch (const std::runtime_error&) {
        thrown = true;
      }
      require(thrown, "an error was lost");
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) callers.emplace_back(call);
  for (std::thread& caller : callers) caller.join();
  require(cpu::true_processors() >= 1, "there is no processor");
}

}  // namespace

int main(int arguments, char** argument) {
  const int64_t rounds = arguments > 1 ? std::atoll(argument[1]) : 10;
  state = arguments > 2 ? std::strtoull(argument[2], nullptr, 10) : 1;
  if (arguments > 3) images = std::fopen(argument[3], "wb");
  for (; counts.rounds < rounds && good; ++counts.rounds) {
    filling = counts.rounds % 2 ? 0x7f : 0xff;
    const Model model;
    try_lists(model);
    try_drawing(model);
    try_fit(model);
    if (counts.rounds % 3 == 0) try_patches();
    if (counts.rounds % 3 == 1) try_segments();
    if (counts.rounds % 20 == 7) try_threads();
  }
  if (images) std::fclose(images);
  std::printf(
      "{\"simd\": \"%s\", \"rounds\": %lld, \"models\": %lld, \"hostile_models\": %lld, \"drawings\": %lld, "
      "\"gradients\": %lld, \"fits\": %lld, \"lists\": %lld, \"patch_filters\": %lld, \"segmentations\": %lld}\n",
      cpu::simd().name, static_cast<long long>(counts.rounds), static_cast<long long>(counts.models),
      static_cast<long long>(counts.hostile_models), static_cast<long long>(counts.drawings),
      static_cast<long long>(counts.gradients), static_cast<long long>(counts.fits),
      static_cast<long long>(counts.lists), static_cast<long long>(counts.patch_filters),
      static_cast<long long>(counts.segmentations));
  return good ? 0 : 1;
}
