#include "dnn/testing/leak_scope.hpp"

#include "catch.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/math/arithmetic.hpp"

using namespace dnn;
using dnn::testing::CheckError;
using dnn::testing::expect_no_leak;
using dnn::testing::LeakScope;

TEST_CASE("leak scope sees graphs and arrays that are left", "[testing]") {
  Variable x(ones({3}));
  Variable kept;
  LeakScope scope;
  CHECK_NOTHROW(scope.check());
  kept = tanh(x) * 2;
  CHECK(scope.functions() == 2);
  CHECK(scope.bytes() > 0);
  CHECK_THROWS_AS(scope.check(), CheckError);
  kept = Variable{};
  CHECK_NOTHROW(scope.check());
  Array a;
  CHECK_THROWS_AS(expect_no_leak([&] { a = ones({1000}); }), CheckError);
}

TEST_CASE("a training loop frees its graphs", "[testing]") {
  Variable w(ones({4}));
  const auto iteration = [&] {
    w.cleargrad();
    const Variable y = tanh(w * 0.5) * w;
    y.grad_variable();
    backward(std::span(&y, 1), std::span<const Variable>(std::array{Variable(ones({4}))}));
    const auto off = no_backprop_mode();
    w.set_array((w - 0.1 * Variable(w.grad())).array());
  };
  iteration();
  LeakScope scope;
  for (int i = 0; i < 20; ++i) iteration();
  scope.check();
}

TEST_CASE("second derivatives free their graphs", "[testing]") {
  Variable x(array({0.3, -0.7}));
  expect_no_leak([&] {
    const Variables g = grad({tanh(x)}, {x}, {.create_graph = true});
    const Variables gg = grad({g[0]}, {x}, {.create_graph = true});
    CHECK(gg[0].defined());
  });
  // Through backward the gradient itself holds a graph that leads back to x: cleargrad breaks the circle.
  LeakScope scope;
  {
    const Variable y = tanh(x);
    backward(std::span(&y, 1), std::span<const Variable>(std::array{Variable(ones({2}, float64))}),
             {.create_graph = true});
  }
  x.cleargrad();
  scope.check();
}
