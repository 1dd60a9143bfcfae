// Random and hostile work for everything in csrc/cpu, for the sanitizers: `program ROUNDS SEED [FILE]`.
//
// Prints what it has tried as JSON; ends with 1 and a message if a result is wrong. It writes the images that it has
// drawn to FILE, each after the number of its values and the largest expert, so that those of different instruction
// sets (RSMOE_SIMD) can be compared. It needs no torch: torch_stand_in.h takes its place.
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// The true count is tried too, but the engine is to have several threads on every machine.
#define processors true_processors
#include "cpu/processors.cpp"  // NOLINT(bugprone-suspicious-include)
#undef processors

#include "chance.h"
#include "cpu/chain.h"
#include "cpu/guards.h"
#include "cpu/lists.h"
#include "cpu/mixture.h"
#include "cpu/patches.h"
#include "cpu/segment.h"
#include "cpu/smooth.h"
#include "cpu/tile.h"
#include "model.h"
#include "operator_calls.h"
#include "threads.h"
#include "torch_stand_in.h"

namespace {

unsigned char filling = 0xff;  // what fresh memory holds: NaN and -1, or 0x7f: large floats, and integers to overflow

}  // namespace

namespace rsmoe::cpu {
int64_t processors() { return 4; }
}  // namespace rsmoe::cpu

// The fault that is planted in a copy of the engine, see planted.h.
extern "C" int rsmoe_planted;
int rsmoe_planted = std::getenv("RSMOE_PLANTED") ? std::atoi(std::getenv("RSMOE_PLANTED")) : 0;

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

// Lists hold kernels that can be drawn, in order; and where gates sum to one, none is empty as long as there is any.
void try_lists(const Model& model) {
  stand_in::threads = 3;
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
                                1,
                                static_cast<int32_t>(whole(1, 8)),
                                static_cast<int32_t>(whole(0, 14)),
                                fewest,
                                fewest + static_cast<int32_t>(whole(0, 60)),
                                one_of({0.0f, 0.5f, 2.0f, 1e30f, kInfinity}),
                                one_of({-1.0f, 0.1f, 1.0f}),
                                one_of({0.0f, 0.1f, 1.0f}),
                                happens(0.3f)};
  const Floats result = with_any_threads([&] {
    Floats both(2 * size, kNaN);
    cpu::filter_patches(filter, both.data(), both.data() + size);
    return both;
  });
  if (spoilt < 0) require(result.finite(), "a filtered value is not finite");
  ++counts.patch_filters;
}

void try_smoothing() {
  const int64_t height = whole(1, 40), width = whole(1, 90), channels = whole(1, 3), reach = whole(0, 50);
  doing = "averages of " + std::to_string(height) + " x " + std::to_string(width);
  const Floats image = chances(height * width * channels);
  Floats smooth(image.size());
  const std::vector<double> weights(static_cast<size_t>(reach + 1), 1.0 / static_cast<double>(2 * reach + 1));
  cpu::smooth({image.data(), smooth.data(), false, height, width, channels, weights.data(), reach});
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
  stand_in::threads = 4;
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

// Counts upwards in stages. In every second one, unless it is alone, a worker stops in the midst of a task until
// another has done it, or for 50 ms.
class Counting final : public cpu::Chain {
 public:
  static constexpr int64_t kTasks = 20, kStages = 24;
  Counting(int64_t workers, int64_t failing) : Chain(workers, kTasks), failing_(failing), own_(places()) {}
  int64_t sum() const { return std::accumulate(counts_.begin(), counts_.end(), int64_t{0}); }
  bool helped() const { return helped_; }

 protected:
  Tasks next(size_t place) override {
    std::atomic<int64_t> shared{0};
    for_each_task(30, [&](int64_t, int64_t) { ++shared; });
    require(shared == 30, "a task of the worker that prepares a stage was left out");
    begun_[place] = stage_, before_[place] = counts_, stops_[place] = places() > 2 && stage_ % 2 == 1;
    return {stage_++ < kStages ? kTasks : 0, begun_[place] % 2 == 1};
  }
  void compute(size_t place, int64_t task, int64_t worker) override {
    if (begun_[place] == failing_ && task == 7) throw std::runtime_error("as it should");
    own_[static_cast<size_t>(worker)] = before_[place][static_cast<size_t>(task)] + 1;
    if (task != 5 || !stops_[place].exchange(false)) return;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    const auto done = [&] { return done_ >= begun_[place]; };
    while (!done() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    if (done()) helped_ = true;
  }
  void commit(size_t place, int64_t task, int64_t worker) override {
    counts_[static_cast<size_t>(task)] = own_[static_cast<size_t>(worker)];
    if (task == 5) done_ = begun_[place];
  }

 private:
  using Counts = std::array<int64_t, kTasks>;
  int64_t failing_, stage_ = 0;
  std::array<int64_t, 8> begun_{};
  std::array<Counts, 8> before_{};
  std::array<std::atomic<bool>, 8> stops_{};
  Counts counts_{};
  std::vector<int64_t> own_;
  std::atomic<int64_t> done_{-1};  // the last stage whose task 5 was committed
  std::atomic<bool> helped_{false};
};

// Stages whose results are right whatever the workers do, although some stop, or one fails.
void try_chain() {
  doing = "a chain of stages";
  for (const int64_t workers : {1, 4}) {
    stand_in::threads = workers;
    Counting chain(workers, -1);
    chain.run();
    require(chain.sum() == Counting::kTasks * Counting::kStages, "a task was left out or counted twice");
    require(chain.helped() == (workers > 1), "nobody went on while a worker stopped");
    Counting failing(workers, 6);
    bool thrown = false;
    try {
      failing.run();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    require(thrown, "an error was lost");
  }
}

}  // namespace

int main(int arguments, char** argument) {
  const int64_t rounds = arguments > 1 ? std::atoll(argument[1]) : 10;
  state = arguments > 2 ? std::strtoull(argument[2], nullptr, 10) : 1;
  if (arguments > 3) images = std::fopen(argument[3], "wb");
  if (const char* error = rsmoe_register_operators()) require(false, error);
  for (; counts.rounds < rounds && good; ++counts.rounds) {
    filling = counts.rounds % 2 ? 0x7f : 0xff;
    const Model model;
    try_lists(model);
    try_drawing(model);
    try_fit(model);
    if (counts.rounds % 3 == 0) try_patches();
    if (counts.rounds % 3 == 1) try_segments();
    if (counts.rounds % 3 == 2) try_smoothing();
    if (counts.rounds % 3 == 2) try_operators(model);
    if (counts.rounds % 20 == 7) try_threads();
    if (counts.rounds % 20 == 7) try_chain();
  }
  if (images) std::fclose(images);
  std::printf("{\"simd\": \"%s\", \"rounds\": %lld, \"models\": %lld, \"hostile_models\": %lld, \"drawings\": %lld, "
              "\"gradients\": %lld, \"fits\": %lld, \"lists\": %lld, \"patch_filters\": %lld, \"segmentations\": %lld, "
              "\"operator_calls\": %lld, \"refusals\": %lld}\n",
              cpu::simd().name, static_cast<long long>(counts.rounds), static_cast<long long>(counts.models),
              static_cast<long long>(counts.hostile_models), static_cast<long long>(counts.drawings),
              static_cast<long long>(counts.gradients), static_cast<long long>(counts.fits),
              static_cast<long long>(counts.lists), static_cast<long long>(counts.patch_filters),
              static_cast<long long>(counts.segmentations), static_cast<long long>(counts.calls),
              static_cast<long long>(counts.refusals));
  return good ? 0 : 1;
}
