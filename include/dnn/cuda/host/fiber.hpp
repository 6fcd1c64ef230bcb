/// Stacks that CUDA threads run on: switching between them is a dozen instructions.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if DNN_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace dnn::inline DNN_ABI::cu::host {

#if defined(__x86_64__)
// What the System V ABI asks a function to preserve is pushed on the stack that is left and popped from the new one.
/// Saves the stack pointer in *save and goes on where `load` was saved.
[[gnu::naked, gnu::noinline]] inline void switch_stack([[maybe_unused]] void** save, [[maybe_unused]] void* load) {
  asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}
/// Goes on where `load` was saved, and forgets where it was.
[[gnu::naked, gnu::noinline]] inline void load_stack([[maybe_unused]] void* load) {
  asm("movq %rdi, %rsp\n popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}
#endif

/// A stack with a function that runs on it, interrupted. One thread of the system uses a group of fibers at a time.
class Fiber {
 public:
#if DNN_ADDRESS_SANITIZER
  static constexpr std::size_t stack_bytes = 256 * 1024;
#else
  static constexpr std::size_t stack_bytes = 64 * 1024;
#endif
  static constexpr std::size_t guard_bytes = 4096;

  /// `entry` never returns: it suspends.
  explicit Fiber(void (*entry)()) : entry_(entry) {
    void* memory = ::mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stack_ = static_cast<std::byte*>(memory);
    ::mprotect(stack_, guard_bytes, PROT_NONE);
    reset();
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber() { ::munmap(stack_, guard_bytes + stack_bytes); }

  /// Back to the start of `entry`; what ran is abandoned without running destructors.
  void reset() {
#if DNN_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(stack_ + guard_bytes, stack_bytes);
    fake_ = nullptr;
#endif
#if defined(__x86_64__)
    auto* words = reinterpret_cast<void**>(top());
    words[-1] = nullptr;  // where entry would return to
    words[-2] = reinterpret_cast<void*>(entry_);
    for (int i = 3; i <= 8; ++i) words[-i] = nullptr;
    context_ = words - 8;
#else
    ::getcontext(&context_);
    context_.uc_stack.ss_sp = stack_ + guard_bytes;
    context_.uc_stack.ss_size = stack_bytes;
    context_.uc_link = nullptr;
    ::makecontext(&context_, entry_, 0);
#endif
  }

  bool owns(const void* address) const noexcept {
    return address >= stack_ && address < stack_ + guard_bytes + stack_bytes;
  }
  bool guards(const void* address) const noexcept { return address >= stack_ && address < stack_ + guard_bytes; }

  /// Runs the fiber until it suspends.
  void resume() {
    auto& home = home_slot();
    home.running = this;
#if DNN_ADDRESS_SANITIZER
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, stack_ + guard_bytes, stack_bytes);
#endif
#if defined(__x86_64__)
    switch_stack(&home.context, context_);
#else
    ::swapcontext(&home.context, &context_);
#endif
#if DNN_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }
  /// Called on the fiber: back to whoever resumed it. Returns when it is resumed.
  void suspend() {
    auto& home = home_slot();
    leave(&fake_);
#if defined(__x86_64__)
    switch_stack(&context_, home.context);
#else
    ::swapcontext(&context_, &home.context);
#endif
    arrived(fake_);
  }
  /// Called first thing by the entry function.
  static void begin() { arrived(nullptr); }
  /// Called on a fiber: back to whoever resumed it, for good.
  [[noreturn]] static void abandon() {
    leave(nullptr);
#if defined(__x86_64__)
    load_stack(home_slot().context);
#else
    ::setcontext(&home_slot().context);
#endif
    __builtin_unreachable();
  }
#if defined(__x86_64__)
  /// For a signal handler that makes the interrupted fiber abandon its work: the function to go on with, and the top of
  /// the fiber's stack, of which there may be nothing left. The handler's own frames may lie on the sanitizer's fake
  /// stack of the fiber, so it does not leave the fiber itself.
  static std::pair<void (*)(), void*> way_home() noexcept { return {&abandon, home_slot().running->top() - 8}; }
#endif

 private:
#if defined(__x86_64__)
  using Context = void*;
#else
  using Context = ucontext_t;
#endif
  struct Home {
    Context context{};
    Fiber* running = nullptr;
    const void* stack = nullptr;
    std::size_t bytes = 0;
  };
  std::byte* top() const noexcept { return stack_ + guard_bytes + stack_bytes; }

  /// Where the fibers of this thread were resumed from.
  static Home& home_slot() noexcept {
    static thread_local constinit Home home;
    return home;
  }
  static void leave([[maybe_unused]] void** fake) noexcept {
#if DNN_ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(fake, home_slot().stack, home_slot().bytes);
#endif
  }
  static void arrived([[maybe_unused]] void* fake) noexcept {
#if DNN_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fake, &home_slot().stack, &home_slot().bytes);
#endif
  }

  void (*entry_)();
  std::byte* stack_ = nullptr;
  Context context_{};
  void* fake_ = nullptr;
};

}  // namespace dnn::inline DNN_ABI::cu::host

#endif
