#include "dnn/memory/device.hpp"

#include <optional>
#include <string>

#include "catch.hpp"

using namespace dnn;

TEST_CASE("devices have names", "[memory]") {
  CHECK(Device("cpu") == Device{});
  const std::string name = "cpu";
  const std::optional<Device> option = name;
  CHECK(option == "cpu");
  CHECK(to_text(Device{}) == "cpu");
  CHECK(to_text(Device{Device::Kind::cuda, 1}) == "cuda:1");
  CHECK_THROWS_WITH(Device("gpu"), Catch::Matchers::ContainsSubstring("'gpu' is not a device"));
  CHECK_THROWS_AS(Device(""), DeviceError);
  CHECK_THROWS_WITH(Device("cuda:99"), Catch::Matchers::ContainsSubstring(DNN_CUDA ? "devices" : "only 'cpu'"));
}

TEST_CASE("the current device lasts for a scope", "[memory]") {
  const Device before = current_device();
  {
    const auto scope = using_device(Device{Device::Kind::cuda, 0});
    CHECK(to_text(current_device()) == "cuda:0");
  }
  CHECK(current_device() == before);
}
