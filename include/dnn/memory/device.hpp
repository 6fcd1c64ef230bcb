/// Devices: where an array lives. `cpu`, or `cuda:N` in the CUDA configurations.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"
#include "dnn/cuda/device.hpp"

namespace dnn::inline DNN_ABI {

struct Device {
  enum class Kind : std::uint8_t { cpu, cuda };

  Kind kind = Kind::cpu;
  std::int16_t index = 0;

  constexpr Device() noexcept = default;
  constexpr Device(Kind kind_, std::int16_t index_) noexcept : kind(kind_), index(index_) {}
  /// Reads `cpu`, `cuda` (which is `cuda:0`) or `cuda:N`: wherever a device is wanted, its name will do. Throws
  /// DeviceError for other names and for devices that this program or machine does not have.
  template <std::convertible_to<std::string_view> Text>
  Device(const Text& name) : Device(from_name(name)) {}

  friend bool operator==(Device, Device) = default;

#if !DNN_CUDA
  static constexpr std::string_view configuration = "cpu";
#elif defined(__CUDACC__)
  static constexpr std::string_view configuration = "cuda";
#else
  static constexpr std::string_view configuration = "emulated";
#endif

  friend std::string to_text(Device device) {
    return device.kind == Kind::cpu ? "cpu" : concat("cuda:", static_cast<int>(device.index));
  }
  template <class Traits>
  friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, Device device) {
    return out << to_text(device);
  }

 private:
  static Device from_name(std::string_view name) {
    if (name == "cpu") return {};
    constexpr std::string_view cuda = "cuda", numbered = "cuda:";
    int number = 0;
    if (name != cuda) {
      const char* const end = name.data() + name.size();
      const bool has_number = name.starts_with(numbered) && name.size() > numbered.size();
      const auto [stop, error] = std::from_chars(has_number ? name.data() + numbered.size() : end, end, number);
      if (error != std::errc{} || stop != end || number < 0) {
        throw DeviceError("[device] '", name, "' is not a device; write 'cpu' or 'cuda:N'");
      }
    }
#if DNN_CUDA
    if (number >= cu::device_count()) {
      throw DeviceError("[device] '", name, "': this machine has ", cu::devices_text());
    }
    return {Kind::cuda, static_cast<std::int16_t>(number)};
#else
    throw DeviceError("[device] '", name, "': this program was compiled in the ", configuration,
                      " configuration, which has only 'cpu'");
#endif
  }
};

namespace detail {
inline Device& current_device_slot() noexcept {
  static thread_local constinit Device device;
  return device;
}
}  // namespace detail

/// Where factories put new arrays, and where kernels run.
inline Device current_device() noexcept { return detail::current_device_slot(); }

/// Whether kernels run on a GPU, real or emulated.
#if DNN_CUDA
inline bool on_gpu() noexcept { return current_device().kind == Device::Kind::cuda; }
#else
constexpr bool on_gpu() noexcept { return false; }
#endif

/// Makes `device` current for a scope, in this thread. Throws DeviceError for a GPU that is not there.
class [[nodiscard]] UsingDevice {
 public:
  explicit UsingDevice(Device device) : previous_(detail::current_device_slot()) { enter(device); }
  UsingDevice(const UsingDevice&) = delete;
  UsingDevice& operator=(const UsingDevice&) = delete;
  ~UsingDevice() { leave(); }

 private:
#if DNN_CUDA
  // The runtime's own current device follows whenever it is another GPU.
  void enter(Device device) {
    if (device.kind == Device::Kind::cuda && device != previous_) {
      if (device.index >= cu::device_count()) throw DeviceError("[device] there is no ", device);
      runtime_previous_ = cu::current_device();
      cu::set_device(device.index);
    }
    detail::current_device_slot() = device;
  }
  void leave() noexcept {
    detail::current_device_slot() = previous_;
    if (runtime_previous_ >= 0) cudaSetDevice(runtime_previous_);
  }
  int runtime_previous_ = -1;
#else
  void enter(Device device) noexcept { detail::current_device_slot() = device; }
  void leave() noexcept { detail::current_device_slot() = previous_; }
#endif

  Device previous_;
};
inline UsingDevice using_device(Device device) { return UsingDevice(device); }

}  // namespace dnn::inline DNN_ABI
