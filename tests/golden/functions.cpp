// chainer.functions: activation, mathematics, and the operators of Variable.
#include "dnn/functions/activation.hpp"
#include "dnn/functions/math.hpp"
#include "golden.hpp"

namespace golden {

namespace {

std::optional<int> axis_or_none(Args& a) {
  return a.has("axis") ? std::optional<int>(a.axis("axis")) : (a.constant("axis"), std::nullopt);
}
std::optional<double> limit(Args& a, const std::string& name) {
  return a.has(name) ? std::optional<double>(a.number(name)) : (a.constant(name), std::nullopt);
}
Results average_of(Args& a) {
  const Axes axis = a.axes("axis");
  const bool keepdims = a.flag("keepdims", false);
  const Variable weights = a.var_or_none("weights");
  return weights.defined() ? average(a.var("x"), axis, weights, keepdims) : average(a.var("x"), axis, keepdims);
}

/// `a op b` where either may be a number.
template <class Op>
Call binary(Op op) {
  return [op](Args& a) -> Results {
    if (!a.is_array("a")) return op(a.number("a"), a.var("b"));
    if (!a.is_array("b")) return op(a.var("a"), a.number("b"));
    return op(a.var("a"), a.var("b"));
  };
}

void bind_activation() {
  const auto f = [](const std::string& name, const std::string& signature, Call call) {
    bind_function("chainer.functions." + name, signature, std::move(call));
  };
  f("clipped_relu", "x, z", [](Args& a) { return clipped_relu(a.var("x"), a.number("z", 20)); });
  f("crelu", "x, axis", [](Args& a) { return crelu(a.var("x"), a.axis("axis", 1)); });
  f("elu", "x, alpha", [](Args& a) { return elu(a.var("x"), a.number("alpha", 1)); });
  f("hard_sigmoid", "x", [](Args& a) { return hard_sigmoid(a.var("x")); });
  f("leaky_relu", "x, slope", [](Args& a) { return leaky_relu(a.var("x"), a.number("slope", 0.2)); });
  f("log_softmax", "x, axis", [](Args& a) { return log_softmax(a.var("x"), a.axis("axis", 1)); });
  f("maxout", "x, pool_size, axis",
    [](Args& a) { return maxout(a.var("x"), a.integer("pool_size"), a.axis("axis", 1)); });
  f("prelu", "x, W", [](Args& a) { return prelu(a.var("x"), a.var("W")); });
  f("relu", "x", [](Args& a) { return relu(a.var("x")); });
  f("relu6", "x", [](Args& a) { return relu6(a.var("x")); });
  f("selu", "x, alpha, scale", [](Args& a) {
    return selu(a.var("x"), a.number("alpha", 1.6732632423543772848170429916717),
                a.number("scale", 1.0507009873554804934193349852946));
  });
  f("sigmoid", "x", [](Args& a) { return sigmoid(a.var("x")); });
  f("softmax", "x, axis", [](Args& a) { return softmax(a.var("x"), a.axis("axis", 1)); });
  f("softplus", "x, beta", [](Args& a) { return softplus(a.var("x"), a.number("beta", 1)); });
  f("swish", "x, beta", [](Args& a) { return swish(a.var("x"), a.var("beta")); });
  f("tanh", "x", [](Args& a) { return tanh(a.var("x")); });
}

void bind_math() {
  const auto f = [](const std::string& name, const std::string& signature, Call call) {
    bind_function("chainer.functions." + name, signature, std::move(call));
  };
  f("absolute", "x", [](Args& a) { return absolute(a.var("x")); });
  f("add", "*xs", [](Args& a) { return add(a.vars("xs")); });
  f("argmax", "x, axis", [](Args& a) { return argmax(a.var("x"), axis_or_none(a)); });
  f("argmin", "x, axis", [](Args& a) { return argmin(a.var("x"), axis_or_none(a)); });
  f("average", "x, axis, weights, keepdims", average_of);
  f("mean", "x, axis, weights, keepdims", average_of);
  f("bias", "x, y, axis", [](Args& a) { return bias(a.var("x"), a.var("y"), a.axis("axis", 1)); });
  f("clip", "x, x_min, x_max", [](Args& a) { return clip(a.var("x"), limit(a, "x_min"), limit(a, "x_max")); });
  f("cos", "x", [](Args& a) { return cos(a.var("x")); });
  f("exp", "x", [](Args& a) { return exp(a.var("x")); });
  f("expm1", "x", [](Args& a) { return expm1(a.var("x")); });
  f("identity", "*inputs", [](Args& a) { return identity(a.vars("inputs")); });
  f("linear_interpolate", "p, x, y", [](Args& a) { return linear_interpolate(a.var("p"), a.var("x"), a.var("y")); });
  f("log", "x", [](Args& a) { return log(a.var("x")); });
  f("log1p", "x", [](Args& a) { return log1p(a.var("x")); });
  f("logsumexp", "x, axis", [](Args& a) { return logsumexp(a.var("x"), a.axes("axis")); });
  f("matmul", "a, b, transa, transb", [](Args& a) {
    return matmul(a.var("a"), a.var("b"), {.transa = a.flag("transa", false), .transb = a.flag("transb", false)});
  });
  f("ceil", "x", [](Args& a) { return ceil(a.var("x")); });
  f("fix", "x", [](Args& a) { return fix(a.var("x")); });
  f("floor", "x", [](Args& a) { return floor(a.var("x")); });
  f("fmod", "x, divisor", [](Args& a) { return fmod(a.var("x"), a.var("divisor")); });
  f("cumsum", "x, axis",
    [](Args& a) { return a.has("axis") ? cumsum(a.var("x"), a.axis("axis", 0)) : cumsum(a.var("x")); });
  f("prod", "x, axis, keepdims", [](Args& a) { return prod(a.var("x"), a.axes("axis"), a.flag("keepdims", false)); });
  f("sign", "x", [](Args& a) { return sign(a.var("x")); });
  f("max", "x, axis, keepdims", [](Args& a) { return max(a.var("x"), a.axes("axis"), a.flag("keepdims", false)); });
  f("maximum", "x1, x2", [](Args& a) { return maximum(a.var("x1"), a.var("x2")); });
  f("min", "x, axis, keepdims", [](Args& a) { return min(a.var("x"), a.axes("axis"), a.flag("keepdims", false)); });
  f("minimum", "x1, x2", [](Args& a) { return minimum(a.var("x1"), a.var("x2")); });
  f("rsqrt", "x", [](Args& a) { return rsqrt(a.var("x")); });
  f("scale", "x, y, axis", [](Args& a) { return scale(a.var("x"), a.var("y"), a.axis("axis", 1)); });
  f("sin", "x", [](Args& a) { return sin(a.var("x")); });
  f("sqrt", "x", [](Args& a) { return sqrt(a.var("x")); });
  f("square", "x", [](Args& a) { return square(a.var("x")); });
  f("squared_difference", "x1, x2", [](Args& a) { return squared_difference(a.var("x1"), a.var("x2")); });
  f("sum", "x, axis, keepdims", [](Args& a) { return sum(a.var("x"), a.axes("axis"), a.flag("keepdims", false)); });
  f("sum_to", "x, shape", [](Args& a) { return sum_to(a.var("x"), a.shape("shape")); });
}

void bind_operators() {
  bind_function("op.add", "a, b", binary([](const auto& a, const auto& b) { return a + b; }));
  bind_function("op.sub", "a, b", binary([](const auto& a, const auto& b) { return a - b; }));
  bind_function("op.mul", "a, b", binary([](const auto& a, const auto& b) { return a * b; }));
  bind_function("op.truediv", "a, b", binary([](const auto& a, const auto& b) { return a / b; }));
  bind_function("op.pow", "a, b", binary([](const auto& a, const auto& b) { return pow(a, b); }));
  bind_function("op.neg", "a", [](Args& a) { return -a.var("a"); });
  bind_function("op.abs", "a", [](Args& a) { return abs(a.var("a")); });
  bind_function("op.matmul", "a, b", [](Args& a) { return matmul(a.var("a"), a.var("b")); });
}

}  // namespace

void bind_functions() {
  bind_activation();
  bind_math();
  bind_operators();
}

}  // namespace golden
