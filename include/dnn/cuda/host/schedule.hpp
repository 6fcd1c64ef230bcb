/// The order in which the emulator runs what CUDA leaves unordered: threads, warps, blocks, streams.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::cu::host {

struct Schedule {
  enum class Order : std::uint8_t { forward, reverse, random };

  Order order = Order::forward;
  std::uint64_t state = 1;  ///< of the random numbers

  /// Reads `forward`, `reverse` or `random:SEED`. Throws Error for anything else.
  static Schedule from_name(std::string_view name) {
    if (name == "forward") return {};
    if (name == "reverse") return {Order::reverse};
    constexpr std::string_view random = "random:";
    std::uint64_t seed = 0;
    if (name.starts_with(random)) {
      const char* end = name.data() + name.size();
      const auto [stop, error] = std::from_chars(name.data() + random.size(), end, seed);
      if (error == std::errc{} && stop == end) return {Order::random, seed * 2 + 1};
    }
    throw Error("[emulator] DNN_EMULATOR_SCHEDULE is '", name, "'; write forward, reverse or random:SEED");
  }

  /// A number below n: splitmix64.
  std::size_t below(std::size_t n) noexcept {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % n);
  }
};

/// The schedule of the process: `DNN_EMULATOR_SCHEDULE`, or forward.
inline Schedule& schedule() {
  static Schedule schedule = [] {
    const char* name = std::getenv("DNN_EMULATOR_SCHEDULE");
    return Schedule::from_name(name && *name ? name : "forward");
  }();
  return schedule;
}

/// Another schedule for a scope: what tests run a kernel under.
class [[nodiscard]] UsingSchedule {
 public:
  explicit UsingSchedule(std::string_view name) : previous_(std::exchange(schedule(), Schedule::from_name(name))) {}
  UsingSchedule(const UsingSchedule&) = delete;
  UsingSchedule& operator=(const UsingSchedule&) = delete;
  ~UsingSchedule() { schedule() = previous_; }

 private:
  Schedule previous_;
};

}  // namespace dnn::inline DNN_ABI::cu::host

#endif
