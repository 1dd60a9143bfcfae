// The threads of the CPU engine: the calling thread and a pool of helpers, which sleep when there is nothing to do.
//
// torch's own threads are not used, because those of OpenMP spin between two pieces of work: beside other programs, or
// between steps as short as those of a fit, this takes processor time from everybody, the work itself included.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <type_traits>

namespace rsmoe {

// How many threads a job that begins now may use, counting the calling thread. torch.set_num_threads sets the limit,
// and it is lowered to the number of processors that the affinity and the control group (cgroup) of this process allow.
// Inside a job the answer is 1.
int64_t worker_count();

// With `alone`, torch computes in the calling thread without its own helper threads; without it, torch gets them back.
// Returns the state before, for restoring it. Why: after each operator on more than 32768 elements torch's helpers keep
// their processors busy for milliseconds, so a job that alternates between such operators and ours is faster without
// them. Only the calling thread is affected, and worker_count() does not change. If torch.set_num_threads is called in
// between, its setting wins. In a build without OpenMP this function does nothing.
bool leave_torch_alone(bool alone);

// Calls work(context, worker) in up to `workers` threads at once and waits: worker 0 is the calling thread, the others
// are helpers. A helper that gets no processor before the job is done is left out, so each worker must take its tasks
// from a common counter. Denormals are flushed meanwhile. The first exception is thrown again here. It may be called
// from several threads at once, from within a job (then the calling thread works alone), and after fork.
void run_workers(int64_t workers, void (*work)(void* context, int64_t worker), void* context);

// Three numbers in memory of the caller, by which another thread follows and stops the engine's work for one thread.
// The work of for_each_task ends early, by throwing Stopped, when `stop` is no longer 0; of the tasks that it was
// given, `done` are finished so far, out of `all`.
struct Watch {
  std::atomic<int64_t> stop, done, all;
};
static_assert(sizeof(Watch) == 3 * sizeof(int64_t));

struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("The work was stopped.") {}
};

// Sets the watch of what the calling thread does from now on, by its address, or none by 0; returns the one before.
int64_t watch(int64_t address);

// The watch of the calling thread, or null.
Watch* current_watch();

// For long work in one thread: throws Stopped if the watch of the calling thread asks for it.
inline void stop_if_asked() {
  if (const Watch* own = current_watch(); own && own->stop.load(std::memory_order_relaxed)) throw Stopped();
}

// Calls body(task, worker) once for every task in [0, tasks), each as soon as a worker is free. Workers count from 0 to
// workers - 1; a worker runs one task at a time, so it may own scratch memory. `workers` is the number of workers for
// which the caller has such memory.
template <class Body> void for_each_task(int64_t tasks, Body&& body, int64_t workers = worker_count()) {
  struct Shared {
    std::remove_reference_t<Body>& body;
    int64_t tasks;
    Watch* watch;
    alignas(64) std::atomic<int64_t> next{0};
  } shared{body, tasks, current_watch()};
  if (shared.watch) shared.watch->all.fetch_add(tasks, std::memory_order_relaxed);
  const auto work = [](void* context, int64_t worker) {
    auto& s = *static_cast<Shared*>(context);
    for (int64_t task; (task = s.next.fetch_add(1, std::memory_order_relaxed)) < s.tasks;) {
      if (s.watch && s.watch->stop.load(std::memory_order_relaxed)) throw Stopped();
      s.body(task, worker);
      if (s.watch) s.watch->done.fetch_add(1, std::memory_order_relaxed);
    }
  };
  run_workers(std::min(workers, tasks), work, &shared);
}

// Calls body(begin, end) for the pieces of [0, count) that begin at multiples of `size`.
template <class Body> void for_each_piece(int64_t count, int64_t size, Body&& body) {
  for_each_task((count + size - 1) / size,
                [&](int64_t piece, int64_t) { body(piece * size, std::min(count, (piece + 1) * size)); });
}

}  // namespace rsmoe
