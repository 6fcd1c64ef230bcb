#include "dnn/autograd/backward.hpp"

#include <cmath>
#include <span>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/testing/leak_scope.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using dnn::testing::expect_no_leak;
using dnn::testing::LeakScope;

namespace {

Variable leaf(double value) { return Variable(scalar(value), VariableOptions{}); }

/// Calls `body` in its backward.
template <class Body>
struct Hook final : FunctionNode {
  explicit Hook(Body b) : body(std::move(b)) {}
  std::string_view name() const override { return "Hook"; }
  Arrays forward(std::span<const Array> x) override { return {x[0].copy()}; }
  Variables backward(const Variables& gy) override { return body(gy); }
  Body body;
};
template <class Body>
Variable hook(const Variable& x, Body body) {
  return call(make_ref<Hook<Body>>(body), x);
}

}  // namespace

TEST_CASE("gradients accumulate in leaves", "[autograd]") {
  const Variable x = leaf(3);
  Variable y = x * x + x;
  y.backward();
  CHECK(x.grad().item() == 7);
  y.backward();
  CHECK(x.grad().item() == 14);
  Variable z = x * 2;
  z.backward();
  CHECK(x.grad().item() == 16);
  Variable(x).cleargrad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a gradient that somebody holds is not written to", "[autograd]") {
  const Variable x = leaf(3);
  (x * 2).backward();
  const Array held = x.grad();
  (x * 2).backward();
  CHECK(held.item() == 2);
  CHECK(x.grad().item() == 4);
  // Nor an upstream gradient that reaches two inputs.
  const Variable a(ones({2}, float64)), b(ones({2}, float64));
  const Array upstream = array({1.0, 2.0});
  Variable y = a + b + a;
  y.set_grad(Variable(upstream));
  y.backward();
  CHECK(array_equal(upstream, array({1.0, 2.0})));
  CHECK(array_equal(a.grad(), array({2.0, 4.0})));
  CHECK(array_equal(b.grad(), array({1.0, 2.0})));
}

TEST_CASE("intermediate gradients are dropped unless retained", "[autograd]") {
  const Variable x = leaf(0.5);
  const Variable h = tanh(x);
  Variable y = h * h;
  y.backward();
  CHECK_FALSE(h.grad().defined());
  CHECK_FALSE(y.grad().defined());
  y.backward({.retain_grad = true});
  CHECK(h.grad().item() == 2 * std::tanh(0.5));
  CHECK(y.grad().item() == 1);
}

TEST_CASE("backward starts from the variable's gradient, or from one element", "[autograd]") {
  const Variable x(array({1.0, 2.0}));
  Variable y = x * x;
  CHECK_THROWS_WITH(y.backward(), ContainsSubstring("(2,)") && ContainsSubstring("set_grad"));
  CHECK_FALSE(x.grad().defined());
  y.set_grad(array({1.0, 10.0}));
  y.backward();
  CHECK(array_equal(x.grad(), array({2.0, 40.0})));
  const Variable single(array({{3.0}}));
  (single * 2).backward();
  CHECK(single.grad().item() == 2);
}

TEST_CASE("set_grad wants the shape and dtype of the data", "[autograd]") {
  Variable x(ones({2, 3}));
  CHECK_THROWS_WITH(x.set_grad(ones({3, 2})), ContainsSubstring("[set_grad]") && ContainsSubstring("(3, 2) != (2, 3)"));
  CHECK_THROWS_WITH(x.set_grad(ones({2, 3}, float64)), ContainsSubstring("float64 != float32"));
  x.set_grad(ones({2, 3}));
  CHECK(x.grad().defined());
  x.set_grad(Variable{});
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("only what wants a gradient gets one", "[autograd]") {
  const Variable x(ones({2})), constant(ones({2}), {.requires_grad = false});
  const Array plain = ones({2});
  Variable y = x * constant + plain;
  CHECK(y.requires_grad());
  y.set_grad(ones({2}));
  y.backward();
  CHECK(x.grad().defined());
  CHECK_FALSE(constant.grad().defined());
  CHECK_FALSE((constant * plain).requires_grad());
  CHECK_FALSE((constant * plain).creator());
  CHECK_FALSE(Variable(arange(3)).requires_grad());
}

TEST_CASE("no_backprop_mode records nothing, and force_backprop_mode does again", "[autograd]") {
  const Variable x(ones({2}));
  const auto off = no_backprop_mode();
  const LeakScope scope;
  const Variable y = tanh(x) * 2;
  CHECK(scope.functions() == 0);
  CHECK_FALSE(y.creator());
  CHECK_FALSE(y.requires_grad());
  const auto on = force_backprop_mode();
  CHECK(tanh(x).creator());
}

TEST_CASE("grad gives derivatives of intermediates and leaves no gradient behind", "[autograd]") {
  const Variable x = leaf(0.5), w = leaf(2), unused = leaf(1);
  const Variable h = tanh(x), y = h * w;
  const Variables g = grad({y}, {x, h, w, unused, y});
  const double t = std::tanh(0.5);
  CHECK(g[0].item() == 2 * (1 - t * t));
  CHECK(g[1].item() == 2);
  CHECK(g[2].item() == t);
  CHECK_FALSE(g[3].defined());
  CHECK(g[4].item() == 1);
  for (const auto& v : {x, h, w, y}) {
    CHECK_FALSE(v.grad().defined());
    CHECK_FALSE(v.node()->pending.defined());
  }
  CHECK_FALSE(g[0].creator());
  // A leaf and what is computed from it, both asked for; several outputs; upstream gradients.
  const Variables two = grad({y, h}, {h, x}, {.grad_outputs = {Variable(scalar(10.0)), Variable{}}});
  CHECK(two[0].item() == 21);
  CHECK(two[1].item() == Approx(21 * (1 - t * t)));
  CHECK_THROWS_AS(grad({y}, {x}, {.grad_outputs = {Variable(scalar(1.0)), Variable(scalar(1.0))}}), ArgumentError);
}

TEST_CASE("grad runs only the functions on the way", "[autograd]") {
  const Variable x = leaf(1), other = leaf(2);
  int calls = 0;
  const Variable expensive = hook(other, [&](const Variables& gy) {
    ++calls;
    return gy;
  });
  const Variable y = x * 3 + expensive;
  CHECK(grad({y}, {x})[0].item() == 3);
  CHECK(calls == 0);
  CHECK(grad({y}, {other})[0].item() == 1);
  CHECK(calls == 1);
}

TEST_CASE("derivatives of derivatives, up to the fifth", "[autograd]") {
  const Variable x = leaf(0.3);
  Variable y = x * x * x * x * x;
  const double expected[] = {5 * std::pow(0.3, 4), 20 * std::pow(0.3, 3), 60 * 0.09, 120 * 0.3, 120};
  for (const double e : expected) {
    y = grad({y}, {x}, {.create_graph = true})[0];
    CHECK(y.item() == Approx(e));
  }
  CHECK_FALSE(grad({y}, {x})[0].defined());
  // The same through backward, whose gradients then have a graph of their own.
  const Variable u = leaf(0.7);
  Variable v = tanh(u);
  v.backward({.create_graph = true});
  Variable g = u.grad_variable();
  Variable(u).cleargrad();
  g.backward();
  const double t = std::tanh(0.7);
  CHECK(u.grad().item() == Approx(-2 * t * (1 - t * t)));
}

TEST_CASE("the third derivative of tanh", "[autograd]") {
  const Variable x = leaf(0.4);
  const double t = std::tanh(0.4);
  Variable y = tanh(x);
  for (int i = 0; i < 3; ++i) y = grad({y}, {x}, {.create_graph = true})[0];
  CHECK(y.item() == Approx((1 - t * t) * (6 * t * t - 2)));
}

TEST_CASE("a second derivative works after the intermediate variables are gone", "[autograd]") {
  const Variable x = leaf(0.4);
  // tanh keeps its output; the variable itself dies here.
  const Variable y = tanh(x) * 1;
  const Variable g = grad({y}, {x}, {.create_graph = true})[0];
  const double t = std::tanh(0.4);
  CHECK(grad({g}, {x})[0].item() == Approx(-2 * t * (1 - t * t)));
}

TEST_CASE("activations that nobody retains die at once", "[autograd]") {
  const auto host = using_device("cpu");  // where the bytes are counted
  const Variable x(ones({1000}));
  const LeakScope scope;
  Variable y = x + 1;
  for (int i = 0; i < 50; ++i) y = y + 1;  // keeps nothing
  CHECK(scope.functions() == 51);
  CHECK(scope.bytes() < 2 * 4200 + 1000);
  y = Variable{};
  y = tanh(x);
  for (int i = 0; i < 9; ++i) y = tanh(y);  // keeps its output
  CHECK(scope.bytes() > 10 * 4000);
}

TEST_CASE("unchain_backward cuts the whole history", "[autograd]") {
  const Variable x = leaf(0.5);
  const LeakScope scope;
  const Variable h = tanh(tanh(x));
  Variable y = h * x;
  Variable(h).unchain_backward();
  CHECK_FALSE(h.creator());
  y.backward();
  CHECK(x.grad().item() == Approx(std::tanh(std::tanh(0.5))));
  Variable(x).cleargrad();
  y.unchain_backward();
  CHECK(scope.functions() == 0);
  // unchain cuts one variable only.
  const Variable a = tanh(x), b = tanh(x);
  Variable c = a * b;
  Variable(a).unchain();
  c.backward();
  const double t = std::tanh(0.5);
  CHECK(x.grad().item() == Approx(t * (1 - t * t)));
}

// On the host: what is tested is the graph, and an emulated device needs minutes.
TEST_CASE("100,000 chained operations: forward, backward, second derivative, destruction", "[autograd]") {
  const auto host = using_device("cpu");
  expect_no_leak([] {
    const Variable x = leaf(1);
    Variable y = x;
    for (int i = 0; i < 100000; ++i) y = y * 1.00001;
    CHECK(y.rank() == 100000);
    y.backward();
    CHECK(x.grad().item() == Approx(std::pow(1.00001, 100000)));
    Variable(x).cleargrad();
    Variable z = x;
    for (int i = 0; i < 100000; ++i) z = -z;
    const Variable g = grad({z}, {x}, {.create_graph = true})[0];
    CHECK(g.item() == 1);
    z.unchain_backward();
  });
}

TEST_CASE("long chains die in any order of their ends", "[autograd]") {
  const auto host = using_device("cpu");
  expect_no_leak([] {
    Variable x = leaf(1), y = x;
    for (int i = 0; i < 100000; ++i) y = tanh(y);
    x = Variable{};
    Variable other = y * 2;
    y = Variable{};
    other = Variable{};
  });
}

TEST_CASE("an exception inside backward leaves no gradient under way", "[autograd]") {
  struct Oops {};
  const Variable x(array({1.0, 2.0}));
  bool fails = true;
  const Variable h = x * 2;
  const Variable bad = hook(h, [&](const Variables& gy) {
    if (fails) throw Oops{};
    return gy;
  });
  const Variable side = tanh(h);
  Variable y = (bad + side) * h;
  const LeakScope scope;
  for (int i = 0; i < 2; ++i) {
    y.set_grad(ones({2}, float64));
    CHECK_THROWS_AS(y.backward(), Oops);
    CHECK_THROWS_AS(grad({y}, {x}), Oops);
    CHECK_FALSE(x.grad().defined());
    CHECK_FALSE(h.node()->pending.defined());
    CHECK_FALSE(side.node()->pending.defined());
  }
  fails = false;
  y.set_grad(ones({2}, float64));
  y.backward();
  // The same as a graph in which nothing ever failed.
  const Variable u(array({1.0, 2.0}));
  const Variable k = u * 2;
  Variable v = (k + tanh(k)) * k;
  v.set_grad(ones({2}, float64));
  v.backward();
  CHECK(allclose(x.grad(), u.grad(), 1e-12, 0));
}

TEST_CASE("backward refuses gradients that do not fit", "[autograd]") {
  const Variable x(ones({2, 3}));
  const auto run = [&](Variables result) {
    Variable y = hook(x, [&](const Variables&) { return result; });
    y.set_grad(ones({2, 3}));
    y.backward();
  };
  CHECK_THROWS_WITH(run({Variable(ones({3}))}),
                    ContainsSubstring("[Hook]") && ContainsSubstring("(3,)") && ContainsSubstring("(2, 3)"));
  CHECK_THROWS_AS(run({Variable(ones({2, 3}, float64))}), GradientError);
  CHECK_THROWS_AS(run({}), GradientError);
  CHECK_THROWS_AS(run({Variable{}, Variable{}}), GradientError);
  CHECK_FALSE(x.grad().defined());
  CHECK_NOTHROW(run({Variable{}}));
}

TEST_CASE("several roots, the same one twice, a leaf as root", "[autograd]") {
  const Variable x = leaf(3), w = leaf(5);
  const Variable y = x * 2, z = y * x;
  backward(std::array{y, z, y});
  CHECK(x.grad().item() == 2 + 2 + 12);
  const std::array roots{w};
  backward(roots);
  CHECK(w.grad().item() == 1);
  CHECK_THROWS_AS(backward(std::array{y, z}, std::array{Variable(scalar(1.0))}), ArgumentError);
}

TEST_CASE("debug mode names the function that first produced a NaN", "[autograd]") {
  const Variable x(array({0.0, 1.0}), {.name = "/l1/W"});
  const auto debug = debug_mode();
  CHECK_THROWS_WITH(x / x, ContainsSubstring("[Div]") && ContainsSubstring("NaN") && ContainsSubstring("output") &&
                               ContainsSubstring("'/l1/W'"));
  Variable y = hook(x, [](const Variables& gy) { return Variables{Variable(full({2}, NAN, gy[0].dtype()))}; });
  y.set_grad(ones({2}, float64));
  CHECK_THROWS_WITH(y.backward(), ContainsSubstring("[Hook]") && ContainsSubstring("gradient of input 0 '/l1/W'"));
  CHECK_THROWS_AS(x / x, NonFiniteError);
}

TEST_CASE("gradients of 16-bit floats are 16-bit floats", "[autograd]") {
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    const Variable x(array({0.5, -1.0}).to(dtype));
    Variable y = tanh(x) * x;
    CHECK(y.dtype() == dtype);
    y.set_grad(ones({2}, dtype));
    y.backward();
    CHECK(x.grad().dtype() == dtype);
    const double t = std::tanh(0.5);
    CHECK(std::abs(x.grad().to(float64).to("cpu").at<double>(0) - (t + 0.5 * (1 - t * t))) < 0.02);
  }
}

TEST_CASE("threads differentiate graphs of their own over the same constants", "[autograd]") {
  const Variable shared = random::normal({50, 60});
  std::vector<std::thread> threads;
  std::vector<Array> results(4);
  for (auto& result : results) {
    threads.emplace_back([&, device = current_device()] {
      const auto here = using_device(device);
      const Variable x(ones({50, 60}));
      for (int i = 0; i < 20; ++i) {
        Variable y = tanh(x * shared) * x;
        y.set_grad(ones({50, 60}));
        y.backward();
      }
      result = x.grad();
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& result : results) CHECK(array_equal(result, results[0]));
}

TEST_CASE("the wanted inputs are known in backward", "[autograd]") {
  struct Spy final : FunctionNode {
    explicit Spy(std::vector<bool>& s) : seen(s) {}
    std::string_view name() const override { return "Spy"; }
    Arrays forward(std::span<const Array> x) override { return {x[0].copy()}; }
    Variables backward(const Variables& gy) override {
      seen = {wanted(0), wanted(1), wanted(2)};
      return {gy[0], gy[0], gy[0]};
    }
    std::vector<bool>& seen;
  };
  std::vector<bool> seen;
  const Variable a = leaf(1), b = leaf(2), constant = scalar(3.0);
  Variable y = call(make_ref<Spy>(seen), a, constant, b);
  y.backward();
  CHECK(seen == std::vector<bool>{true, false, true});
  grad({y}, {b});
  CHECK(seen == std::vector<bool>{false, false, true});
}

TEST_CASE("a gradient to start with fits its output", "[autograd]") {
  const Variable x(ones({2, 3}));
  const std::array outputs{tanh(x)};
  for (const Array& wrong : {ones({2}), ones({3, 2}), ones({4, 2, 3}), ones({2, 3}, float64), Array{}}) {
    const std::array start{Variable(wrong)};
    CHECK_THROWS_AS(backward(outputs, start), ArgumentError);
    CHECK_THROWS_AS(grad(outputs, std::array{x}, {.grad_outputs = {start[0]}}), ArgumentError);
    CHECK_THROWS_AS(backward(std::array{x}, start), ArgumentError);
  }
  CHECK_FALSE(x.grad().defined());
  // An undefined one is none: the output's own, which it has not.
  CHECK_THROWS_AS(backward(outputs, std::array{Variable{}}), GradientError);
  CHECK_THROWS_AS(Variable{}.backward(), ArgumentError);
  CHECK_THROWS_AS(grad({Variable{}}, {x}), ArgumentError);
  CHECK_THROWS_AS(grad({outputs[0]}, {Variable{}}), ArgumentError);
}

TEST_CASE("retain_grad under create_graph leaves no cycle through dropped variables", "[autograd]") {
  expect_no_leak([] {
    const Variable x = leaf(2);
    Variable z;
    {
      const Variable y = x * x;
      z = y * y;
    }
    z.backward({.create_graph = true, .retain_grad = true});
    CHECK(x.grad().item() == 32);
  });
}
