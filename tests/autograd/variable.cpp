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
  CHECK(p.array().at<float>(1, 1) == 3);
  p.array().fill(4);
  p.initialize({7});
  CHECK(p.shape() == Shape{2, 2});
  CHECK(p.array().at<float>(0, 0) == 4);
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
  CHECK(p.array().at<float>(0, 0) == 4);
  CHECK(shared.name() == "/l1/W");
}
