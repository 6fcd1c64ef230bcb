// Formulas and graphs that the manifest describes in words, and the test tools themselves.
#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/functions.hpp"
#include "dnn/testing/gradient_check.hpp"
#include "golden.hpp"

namespace golden {

namespace {

void grad_api(Case& test) {
  const Variable x(test.array("x"), VariableOptions{}), W(test.array("W"), VariableOptions{});
  const Variable gy = test.array("gy"), gx_add = test.array("gx_add");
  {
    const Variable h = tanh(x), y = linear(h, W);
    const Variables g = grad({y}, {x, h, W}, {.grad_outputs = {gy}});
    test.expect("g_x", (g[0] + gx_add).array());  // grad_inputs are added to what is found
    test.expect("g_h", g[1].array());
    test.expect("g_W", g[2].array());
    test.expect("g_W_ones", grad({y}, {W})[0].array());
    for (const auto& v : {x, h, W, y}) {
      if (v.grad().defined()) test.fail("grad() left a gradient behind");
    }
  }
  const Variable h = tanh(x), y = linear(h, W);
  sum(square(y)).backward({.retain_grad = true});
  test.expect("bw_x", x.grad());
  test.expect("bw_h", h.grad());
  test.expect("bw_y", y.grad());
  test.expect("bw_W", W.grad());
  sum(linear(tanh(x), W)).backward();
  test.expect("acc_W", W.grad());
}

void numerical_grad(Case& test) {
  const auto f = [](const Arrays& in) {
    const auto off = no_backprop_mode();
    return Arrays{sum(tanh(Variable(in[0])) * Variable(in[1]), 1).array()};
  };
  const Arrays g = testing::numerical_grad(f, {test.array("x"), test.array("y")}, {test.array("gy")}, 1e-3);
  test.expect("g_x", g[0]);
  test.expect("g_y", g[1]);
}

}  // namespace

void bind_expressions() {
  bind_expression("diamond", "x", [](Args& a) {
    const Variable x = a.var("x");
    return sum(tanh(x) * x + pow(x, 2));
  });
  bind_expression("reuse_weight", "x, W, b", [](Args& a) {
    const Variable W = a.var("W"), b = a.var("b");
    return linear(tanh(linear(a.var("x"), W, b)), W, b);
  });
  bind_expression("mlp", "x, W1, b1, W2, b2", [](Args& a) {
    return linear(sigmoid(linear(a.var("x"), a.var("W1"), a.var("b1"))), a.var("W2"), a.var("b2"));
  });
  bind_expression("split_concat", "x", [](Args& a) {
    const Variables parts = split_axis(a.var("x"), 3, 1);
    return concat({exp(parts[0]), parts[2] * 2}, 1);
  });
  bind_expression("two_outputs", "x, y", [](Args& a) {
    const Variable x = a.var("x"), y = a.var("y");
    return std::vector<Variable>{sum(x * y, 1), exp(x - y)};
  });
  bind_expression("grad_penalty", "x, W", [](Args& a) { return sum(square(linear(tanh(a.var("x")), a.var("W"))), 1); });
  bind_expression("logistic", "x", [](Args& a) { return sum(log(1 + exp(-a.var("x")))); });
  bind_expression("softmax_matmul", "q, k, v", [](Args& a) {
    const Variable scores = matmul(a.var("q"), a.var("k"), {.transb = true}) * 0.5;
    return matmul(softmax(scores, 2), a.var("v"));
  });
  bind_expression("unchain", "x", [](Args& a) {
    const Variable x = a.var("x");
    Variable h = tanh(x);
    h.unchain_backward();
    return sum(h * x);
  });
  bind_runner("chainer.grad", grad_api);
  bind_runner("chainer.gradient_check.numerical_grad", numerical_grad);
}

}  // namespace golden
