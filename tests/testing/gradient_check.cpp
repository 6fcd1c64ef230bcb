#include "dnn/testing/gradient_check.hpp"

#include "catch.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/math/arithmetic.hpp"

using namespace dnn;
using dnn::testing::check_backward;
using dnn::testing::check_double_backward;
using dnn::testing::CheckError;
using dnn::testing::numerical_grad;
using dnn::testing::random_array;

TEST_CASE("numerical_grad of a quadratic is exact", "[testing]") {
  const Array x = array({1.0, -2.0, 3.0}), y = array({0.5, 4.0, -1.0}), gy = array({1.0, 2.0, 0.25});
  const auto product = [](const Arrays& in) { return Arrays{(Variable(in[0]) * Variable(in[1])).array()}; };
  const Arrays g = numerical_grad(product, {x, y}, {gy});
  CHECK(allclose(g[0], array({0.5, 8.0, -0.25}), 1e-9, 1e-9));
  CHECK(allclose(g[1], array({1.0, -4.0, 0.75}), 1e-9, 1e-9));
  CHECK(g[0].dtype() == float64);
}

TEST_CASE("numerical_grad leaves integers out and counts undefined upstream gradients as zero", "[testing]") {
  const auto f = [](const Arrays& in) { return Arrays{in[0], in[1]}; };
  const Arrays g = numerical_grad(f, {array({1.0, 2.0}), array({3, 4})}, {Array{}, Array{}});
  CHECK(allclose(g[0], zeros({2}, float64)));
  CHECK_FALSE(g[1].defined());
  CHECK_THROWS_AS(numerical_grad(f, {array({1.0, 2.0}), array({3, 4})}, {array({1.0})}), CheckError);
}

TEST_CASE("check_backward accepts a right gradient and refuses a wrong one", "[testing]") {
  struct Half final : FunctionNode {
    std::string_view name() const override { return "Half"; }
    Arrays forward(std::span<const Array> x) override { return {x[0].copy()}; }
    Variables backward(const Variables& gy) override { return {gy[0] * 0.5}; }
  };
  const Array x = random_array({3, 4}, 1), gy = random_array({3, 4}, 2);
  check_backward([](const Variable& v) { return tanh(v); }, {x}, {gy});
  CHECK_THROWS_AS(check_backward([](const Variable& v) { return call(make_ref<Half>(), v); }, {x}, {gy}), CheckError);
  // Outputs without a gradient, integer inputs, several outputs.
  check_backward(
      [](const Variables& v) {
        return Variables{v[0] * v[1], v[0] + v[1], v[2]};
      },
      {x, random_array({4}, 3), array({1, 2})}, {gy, Array{}, Array{}});
  CHECK_THROWS_AS(check_backward([](const Variable& v) { return v + 1; }, {x}, {gy, gy}), CheckError);
  CHECK_THROWS_AS(check_backward([](const Variable& v) { return v + 1; }, {x}, {random_array({3}, 2)}), CheckError);
}

TEST_CASE("check_backward moves parameters and puts them back", "[testing]") {
  const Array x = random_array({2, 3}, 1), gy = random_array({2, 3}, 2);
  Variable w(random_array({3}, 3));
  const Array before = w.array().copy();
  check_backward([&](const Variable& v) { return v * tanh(w); }, {x}, {gy}, {.params = {w}});
  check_double_backward([&](const Variable& v) { return v * tanh(w); }, {x}, {gy},
                        {random_array({2, 3}, 4), random_array({3}, 5)}, {.params = {w}});
  CHECK(array_equal(w.array(), before));
}

TEST_CASE("check_backward converts to the dtype that is asked for", "[testing]") {
  const Array x = random_array({3, 4}, 1, -2, 2, DType::float16), gy = random_array({3, 4}, 2, -2, 2, DType::float16);
  check_backward([](const Variable& v) { return tanh(v); }, {x}, {gy}, {.dtype = float64});
}

TEST_CASE("check_double_backward tells a missing second derivative from a right one", "[testing]") {
  struct Square final : FunctionNode {
    bool forgets;
    explicit Square(bool f) : forgets(f) {}
    std::string_view name() const override { return "Square"; }
    Arrays forward(std::span<const Array> x) override {
      retain_inputs({0});
      const auto off = no_backprop_mode();
      return {(Variable(x[0]) * Variable(x[0])).array()};
    }
    Variables backward(const Variables& gy) override {
      return {gy[0] * 2 * (forgets ? Variable(retained_input_array(0)) : retained_input(0))};
    }
  };
  const Array x = random_array({5}, 1), gy = random_array({5}, 2), ggx = random_array({5}, 3);
  check_double_backward([](const Variable& v) { return call(make_ref<Square>(false), v); }, {x}, {gy}, {ggx});
  check_backward([](const Variable& v) { return call(make_ref<Square>(true), v); }, {x}, {gy});
  CHECK_THROWS_AS(
      check_double_backward([](const Variable& v) { return call(make_ref<Square>(true), v); }, {x}, {gy}, {ggx}),
      CheckError);
}
