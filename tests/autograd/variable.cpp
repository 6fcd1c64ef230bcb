#include "dnn/autograd/variable.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/math/arithmetic.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a variable made explicitly wants a gradient, an array passed to a function does not", "[autograd]") {
  const Array data = ones({2});
  CHECK(Variable(data).requires_grad());
  CHECK_FALSE(Variable(data, {.requires_grad = false}).requires_grad());
  const auto wants = [](const Variable& v) { return v.requires_grad(); };
  CHECK_FALSE(wants(data));
  const Variable constant = data;
  CHECK_FALSE(constant.requires_grad());
  CHECK_FALSE(Variable{}.defined());
}

TEST_CASE("copies of a variable are the same variable", "[autograd]") {
  Variable x(ones({2}), {.name = "x"});
  Variable y = x;
  y.set_name("y");
  CHECK(x.name() == "y");
  y.set_array(zeros({2}));
  CHECK(array_equal(x.array(), zeros({2})));
  CHECK(Variable(ones({1})).name().empty());
}

TEST_CASE("what would change a temporary handle does not compile", "[autograd]") {
  STATIC_REQUIRE(std::is_assignable_v<Variable&, Variable>);
  STATIC_REQUIRE_FALSE(std::is_assignable_v<Variable, Variable>);
  STATIC_REQUIRE_FALSE(std::is_assignable_v<Array, Array>);
}

TEST_CASE("rank is the longest way from a leaf", "[autograd]") {
  const Variable x(ones({2}));
  CHECK(x.rank() == 0);
  const Variable y = tanh(x);
  CHECK(y.rank() == 1);
  CHECK((x + tanh(tanh(y))).rank() == 4);
  CHECK(y.creator()->name() == "Tanh");
  CHECK_FALSE(x.creator());
}

TEST_CASE("failed checks name function, operands and names", "[autograd]") {
  const Variable a(ones({2, 3}), {.name = "/predictor/l1/W"}), b(ones({2}));
  CHECK_THROWS_WITH(a + b, ContainsSubstring("(2, 3)") && ContainsSubstring("(2,)") && ContainsSubstring("float32") &&
                               ContainsSubstring("'/predictor/l1/W'"));
  CHECK_THROWS_AS(a + Variable(ones({2, 3}, float64)), DTypeError);
  CHECK_THROWS_WITH(tanh(Variable{}), ContainsSubstring("undefined"));
  CHECK_THROWS_AS(tanh(Variable(arange(3))), DTypeError);
}

TEST_CASE("a parameter takes its shape later", "[autograd]") {
  Parameter p([](Array& a) { a.fill(3); });
  CHECK_FALSE(p.is_initialized());
  p.set_name("/l1/W");
  p.initialize({2, 2});
  CHECK(p.is_initialized());
  CHECK(p.array().to("cpu").at<float>(1, 1) == 3);
  p.array().fill(4);
  p.initialize({7});
  CHECK(p.shape() == Shape{2, 2});
  CHECK(p.array().to("cpu").at<float>(0, 0) == 4);
  // It was named before it had a shape, and has a gradient all the same.
  Variable y = tanh(p) * 1;
  y.set_grad(ones({2, 2}));
  y.backward();
  CHECK(p.grad().shape() == Shape{2, 2});
  CHECK(p.name() == "/l1/W");

  const auto dtype = using_dtype(float64);
  Parameter q;
  q.initialize({1});
  CHECK(q.dtype() == float64);
  CHECK(q.item() != q.item());  // NaN without an initializer

  Parameter shared = p;
  CHECK(shared.grad().defined());
  shared.detach(zeros({2, 2}));
  CHECK_FALSE(shared.grad().defined());
  CHECK(p.array().to("cpu").at<float>(0, 0) == 4);
  CHECK(shared.name() == "/l1/W");
}

TEST_CASE("a parameter starts as a number or an array", "[autograd]") {
  CHECK(Parameter(0, {2}).array().to("cpu").at<float>(1) == 0);
  CHECK(Parameter(0.5, {2}).array().to("cpu").at<float>(1) == 0.5f);
  Parameter later(1);
  later.initialize({3});
  CHECK(array_equal(later.array(), ones({3})));
  const Array values = array({1., 2.});
  const Parameter copied(Initializer(values), {2});
  CHECK(array_equal(copied.array(), array({1.f, 2.f})));
  CHECK_FALSE(copied.array().shares_storage(values));
  CHECK_THROWS_AS(Parameter(Initializer(values), {3}), ShapeError);
}

TEST_CASE("unchain_backward makes leaves of all outputs of a function", "[autograd]") {
  struct Twice final : FunctionNode {
    std::string_view name() const override { return "Twice"; }
    Arrays forward(std::span<const Array> x) override { return {x[0].copy(), x[0].copy()}; }
    Variables backward(const Variables& gy) override { return {gy[0].defined() ? gy[0] : gy[1]}; }
  };
  const std::array x{Variable(ones({1}))};
  const auto function = make_ref<Twice>();
  const Variables both = function->apply(x);
  CHECK_THROWS_AS(function->apply(x), ArgumentError);
  Variable first = both[0] * 2, second = both[1] * 3;
  first.unchain_backward();
  CHECK(both[1].creator() == nullptr);
  second.backward();
  CHECK(both[1].grad().item() == 3);
  CHECK_FALSE(x[0].grad().defined());
}

TEST_CASE("a function names an input without data", "[autograd]") {
  const Parameter uninitialized;
  CHECK_THROWS_WITH(tanh(uninitialized), ContainsSubstring("[Tanh] an input is undefined (inputs: no array)"));
  CHECK_THROWS_AS(uninitialized + Variable(ones({2})), ArgumentError);
  CHECK_THROWS_AS(tanh(Variable(ones({2})).grad()), ArgumentError);
}

#if DNN_CUDA
TEST_CASE("operands on two devices are named", "[autograd]") {
  const Variable a(ones({2}).to("cuda:0"), {.name = "/l1/W"}), b(ones({2}).to("cpu"));
  CHECK_THROWS_AS(a + b, DeviceError);
  CHECK_THROWS_WITH(a + b, ContainsSubstring("'/l1/W'") && ContainsSubstring("cuda:0"));
}
#endif

TEST_CASE("an undefined variable is an error wherever its data is wanted", "[autograd]") {
  Variable none;
  CHECK_THROWS_WITH(none.item(), ContainsSubstring("[variable] undefined variable"));
  CHECK_THROWS_AS(none.array(), ArgumentError);
  CHECK_THROWS_AS(std::as_const(none).array(), ArgumentError);
  CHECK_THROWS_AS(none.shape(), ArgumentError);
  CHECK_THROWS_AS(none.ndim(), ArgumentError);
  CHECK_THROWS_AS(none.size(), ArgumentError);
  CHECK_THROWS_AS(none.length(), ArgumentError);
  CHECK_THROWS_AS(none.dtype(), ArgumentError);
  CHECK_THROWS_AS(none.device(), ArgumentError);
  CHECK_THROWS_AS(none.requires_grad(), ArgumentError);
  CHECK_THROWS_AS(none.grad(), ArgumentError);
  CHECK_THROWS_AS(none.set_grad(Variable(ones({}))), ArgumentError);
  CHECK_THROWS_AS(none.cleargrad(), ArgumentError);
  CHECK_THROWS_AS(none.set_array(ones({})), ArgumentError);
  CHECK_THROWS_AS(none.set_name("x"), ArgumentError);
  CHECK_THROWS_AS(none.creator(), ArgumentError);
  CHECK_THROWS_AS(none.rank(), ArgumentError);
  CHECK_THROWS_AS(none.node(), ArgumentError);
  CHECK_THROWS_AS(none.unchain(), ArgumentError);
  CHECK_THROWS_AS(none.unchain_backward(), ArgumentError);
  CHECK_THROWS_AS(none.backward(), ArgumentError);
  CHECK(none.name().empty());

  const Variable x(ones({}));
  CHECK_THROWS_WITH(x.grad().item(), ContainsSubstring("a gradient before backward()"));
  CHECK_THROWS_AS(x.grad_variable().item(), ArgumentError);

  dnn::Parameter p(ones({2}));
  const dnn::Parameter moved = std::move(p);
  CHECK_THROWS_AS(p.is_initialized(), ArgumentError);
  CHECK_THROWS_AS(dnn::Parameter{}.array().item(), ArgumentError);
}
