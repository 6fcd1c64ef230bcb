/// Devices: where an array lives. `cpu`, or `cuda:N` in the CUDA configurations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI {

struct Device {
  enum class Kind : std::uint8_t { cpu, cuda };

  Kind kind = Kind::cpu;
  std::int16_t index = 0;

  /// Reads `cpu`, `cuda` or `cuda:N`. Throws DeviceError for other names and for devices this build does not have.
  static Device from_name(std::string_view name) {
    if (name == "cpu") return {};
    if (name.starts_with("cuda")) {
      throw DeviceError("[device] '", name, "': this program was compiled in the ", configuration,
                        " configuration, which has only 'cpu'");
    }
    throw DeviceError("[device] '", name, "' is not a device; write 'cpu' or 'cuda:N'");
  }

  friend bool operator==(Device, Device) = default;

  static constexpr std::string_view configuration = "cpu";
};

inline std::string to_text(Device device) {
  return device.kind == Device::Kind::cpu ? "cpu" : concat("cuda:", static_cast<int>(device.index));
}

namespace detail {
inline Device& current_device_slot() noexcept {
  static thread_local constinit Device device;
  return device;
}
}  // namespace detail

/// Where factories put new arrays.
inline Device current_device() noexcept { return detail::current_device_slot(); }

/// Makes `device` current for a scope, in this thread.
class [[nodiscard]] UsingDevice {
 public:
  explicit UsingDevice(Device device) : previous_(std::exchange(detail::current_device_slot(), device)) {}
  UsingDevice(const UsingDevice&) = delete;
  UsingDevice& operator=(const UsingDevice&) = delete;
  ~UsingDevice() { detail::current_device_slot() = previous_; }

 private:
  Device previous_;
};
inline UsingDevice using_device(Device device) { return UsingDevice(device); }
inline UsingDevice using_device(std::string_view name) { return UsingDevice(Device::from_name(name)); }

}  // namespace dnn::inline DNN_ABI
