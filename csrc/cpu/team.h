// Threads that share jobs: what the pool of helpers (threads.cpp) and the workers of a chain (chain.h) have in common.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace rsmoe::cpu {

// Time for which a waiting thread stays awake. The next step of a fit comes within a few microseconds, and waking a
// thread takes as long. A longer time would take the processor from other programs, a shorter one would delay steps.
constexpr std::chrono::microseconds kAwake{30};

inline void pause() {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile("yield");
#endif
}

// Waits for a condition without sleeping, for this time or kAwake at most; returns whether the condition holds.
template <class Condition> bool soon(Condition&& holds, std::chrono::nanoseconds most = kAwake) {
  const auto end = std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(most, kAwake);
  do {
    for (int i = 0; i < 8; ++i) {
      if (holds()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// A job, on the stack of the thread that runs it. Everything but `work` and `context` is protected by the lock of the
// team.
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

class Team {
 public:
  // Runs a job in the calling thread and in those that help meanwhile, and waits for all. It throws nothing.
  void run(Job& job) {
    begin(job);
    job.run(0, mutex_);
    end(job);
  }

  // Helps with jobs until the condition holds. Whoever makes it hold must call wake() then.
  template <class Condition> void help_until(Condition&& over) {
    std::unique_lock lock(mutex_);
    while (!over()) {
      const auto job = std::ranges::find_if(jobs_, [](const Job* j) { return j->joined < j->workers; });
      if (job != jobs_.end())
        help(**job, lock);
      else
        wait_for_offer(lock, over);
    }
  }

  // Lets the threads that sleep in help_until look at their conditions.
  void wake() {
    const std::lock_guard lock(mutex_);
    if (asleep_ > 0) offered_.notify_all();
  }

 protected:
  std::mutex mutex_;

 private:
  void begin(Job& job) {
    int64_t asleep;
    {
      const std::lock_guard lock(mutex_);
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

  void help(Job& job, std::unique_lock<std::mutex>& lock) {
    const int64_t worker = job.joined++;
    job.helping.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    job.run(worker, mutex_);
    lock.lock();
    if (job.helping.fetch_sub(1, std::memory_order_release) == 1) job.left.notify_one();
  }

  template <class Condition> void wait_for_offer(std::unique_lock<std::mutex>& lock, Condition&& over) {
    const int64_t before = jobs_offered_.load(std::memory_order_relaxed);
    const auto comes = [&] { return jobs_offered_.load(std::memory_order_acquire) != before || over(); };
    lock.unlock();
    const bool came = soon(comes);
    lock.lock();
    if (came) return;
    ++asleep_;
    offered_.wait(lock, comes);
    --asleep_;
  }

  std::condition_variable offered_;
  std::vector<Job*> jobs_;                // jobs that have begun and not ended
  std::atomic<int64_t> jobs_offered_{0};  // number of jobs so far
  int64_t asleep_ = 0;
};

// Until the end of the scope, the calling thread, which works for a job, may share work of its own with a team of
// `workers` threads, counting itself: worker_count() and run_workers() then concern that team.
class Leading {
 public:
  Leading(Team& team, int64_t workers);
  Leading(const Leading&) = delete;
  Leading& operator=(const Leading&) = delete;
  ~Leading();

 private:
  Team* team_before_;
  int64_t workers_before_;
};

}  // namespace rsmoe::cpu
