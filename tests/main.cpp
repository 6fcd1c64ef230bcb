// The one main of all test programs; compiled once.
#define CATCH_CONFIG_RUNNER
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "catch.hpp"

#include <cstdlib>
#include <optional>

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

/// Every test case draws the same random numbers, whichever cases ran before it.
struct Seed : Listener {
  using Listener::Listener;
  void testCaseStarting(const Catch::TestCaseInfo&) override { dnn::seed(0); }
};

}  // namespace

CATCH_REGISTER_LISTENER(Seed)

// DNN_TEST_DEVICE=cuda:0 makes that the current device of all cases.
int main(int argc, char** argv) {
  std::optional<dnn::UsingDevice> device;
  if (const char* name = std::getenv("DNN_TEST_DEVICE")) device.emplace(dnn::Device::from_name(name));
  return Catch::Session().run(argc, argv);
}
