#include "chain.h"

#include <algorithm>
#include <bit>

namespace rsmoe::cpu {
namespace {

// Longest time of a task that is done again, in vain if the other worker has a processor after all. Longer ones are
// waited for, as a worker that has lost its processor usually gets it back after a few milliseconds.
constexpr std::chrono::microseconds kMostRepeated{300};
// The time of a task grows from stage to stage by this factor at most, because a measured time may contain one in which
// the worker had no processor. It would repeat no task if it took that for the time of a task.
constexpr int kMostGrowth = 4;

// The calling thread reports to a watch until the end of the scope.
class Watched {
 public:
  explicit Watched(Watch* own) : before_(watch(std::bit_cast<int64_t>(own))) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { watch(before_); }

 private:
  int64_t before_;
};

}  // namespace

Chain::Chain(int64_t workers, int64_t repeatable_tasks)
    : workers_(std::max<int64_t>(workers, 1)), stages_(new Stage[places()]),
      crew_(new Worker[static_cast<size_t>(workers_)]),
      committed_(new std::atomic<int64_t>[static_cast<size_t>(repeatable_tasks)]) {
  for (int64_t task = 0; task < repeatable_tasks; ++task) committed_[static_cast<size_t>(task)] = 0;
}

void Chain::run() {
  advance(nullptr);
  run_workers(workers_, [](void* chain, int64_t worker) { static_cast<Chain*>(chain)->work(worker); }, this);
}

void Chain::work(int64_t worker) {
  const Watched watched(watch_);
  Worker& self = crew_[static_cast<size_t>(worker)];
  try {
    while (Stage* stage = enter(self)) {
      const auto begin = std::chrono::steady_clock::now();
      int64_t performed = 0;
      for (int64_t task; (task = stage->begun.fetch_add(1, std::memory_order_relaxed)) < stage->tasks; ++performed)
        perform(*stage, task, worker);
      if (performed) {
        const std::chrono::nanoseconds pace = (std::chrono::steady_clock::now() - begin) / performed;
        self.pace = self.pace.count() ? std::min(pace, kMostGrowth * self.pace) : pace;
      }
      const auto passed = [&] { return current_.load() != stage; };
      const auto finished = [&] { return stage->done.load() == stage->tasks || passed(); };
      if (passed()) continue;
      if (!soon(finished, 2 * self.pace) && stage->repeatable && self.pace < kMostRepeated) repeat(*stage, worker);
      team_.help_until(passed);
    }
  } catch (...) {
    self.in = nullptr;
    end();
    throw;
  }
  self.in = nullptr;
}

// The current stage, which then keeps its place until this worker enters another.
Chain::Stage* Chain::enter(Worker& self) {
  for (;;) {
    Stage* stage = current_.load();
    self.in.store(stage);
    if (current_.load() == stage) return stage;
  }
}

void Chain::perform(Stage& stage, int64_t task, int64_t worker) {
  if (watch_ && watch_->stop.load(std::memory_order_relaxed)) throw Stopped();
  const auto place = static_cast<size_t>(&stage - stages_.get());
  compute(place, task, worker);
  if (stage.repeatable) {
    std::atomic<int64_t>& committed = committed_[static_cast<size_t>(task)];
    int64_t before = committed.load(std::memory_order_relaxed);
    if (before >= stage.number || !committed.compare_exchange_strong(before, stage.number)) return;
  }
  commit(place, task, worker);
  if (watch_) watch_->done.fetch_add(1, std::memory_order_relaxed);
  if (stage.done.fetch_add(1) + 1 == stage.tasks) advance(&stage);
}

// Does the tasks again that others have begun and not finished; each worker begins with others.
void Chain::repeat(Stage& stage, int64_t worker) {
  const int64_t first = stage.tasks * worker / workers_;
  for (int64_t i = 0; i < stage.tasks && current_.load() == &stage; ++i) {
    const int64_t task = (first + i) % stage.tasks;
    if (committed_[static_cast<size_t>(task)].load(std::memory_order_relaxed) < stage.number)
      perform(stage, task, worker);
  }
}

void Chain::advance(Stage* finished) {
  Stage& stage = free_place(finished);
  const Tasks tasks = [&] {
    const Leading leading(team_, workers_);
    return next(static_cast<size_t>(&stage - stages_.get()));
  }();
  stage.number = ++number_;
  stage.tasks = tasks.count;
  stage.repeatable = tasks.repeatable && workers_ > 1;
  stage.begun.store(0, std::memory_order_relaxed);
  stage.done.store(0, std::memory_order_relaxed);
  if (watch_) watch_->all.fetch_add(tasks.count, std::memory_order_relaxed);
  current_.compare_exchange_strong(finished, tasks.count ? &stage : nullptr);  // Unless a worker has failed.
  if (workers_ > 1) team_.wake();
}

// There is always one: every worker but the calling one is in one stage at most, and there is one place more.
Chain::Stage& Chain::free_place(const Stage* finished) {
  return *std::find_if(stages_.get(), stages_.get() + places(), [&](const Stage& stage) {
    return &stage != finished && std::none_of(crew_.get(), crew_.get() + workers_,
                                              [&](const Worker& worker) { return worker.in.load() == &stage; });
  });
}

void Chain::end() {
  current_ = nullptr;
  team_.wake();
}

}  // namespace rsmoe::cpu
