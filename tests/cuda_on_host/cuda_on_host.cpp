// The fibers behind cuda_on_host.h.
#include "cuda_on_host.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "fiber.h"

namespace cuda_on_host {
namespace {

constexpr int kWarp = 32;
constexpr int kMostThreads = 1024;         // of a block
constexpr size_t kSharedLimit = 48 << 10;  // static shared memory of a block on every architecture
constexpr size_t kGap = 64;                // between two shared arrays, for AddressSanitizer
constexpr size_t kArena = 2 * kSharedLimit;

// What a fiber waits for. A meeting is over when its round differs from the one that the fiber waited in.
struct Meeting {
  uint64_t round = 0;
  int arrived = 0, line = 0;
  char order[2];  // what ThreadSanitizer knows the meeting by; two, as a late leaver may meet the next arrivals
};

struct Warp {
  Meeting meeting;
  uint64_t values[2][kWarp];
  unsigned ballots[2];
};

struct Thread {
  Fiber fiber;
  Indices indices;
  int number = 0;
  size_t shared_used = 0;
  Meeting* waits_for = nullptr;
  uint64_t waits_in = 0;
  bool done = false;

  CUDA_ON_HOST_UNSEEN_INLINE bool ready() const { return !done && (!waits_for || waits_for->round != waits_in); }
};

struct Block {
  // Plain arrays: what the functions of std::vector do would be seen by ThreadSanitizer.
  Thread threads[kMostThreads];
  Warp warps[kMostThreads / kWarp];
  int order[kMostThreads], place[kMostThreads];  // threads in the order of their turns, and the inverse
  Meeting barrier;
  int size = 0, alive = 0;
  size_t shared_size = 0;
  Thread* current = nullptr;
  Fiber launcher;
  const std::function<void()>* kernel = nullptr;
  unsigned char* arena = nullptr;
  char begin, end;  // what ThreadSanitizer knows the block's begin and end by
};

Block block;  // one at a time: a thread_local would cost a third of the run

[[noreturn]] void stop(const char* what, int line) {
  const Thread& t = *block.current;
  std::fprintf(stderr, "cuda_on_host: %s: line %d, block (%u, %u), thread %d\n", what, line, t.indices.block.x,
               t.indices.block.y, t.number);
  for (int i = 0; i < block.size; i += kWarp)
    if (const Thread& other = block.threads[i]; !other.done && other.waits_for)
      std::fprintf(stderr, "  thread %d waits at line %d\n", other.number, other.waits_for->line);
  std::abort();
}

CUDA_ON_HOST_UNSEEN void turn_to(Thread& next) {
  Thread* from = block.current;
  if (from == &next) return;
  block.current = &next;
  from->fiber.switch_to(next.fiber, from->done);
}

// Goes on with another thread of the warp if one can, else with any.
CUDA_ON_HOST_UNSEEN void next_turn(int line) {
  const int here = block.place[block.current->number], warp = here / kWarp * kWarp;
  for (int i = 1; i <= kWarp; ++i) {
    Thread& t = block.threads[block.order[warp + (here - warp + i) % kWarp]];
    if (t.ready()) return turn_to(t);
  }
  for (int i = 0; i < block.size; ++i) {
    Thread& t = block.threads[block.order[(warp + kWarp + i) % block.size]];
    if (t.ready()) return turn_to(t);
  }
  if (block.alive == 0) {
    Thread* last = block.current;
    block.current = nullptr;
    return last->fiber.switch_to(block.launcher, true);
  }
  stop("not every thread reaches this barrier or warp operation", line);
}

// Waits until `everyone` has arrived; returns the parity of the round.
CUDA_ON_HOST_UNSEEN int meet(Meeting& meeting, int everyone, int line, const char* divergence) {
  Thread& t = *block.current;
  const int parity = static_cast<int>(meeting.round & 1);
  order_release(&meeting.order[parity]);
  if (meeting.arrived && meeting.line != line) stop(divergence, line);
  meeting.line = line;
  if (++meeting.arrived == everyone) {
    meeting.arrived = 0;
    ++meeting.round;
  } else {
    t.waits_for = &meeting;
    t.waits_in = meeting.round;
    next_turn(line);
    t.waits_for = nullptr;
  }
  order_acquire(&meeting.order[parity]);
  return parity;
}

CUDA_ON_HOST_UNSEEN Warp& own_warp(unsigned mask, int line) {
  if (mask != 0xffffffffu) stop("a warp operation without all lanes", line);
  return block.warps[block.current->number / kWarp];
}

constexpr const char* kDivergentWarp = "lanes of a warp reach different warp operations";

CUDA_ON_HOST_UNSEEN void run_thread() {
  fiber_started();
  order_acquire(&block.begin);
  (*block.kernel)();
  order_release(&block.end);
  block.current->done = true;
  --block.alive;
  if (block.barrier.arrived) stop("a thread returns while others wait at a barrier", block.barrier.line);
  next_turn(0);
}

CUDA_ON_HOST_UNSEEN void begin_block(dim3 grid, dim3 size, unsigned number) {
  poison(block.arena, kArena, false);
  std::memset(block.arena, 0xff, kArena);  // NaN as float and double, -1 as an integer
  poison(block.arena, kArena, true);
  block.alive = block.size;
  block.barrier.arrived = 0;
  const dim3 where(number % grid.x, number / grid.x % grid.y, number / (grid.x * grid.y));
  for (int i = 0; i < block.size; ++i) {
    Thread& t = block.threads[i];
    const auto n = static_cast<unsigned>(i);
    t.indices = {{n % size.x, n / size.x % size.y, n / (size.x * size.y)}, where, size, grid};
    t.number = i;
    t.shared_used = 0;
    t.waits_for = nullptr;
    t.done = false;
    t.fiber.prepare(&run_thread, i);
  }
  for (Warp& w : block.warps) w.meeting.arrived = 0;
}

}  // namespace

CUDA_ON_HOST_UNSEEN const Indices& indices() { return block.current->indices; }
CUDA_ON_HOST_UNSEEN unsigned lane() { return static_cast<unsigned>(block.current->number % kWarp); }

CUDA_ON_HOST_UNSEEN void barrier(int line) {
  meet(block.barrier, block.size, line, "threads of a block wait at different barriers");
}

CUDA_ON_HOST_UNSEEN unsigned ballot(unsigned mask, bool predicate, int line) {
  Warp& warp = own_warp(mask, line);
  unsigned& votes = warp.ballots[warp.meeting.round & 1];
  if (!warp.meeting.arrived) votes = 0;
  votes |= static_cast<unsigned>(predicate) << lane();
  return warp.ballots[meet(warp.meeting, kWarp, line, kDivergentWarp)];
}

CUDA_ON_HOST_UNSEEN uint64_t exchange(unsigned mask, uint64_t value, unsigned from, int line) {
  Warp& warp = own_warp(mask, line);
  warp.values[warp.meeting.round & 1][lane()] = value;
  return warp.values[meet(warp.meeting, kWarp, line, kDivergentWarp)][from % kWarp];
}

CUDA_ON_HOST_UNSEEN void* shared(size_t bytes, size_t alignment, int line) {
  Thread& t = *block.current;
  const size_t at = (t.shared_used + alignment - 1) / alignment * alignment;
  t.shared_used = (at + bytes + kGap + 7) / 8 * 8;
  if (t.number == 0) block.shared_size += bytes;
  if (t.shared_used > kArena || bytes > kSharedLimit) stop("more than 48 KiB of shared memory", line);
  poison(block.arena + at, bytes, false);
  return block.arena + at;
}

namespace {

// What CUDA knows of the stream.
struct Stream {
  int guards = 0;
  bool capturing = false;
  std::vector<std::function<void()>> graph;
  int64_t waits = 0;

  void check(cudaStream_t stream, const char* what) const {
    const char* problem = stream != this ? "on another stream" : guards == 0 ? "without a device guard" : nullptr;
    if (!problem) return;
    std::fprintf(stderr, "cuda_on_host: %s %s\n", what, problem);
    std::abort();
  }
  void add(std::function<void()> work) {
    if (capturing) return graph.push_back(std::move(work));
    work();
  }
};
Stream the_stream;

void run(dim3 grid, dim3 size, const std::function<void()>& kernel) {
  block.size = static_cast<int>(size.x * size.y * size.z);
  const unsigned blocks = grid.x * grid.y * grid.z;
  if (block.size % kWarp || block.size > kMostThreads || block.size == 0 || blocks == 0) {
    std::fprintf(stderr, "cuda_on_host: a launch of %u blocks of %d threads\n", blocks, block.size);
    std::abort();
  }
  if (!block.arena) block.arena = static_cast<unsigned char*>(std::aligned_alloc(64, kArena));
  block.kernel = &kernel;
  const char* seed = std::getenv("CUDA_ON_HOST_SEED");
  std::mt19937 chance(seed ? static_cast<unsigned>(std::atoi(seed)) : 0);
  std::vector<unsigned> turns(blocks);
  for (unsigned i = 0; i < blocks; ++i) turns[i] = i;
  if (seed) std::shuffle(turns.begin(), turns.end(), chance);
  for (const unsigned number : turns) {
    for (int i = 0; i < block.size; ++i) block.order[i] = i;
    if (seed)
      for (int* warp = block.order; warp != block.order + block.size; warp += kWarp)
        std::shuffle(warp, warp + kWarp, chance);
    for (int i = 0; i < block.size; ++i) block.place[block.order[i]] = i;
    begin_block(grid, size, number);
    block.shared_size = 0;
    block.launcher.adopt();
    order_release(&block.begin);
    block.current = &block.threads[block.order[0]];
    block.launcher.switch_to(block.current->fiber, false);
    order_acquire(&block.end);
    if (block.shared_size > kSharedLimit) {
      std::fprintf(stderr, "cuda_on_host: %zu bytes of shared memory\n", block.shared_size);
      std::abort();
    }
  }
  poison(block.arena, kArena, false);
}

}  // namespace

void launch(dim3 grid, dim3 size, cudaStream_t stream, const std::function<void()>& kernel) {
  the_stream.check(stream, "a launch");
  the_stream.add([=] { run(grid, size, kernel); });
}

cudaStream_t stream() { return &the_stream; }
Guard::Guard() { ++the_stream.guards; }
Guard::~Guard() { --the_stream.guards; }

void begin_capture() {
  the_stream.graph.clear();
  the_stream.capturing = true;
}
void end_capture() { the_stream.capturing = false; }
void replay() {
  for (const auto& work : the_stream.graph) work();
}

}  // namespace cuda_on_host

using cuda_on_host::the_stream;

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  the_stream.check(stream, "waiting");
  if (the_stream.capturing) return cudaErrorStreamCaptureUnsupported;
  ++the_stream.waits;
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  the_stream.check(stream, "a question");
  *status = the_stream.capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, size_t size, cudaStream_t stream) {
  the_stream.check(stream, "clearing memory");
  the_stream.add([=] { std::memset(to, byte, size); });
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind, cudaStream_t stream) {
  the_stream.check(stream, "a copy");
  if (the_stream.capturing) return cudaErrorStreamCaptureUnsupported;  // it is between host and device
  std::memcpy(to, from, size);
  return cudaSuccess;
}

// For tests in Python.
extern "C" {
#define VISIBLE __attribute__((visibility("default")))
VISIBLE int64_t cuda_on_host_waits() { return the_stream.waits; }  // since the library was loaded
VISIBLE void cuda_on_host_capture(int on) { on ? cuda_on_host::begin_capture() : cuda_on_host::end_capture(); }
}
