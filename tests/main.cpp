// The one main of all test programs; compiled once.
#define CATCH_CONFIG_RUNNER
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "catch.hpp"

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "dnn/core/random.hpp"
#include "dnn/memory/device.hpp"

// Under AddressSanitizer too, an allocation that cannot be is an error that is thrown, as the tests expect.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

/// Every test case draws the same random numbers, whichever cases ran before it. What concerns the host alone, cases
/// with the tag [host] and the CPU's kernels, does not take part in DNN_TEST_DEVICE.
struct Setting : Listener {
  using Listener::Listener;
  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    dnn::seed(0);
    const std::string_view file = info.lineInfo.file;
    const bool of_cpu = file.find("tests/kernels/") != file.npos && file.find("/gpu/") == file.npos;
    if (of_cpu || info.tagsAsString().find("[host]") != std::string::npos) host_.emplace(dnn::Device{});
  }
  void testCaseEnded(const Catch::TestCaseStats&) override { host_.reset(); }

 private:
  std::optional<dnn::UsingDevice> host_;
};

}  // namespace

CATCH_REGISTER_LISTENER(Setting)

// DNN_TEST_DEVICE=cuda:0 makes that the current device of all cases.
int main(int argc, char** argv) {
  std::optional<dnn::UsingDevice> device;
  if (const char* name = std::getenv("DNN_TEST_DEVICE"); name && *name) device.emplace(name);
  return Catch::Session().run(argc, argv);
}
