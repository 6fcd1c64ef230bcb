#include "dnn/core/config.hpp"

#include <thread>

#include "catch.hpp"

using namespace dnn;

TEST_CASE("modes last for their scope, also when it ends by an exception", "[core]") {
  CHECK(config().train);
  try {
    const auto test = using_train(false);
    const auto inference = no_backprop_mode();
    CHECK_FALSE(config().train);
    CHECK_FALSE(config().enable_backprop);
    {
      const auto again = force_backprop_mode();
      CHECK(config().enable_backprop);
    }
    CHECK_FALSE(config().enable_backprop);
    throw 1;
  } catch (int) {
  }
  CHECK(config().train);
  CHECK(config().enable_backprop);
  const auto dtype = using_dtype(float64);
  CHECK(config().dtype == float64);
}

TEST_CASE("modes belong to one thread", "[core]") {
  const auto test = using_train(false);
  bool other = false;
  std::thread([&] { other = config().train; }).join();
  CHECK(other);
}
