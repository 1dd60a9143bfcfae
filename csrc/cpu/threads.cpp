#include "../threads.h"

#include <bit>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>
#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

#include "../floating_point.h"
#include "../torch_abi.h"
#include "processors.h"

#if defined(__linux__)
// From the OpenMP that torch is linked with. It concerns the calling thread only.
extern "C" __attribute__((weak)) void omp_set_num_threads(int);
#endif

namespace rsmoe {
namespace {

// Time for which a waiting thread stays awake. The next step of a fit comes within a few microseconds, and waking a
// thread takes as long. A longer time would take the processor from other programs, a shorter one would delay steps.
constexpr std::chrono::microseconds kAwake{30};

// Whether this thread works for a job.
thread_local bool at_work = false;

// The watch of this thread; see threads.h.
thread_local Watch* the_watch = nullptr;

// Number of torch's threads before leave_torch_alone(true) in this thread; 0 if torch is not alone.
thread_local int64_t torch_alone = 0;

void pause() {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile("yield");
#endif
}

// Waits for a condition without sleeping, for kAwake at most; returns whether the condition holds.
template <class Condition> bool soon(Condition&& holds) {
  const auto end = std::chrono::steady_clock::now() + kAwake;
  do {
    for (int i = 0; i < 8; ++i) {
      if (holds()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// A job, on the stack of the thread that runs it. Everything but `work` and `context` is protected by the lock of the
// pool.
struct Job {
  void (*work)(void*, int64_t);
  void* context;
  int64_t workers;                  // at most
  int64_t joined = 1;               // workers that have joined so far, including the calling thread
  std::atomic<int64_t> helping{0};  // helpers that work for it now
  std::condition_variable left;     // notified when the last helper leaves
  std::exception_ptr error;         // the first that was thrown

  void run(int64_t worker, std::mutex& mutex) {
    try {
      work(context, worker);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }
};

class Pool {
 public:
  void run(Job& job) {
    begin(job);
    at_work = true;
    job.run(0, mutex_);
    at_work = false;
    end(job);
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  // Offers a job to the helpers, of which there are as many as the largest job so far may have.
  void begin(Job& job) {
    int64_t asleep;
    {
      const std::lock_guard lock(mutex_);
      while (helpers_ < job.workers - 1 && add_helper()) ++helpers_;
      jobs_.push_back(&job);
      jobs_offered_.fetch_add(1, std::memory_order_release);
      asleep = std::min(asleep_, job.workers - 1);
    }
    for (; asleep > 0; --asleep) offered_.notify_one();
  }

  // Takes the offer back and waits for the helpers that took it up.
  void end(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      std::erase(jobs_, &job);
    }
    const auto alone = [&] { return job.helping.load(std::memory_order_acquire) == 0; };
    soon(alone);
    std::unique_lock lock(mutex_);  // Always taken: the last helper lets go of the job before it releases the lock.
    job.left.wait(lock, alone);
  }

  bool add_helper() {
    try {
      [[maybe_unused]] const BlockedSignals blocked;
      std::thread([this] { help(); }).detach();
      return true;
    } catch (const std::system_error&) {
      return false;  // The system has no more threads, so the calling thread does the work.
    }
  }

  [[noreturn]] void help() {
    const FlushDenormals flush;
    at_work = true;
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto job = std::ranges::find_if(jobs_, [](const Job* j) { return j->joined < j->workers; });
      if (job != jobs_.end())
        help(**job, lock);
      else
        wait_for_offer(lock);
    }
  }

  void help(Job& job, std::unique_lock<std::mutex>& lock) {
    const int64_t worker = job.joined++;
    job.helping.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    job.run(worker, mutex_);
    lock.lock();
    if (job.helping.fetch_sub(1, std::memory_order_release) == 1) job.left.notify_one();
  }

  void wait_for_offer(std::unique_lock<std::mutex>& lock) {
    const int64_t before = jobs_offered_.load(std::memory_order_relaxed);
    const auto comes = [&] { return jobs_offered_.load(std::memory_order_acquire) != before; };
    lock.unlock();
    const bool came = soon(comes);
    lock.lock();
    if (came) return;
    ++asleep_;
    offered_.wait(lock, comes);
    --asleep_;
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

  std::mutex mutex_;
  std::condition_variable offered_;
  std::vector<Job*> jobs_;                // jobs that have begun and not ended
  std::atomic<int64_t> jobs_offered_{0};  // number of jobs so far
  int64_t helpers_ = 0, asleep_ = 0;
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
  if (at_work) return 1;
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
  if (workers <= 1 || at_work) return work(context, 0);
  Job job{work, context, workers, 1, 0, {}, nullptr};
  pool().run(job);
}

}  // namespace rsmoe
