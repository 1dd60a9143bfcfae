#include "../threads.h"

#include <bit>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

#include "../floating_point.h"
#include "../torch_abi.h"
#include "processors.h"
#include "team.h"

#if defined(__linux__)
// From the OpenMP that torch is linked with. It concerns the calling thread only.
extern "C" __attribute__((weak)) void omp_set_num_threads(int);
#endif

namespace rsmoe {
namespace {

using cpu::Job;
using cpu::Team;

// Whether this thread works for a job, and the team that it may share work with nevertheless; see Leading.
thread_local bool at_work = false;
thread_local Team* led_team = nullptr;
thread_local int64_t led_workers = 1;

// The watch of this thread; see threads.h.
thread_local Watch* the_watch = nullptr;

// Number of torch's threads before leave_torch_alone(true) in this thread; 0 if torch is not alone.
thread_local int64_t torch_alone = 0;

// Marks the calling thread as one that works for a job, and restores what it was.
class AtWork {
 public:
  AtWork() : before_(at_work), team_(led_team), workers_(led_workers) {
    at_work = true;
    led_team = nullptr;
    led_workers = 1;
  }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
  ~AtWork() {
    at_work = before_;
    led_team = team_;
    led_workers = workers_;
  }

 private:
  bool before_;
  Team* team_;
  int64_t workers_;
};

// A team with helpers of its own, of which there are as many as the largest job so far may have.
class Pool : public Team {
 public:
  void provide(int64_t helpers) {
    const std::lock_guard lock(mutex_);
    while (helpers_ < helpers && add_helper()) ++helpers_;
  }

 private:
  bool add_helper() {
    try {
      [[maybe_unused]] const BlockedSignals blocked;
      std::thread([this] {
        const FlushDenormals flush;
        const AtWork work;
        help_until([] { return false; });
      }).detach();
      return true;
    } catch (const std::system_error&) {
      return false;  // The system has no more threads, so the calling thread does the work.
    }
  }

  // Signals are for the threads of the program: Python waits for them in its main thread.
  class BlockedSignals {
#if !defined(_WIN32)
   public:
    BlockedSignals() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

   private:
    sigset_t before_;
#endif
  };

  int64_t helpers_ = 0;
};

std::atomic<Pool*> the_pool{nullptr};

// The pool of this process. It is never destroyed, as its helpers may be in it until the process ends; a child process
// has no helpers, and begins with a pool of its own.
Pool& pool() {
#if !defined(_WIN32)
  static const int registered = pthread_atfork(nullptr, nullptr, [] { the_pool = nullptr; });
  (void)registered;
#endif
  if (Pool* existing = the_pool.load(std::memory_order_acquire)) return *existing;
  auto* fresh = new Pool;
  Pool* other = nullptr;
  if (the_pool.compare_exchange_strong(other, fresh)) return *fresh;
  delete fresh;
  return *other;
}

}  // namespace

int64_t worker_count() {
  if (at_work) return led_workers;
  const int64_t torch_threads = torch_abi::num_threads();
  return std::min(torch_alone && torch_threads == 1 ? torch_alone : torch_threads, cpu::processors());
}

bool leave_torch_alone(bool alone) {
  const bool before = torch_alone != 0;
#if defined(__linux__)
  if (alone == before || !omp_set_num_threads) return before;
  const int64_t now = torch_abi::num_threads();
  if (alone) {
    torch_alone = now;
    omp_set_num_threads(1);
  } else {
    if (now == 1) omp_set_num_threads(static_cast<int>(torch_alone));
    torch_alone = 0;
  }
#else
  (void)alone;
#endif
  return before;
}

int64_t watch(int64_t address) {
  const auto before = reinterpret_cast<int64_t>(the_watch);
  the_watch = std::bit_cast<Watch*>(address);
  return before;
}

Watch* current_watch() { return the_watch; }

void run_workers(int64_t workers, void (*work)(void*, int64_t), void* context) {
  const FlushDenormals flush;
  if (workers <= 1 || (at_work && !led_team)) return work(context, 0);
  Job job{work, context, workers, 1, 0, {}, nullptr};
  Team* team = led_team;
  if (!team) {
    pool().provide(workers - 1);
    team = &pool();
  }
  {
    const AtWork now;
    team->run(job);
  }
  if (job.error) std::rethrow_exception(job.error);
}

namespace cpu {

Leading::Leading(Team& team, int64_t workers) : team_before_(led_team), workers_before_(led_workers) {
  led_team = &team;
  led_workers = workers;
}

Leading::~Leading() {
  led_team = team_before_;
  led_workers = workers_before_;
}

}  // namespace cpu
}  // namespace rsmoe
