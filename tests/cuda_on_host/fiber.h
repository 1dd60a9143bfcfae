// A fiber: a stack of its own and a switch to it, known to AddressSanitizer and ThreadSanitizer.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
// The scheduler itself is no part of what is checked.
#define CUDA_ON_HOST_UNSEEN __attribute__((no_sanitize_thread, noinline))
#define CUDA_ON_HOST_UNSEEN_INLINE __attribute__((no_sanitize_thread))
#else
#define CUDA_ON_HOST_UNSEEN __attribute__((noinline))
#define CUDA_ON_HOST_UNSEEN_INLINE
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cuda_on_host {

inline void order_release([[maybe_unused]] void* what) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(what);
#endif
}

inline void order_acquire([[maybe_unused]] void* what) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(what);
#endif
}

inline void poison([[maybe_unused]] void* memory, [[maybe_unused]] size_t size, [[maybe_unused]] bool forbidden) {
#if defined(__SANITIZE_ADDRESS__)
  forbidden ? __asan_poison_memory_region(memory, size) : __asan_unpoison_memory_region(memory, size);
#endif
}

// To be called first in a fiber's entry.
inline void fiber_started() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

#if defined(__x86_64__)
// Saves the registers that a call must keep, and the stack pointer to *save; takes those of `to`.
extern "C" void cuda_on_host_switch(void** save, void* to);
asm(R"(
.text
.globl cuda_on_host_switch
.type cuda_on_host_switch, @function
cuda_on_host_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size cuda_on_host_switch, .-cuda_on_host_switch
)");
#endif

class Fiber {
 public:
  // Makes it run entry(), which must never return, at the next switch. `number` staggers the stacks: frames at the same
  // offset of pages would all share the same cache lines.
  CUDA_ON_HOST_UNSEEN void prepare(void (*entry)(), int number) {
    if (!stack_) {
      stack_ = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (stack_ == MAP_FAILED) std::abort();
#if defined(__SANITIZE_THREAD__)
      thread_ = __tsan_create_fiber(0);
#endif
    }
    poison(stack_, kStack, false);  // the frames of the block before were never left
#if defined(__x86_64__)
    auto* top = reinterpret_cast<void**>(static_cast<char*>(stack_) + kStack - 64 - number % 61 * 320);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    pointer_ = top - 6;
#else
    (void)number;
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_;
    context_.uc_stack.ss_size = kStack;
    makecontext(&context_, entry, 0);
#endif
  }

  // Makes it stand for the thread that runs now.
  void adopt() {
#if defined(__SANITIZE_THREAD__)
    thread_ = __tsan_get_current_fiber();
#endif
  }

  // Goes on with the other; comes back when that one, or a third, switches here. `last`: it never will.
  CUDA_ON_HOST_UNSEEN void switch_to(Fiber& to, [[maybe_unused]] bool last) {
#if defined(__SANITIZE_ADDRESS__)
    void* kept = nullptr;
    __sanitizer_start_switch_fiber(last ? nullptr : &kept, to.stack_, to.stack_ ? kStack : 0);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(to.thread_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__x86_64__)
    cuda_on_host_switch(&pointer_, to.pointer_);
#else
    swapcontext(&context_, &to.context_);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(kept, nullptr, nullptr);
#endif
  }

 private:
  static constexpr size_t kStack = 64 << 10;
  void* stack_ = nullptr;
#if defined(__x86_64__)
  void* pointer_ = nullptr;
#else
  ucontext_t context_;
#endif
#if defined(__SANITIZE_THREAD__)
  void* thread_ = nullptr;
#endif
};

}  // namespace cuda_on_host
