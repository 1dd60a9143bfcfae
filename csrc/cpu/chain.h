// Work in stages, each of which needs all of the one before, such as the steps of a fit.
//
// Systems take the processor from a thread for milliseconds, usually in the middle of a task. If all others waited at
// the end of the stage, the work would go on only while all have a processor, which beside other programs is seldom. So
// nobody leads and nobody is waited for: whoever finishes a stage begins the next one, and a task that takes far longer
// than usual is done again by a worker that has nothing else to do. The first result counts, and as both have the same
// bits, results do not depend on the number of workers.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "../threads.h"
#include "team.h"

namespace rsmoe::cpu {

class Chain {
 public:
  // At most so many workers, counting the calling thread, and at most so many tasks in a repeatable stage.
  Chain(int64_t workers, int64_t repeatable_tasks);
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  virtual ~Chain() = default;

  // Does all stages, and returns when no worker is left. If a worker throws, all stop, and the exception is thrown
  // here.
  void run();

 protected:
  struct Tasks {
    int64_t count;    // 0: there is no further stage
    bool repeatable;  // whether compute() may run several times at once for the same task
  };
  // Prepares the next stage when all tasks are committed; called by one worker at a time. for_each_task() shares its
  // tasks with the other workers. `place`, below places(), is where what compute() reads may be kept: it belongs to
  // this stage until no worker computes for it, which may be later than the end of the stage if it is repeatable.
  virtual Tasks next(size_t place) = 0;
  // Does a task, and keeps the result in memory of this worker if the task is repeatable.
  virtual void compute(size_t place, int64_t task, int64_t worker) = 0;
  // Brings the result of the worker's last compute() to where all see it; called once for each task.
  virtual void commit(size_t place, int64_t task, int64_t worker) = 0;

  size_t places() const { return static_cast<size_t>(workers_) + 1; }

 private:
  struct Stage {
    int64_t number = 0, tasks = 0;
    bool repeatable = false;
    alignas(64) std::atomic<int64_t> begun{0};
    alignas(64) std::atomic<int64_t> done{0};
  };
  struct alignas(64) Worker {
    std::atomic<Stage*> in{nullptr};   // The stage that this worker may be reading; its place is not used again.
    std::chrono::nanoseconds pace{0};  // Time of a task in the last stage for which this worker did some.
  };

  void work(int64_t worker);
  Stage* enter(Worker& self);
  void perform(Stage& stage, int64_t task, int64_t worker);
  void repeat(Stage& stage, int64_t worker);
  void advance(Stage* finished);
  Stage& free_place(const Stage* finished);
  void end();

  int64_t workers_, number_ = 0;
  std::unique_ptr<Stage[]> stages_;
  std::unique_ptr<Worker[]> crew_;
  // For each task of repeatable stages, the number of the last stage in which it was committed.
  std::unique_ptr<std::atomic<int64_t>[]> committed_;
  std::atomic<Stage*> current_{nullptr};  // null: all work is done, or a worker has failed
  Watch* watch_ = current_watch();
  Team team_;
};

}  // namespace rsmoe::cpu
