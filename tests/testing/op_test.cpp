#include "dnn/testing/op_test.hpp"

#include "catch.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/math/arithmetic.hpp"

using namespace dnn;
using dnn::testing::CheckError;
using dnn::testing::GraphFunction;
using dnn::testing::OpTest;

namespace {

// Elementwise ops with one thing wrong each.
struct Right {
  static constexpr std::string_view name = "Right";
  static constexpr Retain retain = Retain::inputs;
  template <class V>
  V forward(V x) const {
    return x * x * x;
  }
  template <int I, class V>
  V grad(V gy, V x, V) const {
    return gy * x * x * 3.0;
  }
};
struct WrongGradient : Right {
  template <int I, class V>
  V grad(V gy, V x, V) const {
    return gy * x * x * 2.9;
  }
};
/// The kernel is right, the graph is not: its gradient forgets that it depends on x.
struct Constant final : FunctionNode {
  std::string_view name() const override { return "Constant"; }
  Arrays forward(std::span<const Array> x) override {
    retain_inputs({0});
    const auto off = no_backprop_mode();
    return {(Variable(x[0]) * Variable(x[0])).array()};
  }
  Variables backward(const Variables& gy) override { return {gy[0] * Variable(retained_input_array(0)) * 2.0}; }
};

OpTest cube(GraphFunction op) {
  return {.name = "cube", .op = std::move(op), .reference = [](double x) { return x * x * x; }};
}

}  // namespace

TEST_CASE("op_test accepts right ops", "[testing]") {
  run(OpTest{.name = "tanh",
             .op = [](const Variable& x) { return tanh(x); },
             .reference = [](double x) { return std::tanh(x); }});
  run(cube([](const Variable& x) { return elementwise(Right{}, x); }));
  run(OpTest{.name = "mul",
             .op = [](const Variable& a, const Variable& b) { return a * b; },
             .reference = [](double a, double b) { return a * b; },
             .arity = 2});
}

TEST_CASE("op_test finds wrong values, gradients, and graphs", "[testing]") {
  CHECK_THROWS_AS(run(cube([](const Variable& x) { return x * x * x * 1.001; })), CheckError);
  CHECK_THROWS_AS(run(cube([](const Variable& x) { return elementwise(WrongGradient{}, x); })), CheckError);
  CHECK_THROWS_AS(run(OpTest{.name = "constant",
                             .op = [](const Variable& x) { return call(make_ref<Constant>(), x); },
                             .reference = [](double x) { return x * x; }}),
                  CheckError);
  // Infinity where the reference has a number.
  CHECK_THROWS_AS(run(OpTest{.name = "square",
                             .op = [](const Variable& x) { return x * x / x; },
                             .reference = [](double x) { return x; },
                             .low = 1}),
                  CheckError);
  // An op that writes to its input.
  CHECK_THROWS_AS(run(OpTest{.name = "overwrite",
                             .op =
                                 [](const Variable& x) {
                                   Variable y = x + 1;
                                   if (x.size() > 0) const_cast<Variable&>(x).array().fill(0);
                                   return y;
                                 },
                             .reference = [](double x) { return x + 1; }}),
                  CheckError);
}

TEST_CASE("op_test wants a reference, for every output", "[testing]") {
  CHECK_THROWS_AS(run(OpTest{.name = "anything", .op = [](const Variable& x) { return tanh(x); }}), ArgumentError);
  const auto pair = [](const Variables& x) { return Variables{tanh(x[0]), x[0] * 2}; };
  CHECK_THROWS_WITH(
      run(OpTest{.name = "pair", .op = GraphFunction(pair), .reference = [](double x) { return std::tanh(x); }}),
      Catch::Matchers::ContainsSubstring("2 outputs instead of 1"));
}
