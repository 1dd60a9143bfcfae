#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "../threads.h"
#include "aligned.h"
#include "chain.h"
#include "mixture.h"
#include "tile_jobs.h"

namespace rsmoe::cpu {
namespace {

constexpr int64_t kKernelsOfTask = 512;  // A task of the optimiser, of about 0.05 ms.

class Stopwatch {
 public:
  // Seconds since the last call, or since the beginning.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - std::exchange(last_, now);
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// What a step of a fit moves.
struct Parameters {
  AlignedFloats geometry, experts;
};

// The lists of kernels that some steps share.
struct FitLists {
  TileLists tiles;
  KernelPairs of_kernel;
  int64_t workspace;  // floats
  int64_t number;     // of lists that were built before
};

int64_t gradient_columns(const FitSteps& f) { return kMoments + expert_columns(f.channels, f.linear); }

// Copies kernels [begin, end).
void copy_kernels(const FitSteps& f, int64_t begin, int64_t end, const float* geometry, const float* experts,
                  float* to_geometry, float* to_experts) {
  const int64_t columns = expert_columns(f.channels, f.linear);
  std::copy(geometry + begin * kGeometry, geometry + end * kGeometry, to_geometry + begin * kGeometry);
  std::copy(experts + begin * columns, experts + end * columns, to_experts + begin * columns);
}

std::shared_ptr<const FitLists> list_kernels(const FitSteps& f, const float* geometry, const float* experts,
                                             int64_t number) {
  const Mixture m{geometry, experts, f.kernels, f.channels, f.linear, f.height, f.width, f.culling};
  Culling with_margin = f.culling;
  with_margin.tau += f.list_margin;
  auto lists = std::make_shared<FitLists>();
  lists->tiles = build_lists(m, with_margin);
  lists->of_kernel = invert(lists->tiles, f.kernels);
  lists->workspace = largest_workspace(m, lists->tiles);
  lists->number = number;
  return lists;
}

// The steps of a fit, each of two stages: the tiles, whose tasks may be repeated, as all that they read stays as it is,
// and the optimiser, which reads the parameters of this step and writes those of the next to other memory.
class Fit final : public Chain {
 public:
  Fit(const FitSteps& f, float* losses, std::shared_ptr<const FitLists> lists, FitSeconds& seconds, Stopwatch& watch)
      : Chain(lists->tiles.pairs() < kPairsWorthThreads ? 1 : std::min(worker_count(), lists->tiles.tiles()),
              lists->tiles.tiles()),
        f_(f), losses_(losses), seconds_(seconds), watch_(watch), lists_(std::move(lists)), parameters_(free_memory()),
        tile_loss_(static_cast<size_t>(lists_->tiles.tiles())), places_(places()), scratch_(places()) {
    copy_kernels(f, 0, f.kernels, f.geometry, f.experts, parameters_->geometry.data(), parameters_->experts.data());
    make_room();
  }
  Fit(const Fit&) = delete;
  Fit& operator=(const Fit&) = delete;
  // Also after an exception, the steps that were taken remain.
  ~Fit() override {
    copy_kernels(f_, 0, f_.kernels, parameters_->geometry.data(), parameters_->experts.data(), f_.geometry, f_.experts);
  }

 protected:
  Tasks next(size_t place) override {
    if (stage_ == kTiles) {
      end_tiles();
      return begin_optimiser(places_[place]);
    }
    if (stage_ == kOptimiser) end_step();
    return step_ < f_.steps ? begin_tiles(places_[place]) : Tasks{0, false};
  }

  void compute(size_t place, int64_t task, int64_t worker) override {
    const Place& p = places_[place];
    if (p.moved)
      optimise(p, task * kKernelsOfTask, std::min(f_.kernels, (task + 1) * kKernelsOfTask));
    else
      compute_tile(p, task, scratch_[static_cast<size_t>(worker)]);
  }

  void commit(size_t place, int64_t task, int64_t worker) override {
    if (places_[place].moved) return;
    const Scratch& own = scratch_[static_cast<size_t>(worker)];
    const int64_t columns = gradient_columns(f_), floats = lists_->tiles.count(task) * columns;
    std::copy_n(own.gradients.data(), floats, pairs_.data() + lists_->tiles.start[task] * columns);
    tile_loss_[static_cast<size_t>(task)] = own.loss;
  }

 private:
  // What the tasks of a stage read; `moved`, which the optimiser writes, is null for tiles.
  struct Place {
    std::shared_ptr<const FitLists> lists;
    std::shared_ptr<Parameters> parameters, moved;
    AdamStep adam;
  };
  // The memory of a worker.
  struct Scratch {
    AlignedFloats workspace, gradients;
    float loss = 0;
    int64_t lists = -1;  // those that the memory suffices for
  };

  Tasks begin_tiles(Place& place) {
    if (step_ > 0 && step_ % f_.list_interval == 0) {
      lists_ = list_kernels(f_, parameters_->geometry.data(), parameters_->experts.data(), lists_->number + 1);
      make_room();
      seconds_.lists += watch_.lap();
    }
    place = {lists_, parameters_, nullptr, {}};
    stage_ = kTiles;
    return {lists_->tiles.tiles(), true};
  }

  void end_tiles() {
    double loss = 0;
    for (const float part : tile_loss_) loss += part;
    losses_[step_] = static_cast<float>(loss);
    seconds_.tiles += watch_.lap();
  }

  Tasks begin_optimiser(Place& place) {
    place = {lists_, parameters_, free_memory(), {}};
    const auto step = static_cast<double>(f_.first_step + step_ + 1);
    const float* rate = f_.rates + 4 * step_;
    place.adam = {place.moved->geometry.data(),
                  place.moved->experts.data(),
                  f_.state,
                  f_.kernels,
                  f_.channels,
                  f_.linear,
                  pairs_.data(),
                  lists_->of_kernel.start.data(),
                  lists_->of_kernel.pairs.data(),
                  f_.whitened,
                  {rate[0], rate[1], rate[2], rate[3]},
                  {f_.beta1, f_.beta2, static_cast<float>(1 / (1 - std::pow(f_.beta1, step))),
                   static_cast<float>(1 / (1 - std::pow(f_.beta2, step)))},
                  f_.limits};
    moved_ = place.moved;
    stage_ = kOptimiser;
    return {(f_.kernels + kKernelsOfTask - 1) / kKernelsOfTask, false};
  }

  void end_step() {
    parameters_ = std::move(moved_);
    ++step_;
    seconds_.optimiser += watch_.lap();
  }

  void compute_tile(const Place& place, int64_t tile, Scratch& own) {
    const FitLists& lists = *place.lists;
    const Mixture m{place.parameters->geometry.data(),
                    place.parameters->experts.data(),
                    f_.kernels,
                    f_.channels,
                    f_.linear,
                    f_.height,
                    f_.width,
                    f_.culling};
    if (own.lists != lists.number) {
      own.workspace.reserve(lists.workspace);
      own.gradients.reserve(lists.tiles.longest() * gradient_columns(f_));
      own.lists = lists.number;
    }
    float* memory = own.workspace.data();
    const TileJob job = tile_job(m, lists.tiles, tile, tile_tau(f_.culling));
    simd().forward(job, memory);
    own.loss = simd().residual_from_target(job, memory, f_.target + tile * f_.channels * kTilePixels,
                                           f_.weight ? f_.weight + tile * kTilePixels : nullptr, f_.block);
    simd().backward(job, memory, own.gradients.data());
  }

  void optimise(const Place& place, int64_t begin, int64_t end) {
    copy_kernels(f_, begin, end, place.parameters->geometry.data(), place.parameters->experts.data(),
                 place.adam.geometry, place.adam.experts);
    simd().adam(place.adam, begin, end);
  }

  // Memory for parameters that no stage reads any more.
  std::shared_ptr<Parameters> free_memory() {
    for (const auto& each : memory_)
      if (each.use_count() == 1) return each;
    const auto fresh = std::make_shared<Parameters>();
    fresh->geometry.reserve(f_.kernels * kGeometry);
    fresh->experts.reserve(f_.kernels * expert_columns(f_.channels, f_.linear));
    return memory_.emplace_back(fresh);
  }

  void make_room() { pairs_.reserve(lists_->tiles.pairs() * gradient_columns(f_) + kPairPadding); }

  const FitSteps& f_;
  float* losses_;
  FitSeconds& seconds_;
  Stopwatch& watch_;
  enum { kNothing, kTiles, kOptimiser } stage_ = kNothing;  // the current one
  int64_t step_ = 0;
  std::shared_ptr<const FitLists> lists_;
  std::vector<std::shared_ptr<Parameters>> memory_;
  std::shared_ptr<Parameters> parameters_, moved_;
  AlignedFloats pairs_;  // [pairs, columns] the gradients of each tile's kernels
  std::vector<float> tile_loss_;
  std::vector<Place> places_;
  std::vector<Scratch> scratch_;
};

}  // namespace

FitSeconds fit(const FitSteps& f, float* losses) {
  FitSeconds seconds;
  if (f.steps < 1) return seconds;
  Stopwatch watch;
  auto lists = list_kernels(f, f.geometry, f.experts, 0);
  seconds.lists = watch.lap();
  Fit(f, losses, std::move(lists), seconds, watch).run();
  return seconds;
}

}  // namespace rsmoe::cpu
