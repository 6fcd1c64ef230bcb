// Functions of one's own, with their gradients, in one file.
//
// Two ways. An elementwise formula is a struct: its derivative is written once and serves the fused kernel and the
// second derivative alike. Anything else derives from FunctionNode.
#include <cstdio>

#include <dnn/dnn.hpp>
#include <dnn/testing.hpp>

using namespace dnn;

/// x * sigmoid(x), elementwise.
struct Silu {
  static constexpr std::string_view name = "Silu";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x) const {
    return x / (1 + exp(-x));
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    V s = 1 / (1 + exp(-x));
    return gy * s * (1 + x * (1 - s));
  }
};
Variable silu(const Variable& x) { return elementwise(Silu{}, x); }

/// The outer product of two vectors: y[i, j] = a[i] b[j].
struct Outer final : FunctionNode {
  std::string_view name() const override { return "Outer"; }

  void check(std::span<const Array> x) const override {
    DNN_EXPECT("outer", x[0].ndim() == 1);
    DNN_EXPECT("outer", x[1].ndim() == 1);
  }
  Arrays forward(std::span<const Array> x) override {
    retain_inputs({0, 1});
    return {matmul(x[0].reshape({-1, 1}), x[1].reshape({1, -1})).array()};
  }
  Variables backward(const Variables& gy) override {
    return {matmul(gy[0], retained_input(1)), matmul(retained_input(0), gy[0])};
  }
};
Variable outer(const Variable& a, const Variable& b) { return call(make_ref<Outer>(), a, b); }

int main() {
  const Variable a{array({1.0, -2.0, 0.5})}, b{array({3.0, 4.0})};
  const auto function = [](const Variable& x, const Variable& y) { return silu(outer(x, y)); };
  const Arrays inputs{a.array(), b.array()}, gradients{ones({3, 2}, float64)};
  testing::check_backward(function, inputs, gradients);
  testing::check_double_backward(function, inputs, gradients, inputs);

  sum(silu(outer(a, b))).backward();
  std::printf("the gradients agree with finite differences; d/da =");
  const Array gradient = a.grad();
  for (const double g : gradient.span<double>()) std::printf(" %.4f", g);
  std::printf("\n");
}
