/// One struct describes an op; `run` checks everything that every op must satisfy:
///
///     run(OpTest{.name = "leaky_relu",
///                .op = [](const Variable& x) { return leaky_relu(x, 0.1); },
///                .reference = [](double x) { return x < 0 ? 0.1 * x : x; },
///                .kinks = {0}});
///
///     run(OpTest{.name = "softmax",
///                .op = [](const Variable& x) { return softmax(x); },
///                .composed = [](const Variable& x) { return exp(x) / broadcast_to(sum(exp(x), 1, true), x.shape()); },
///                .shapes = {{{3, 5}}, {{2, 7, 3}}, {{0, 4}}}});
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/testing/gradient_check.hpp"

namespace dnn::inline DNN_ABI::testing {

/// The value of an elementwise op at numbers: made from a callable of one to three doubles.
class ScalarReference {
 public:
  ScalarReference() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, ScalarReference>)
  ScalarReference(F f) {
    if constexpr (std::invocable<F&, double>) {
      function_ = [f](const double* x) { return static_cast<double>(f(x[0])); };
    } else if constexpr (std::invocable<F&, double, double>) {
      function_ = [f](const double* x) { return static_cast<double>(f(x[0], x[1])); };
    } else {
      function_ = [f](const double* x) { return static_cast<double>(f(x[0], x[1], x[2])); };
    }
  }
  explicit operator bool() const noexcept { return static_cast<bool>(function_); }
  double operator()(const double* x) const { return function_(x); }

 private:
  std::function<double(const double*)> function_;
};

struct OpTest {
  std::string name;
  GraphFunction op;
  /// The value, elementwise with broadcasting, in double. One of these three is needed.
  ScalarReference reference = {};
  /// The value from whole float64 arrays.
  std::function<Arrays(const Arrays&)> array_reference = {};
  /// The value as a formula of other differentiable functions: its gradients are compared too.
  GraphFunction composed = {};
  int arity = 1;
  /// Input shapes to try, one list for each case. Default: scalars, odd, empty and multi-axis shapes, and for several
  /// inputs all kinds of pairs that broadcast.
  std::vector<std::vector<Shape>> shapes = {};
  double low = -2, high = 2;       ///< range of the random inputs
  std::vector<double> kinks = {};  ///< where the derivative jumps: inputs keep a distance of 0.05
  /// Where values are compared in float32 and float64, every combination for several inputs; needs `reference`.
  /// Default: zeros, ones, infinities, NaN, very large and very small numbers. One number to switch it off: {1}.
  std::vector<double> specials = {};
  std::vector<DType> dtypes = {float32, float64, DType::float16, DType::bfloat16};
  bool differentiable = true;
  bool twice_differentiable = true;
  double tolerance = 1;  ///< factor on the tolerances
};

namespace detail {

inline std::vector<std::vector<Shape>> default_shapes(int arity) {
  if (arity == 1)
    return {{{}}, {{1}}, {{7}}, {{0}}, {{2, 0, 3}}, {{3, 5}}, {{2, 3, 4}}, {{33, 17}}, {{2, 1, 2, 1, 3, 1, 2, 2}}};
  std::vector<std::vector<Shape>> out = {
      {{}, {}},         {{5}, {}},        {{}, {2, 3}},           {{33, 17}, {33, 17}}, {{3, 4}, {4}},
      {{4}, {3, 4}},    {{3, 1}, {1, 4}}, {{2, 1, 3}, {4, 1}},    {{2, 3, 4}, {3, 1}},  {{0}, {1}},
      {{0, 3}, {1, 3}}, {{2, 0, 3}, {1}}, {{5, 1, 70}, {1, 3, 1}}};
  for (auto& shapes : out) {
    while (static_cast<int>(shapes.size()) < arity) shapes.push_back(shapes[shapes.size() - 2]);
  }
  return out;
}

inline std::vector<double> default_specials() {
  constexpr double inf = std::numeric_limits<double>::infinity();
  return {0.0,
          -0.0,
          1,
          -1,
          0.5,
          -3,
          20,
          -20,
          100,
          -100,
          1e-6,
          -1e-6,
          1e30,
          -1e30,
          inf,
          -inf,
          std::numeric_limits<double>::quiet_NaN()};
}

/// The elements of float64 `x` broadcast to `shape`, by index arithmetic spelled out.
inline std::vector<double> broadcast_values(const Array& x, const Shape& shape) {
  std::vector<double> out(static_cast<std::size_t>(shape.size()));
  const auto strides = strides_of(x.shape());
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i), offset = 0;
    for (int axis = shape.ndim() - 1; axis >= 0; --axis) {
      const auto index = rest % shape[axis];
      rest /= shape[axis];
      const int own = axis - (shape.ndim() - x.ndim());
      if (own >= 0 && x.shape()[own] != 1) offset += index * strides[static_cast<std::size_t>(own)];
    }
    out[i] = x.data<double>()[offset];
  }
  return out;
}

class OpTestRunner {
 public:
  explicit OpTestRunner(const OpTest& test) : test_(test) {}

  void run() {
    if (!test_.reference && !test_.array_reference && !test_.composed) {
      throw ArgumentError("[op_test] ", test_.name,
                          ": a reference is needed: .reference, .array_reference or .composed");
    }
    const auto shapes = test_.shapes.empty() ? default_shapes(test_.arity) : test_.shapes;
    for (const auto& list : shapes) {
      for (const DType dtype : test_.dtypes) {
        where_ = concat(test_.name, ", ", dtype);
        for (const auto& shape : list) where_ += concat(" ", shape);
        in_context([&] { check_values(list, dtype); });
        if (test_.differentiable) in_context([&] { check_gradients(list, dtype); });
      }
      where_ = concat(test_.name, ", finite differences");
      for (const auto& shape : list) where_ += concat(" ", shape);
      if (test_.differentiable) in_context([&] { check_numerically(list); });
    }
    if (test_.reference) {
      for (const DType dtype : {float32, float64}) {
        where_ = concat(test_.name, ", special values, ", dtype);
        in_context([&] { check_specials(dtype); });
      }
    }
  }

 private:
  template <class Body>
  void in_context(Body body) const {
    try {
      body();
    } catch (const Error& error) {
      throw CheckError("[op_test] ", where_, ": ", std::string_view(error.what()));
    }
  }

  /// Numbers that are exact in `dtype`, in float64, away from the kinks.
  Arrays inputs(const std::vector<Shape>& shapes, DType dtype) const {
    Arrays out;
    std::uint64_t seed = 1;
    for (const auto& shape : shapes) {
      Array x = random_array(shape, seed++, test_.low, test_.high).to(Device{});
      for (auto& v : x.span<double>()) {
        for (const double kink : test_.kinks) {
          if (std::abs(v - kink) < 0.05) v = kink + (v < kink ? -0.05 : 0.05);
        }
      }
      out.push_back(x.to(dtype).to(float64));
    }
    return out;
  }
  Variables variables(const Arrays& x, DType dtype) const {
    Variables out;
    // copy(): an op that overwrites its input is found by the next comparison.
    for (const auto& a : x) out.emplace_back(a.to(dtype).copy().to(current_device()), VariableOptions{});
    return out;
  }
  Arrays upstream(const Variables& ys) const {
    Arrays out;
    std::uint64_t seed = 101;
    for (const auto& y : ys)
      out.push_back(is_float(y.dtype()) ? random_array(y.shape(), seed++, -1, 1, y.dtype()) : Array{});
    return out;
  }

  double rtol(DType dtype) const {
    const double base = dtype == float64 ? 1e-10 : dtype == float32 ? 2e-5 : dtype == DType::float16 ? 4e-3 : 3e-2;
    return base * test_.tolerance;
  }

  Arrays expected(const Arrays& x) const {
    if (test_.array_reference) {
      const UsingDevice host(Device{});
      return test_.array_reference(x);
    }
    if (test_.composed) {
      const auto off = no_backprop_mode();
      return arrays_of(test_.composed(variables(x, float64)));
    }
    Shape shape = x[0].shape();
    for (const auto& a : x) shape = broadcast_shapes(shape, a.shape(), "op_test");
    std::vector<std::vector<double>> values;
    for (const auto& a : x) values.push_back(broadcast_values(a, shape));
    Array y(shape, float64, Device{});
    std::vector<double> arguments(x.size());
    for (std::int64_t i = 0; i < y.size(); ++i) {
      for (std::size_t k = 0; k < x.size(); ++k) arguments[k] = values[k][static_cast<std::size_t>(i)];
      y.data<double>()[i] = test_.reference(arguments.data());
    }
    return {y};
  }

  void check_values(const std::vector<Shape>& shapes, DType dtype) const {
    const Arrays x = inputs(shapes, dtype);
    const Variables in = variables(x, dtype);
    const Variables ys = test_.op(in);
    for (std::size_t k = 0; k < x.size(); ++k)
      expect_close("input after the call", in[k].array(), x[k].to(dtype), 0, 0);
    const Arrays want = expected(x);
    expect_as_many(ys.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      const DType out = is_float(ys[i].dtype()) ? dtype : ys[i].dtype();
      expect_close("value", ys[i].array(), want[i].to(out), rtol(dtype), rtol(dtype));
    }
    const auto off = no_backprop_mode();
    const Variables again = test_.op(variables(x, dtype));
    expect_as_many(again.size(), ys.size());
    for (std::size_t i = 0; i < ys.size(); ++i) {
      expect_close("value without backprop", again[i].array(), ys[i].array(), rtol(dtype), rtol(dtype));
    }
  }

  /// Gradients in `mode`, at inputs of `dtype` that have the values `x`.
  Arrays gradients(const GraphFunction& f, const Arrays& x, DType dtype, const Arrays& gys, bool create_graph) const {
    const Variables in = variables(x, dtype);
    const Variables ys = f(in);
    Variables outputs, seeds;
    for (std::size_t i = 0; i < ys.size(); ++i) {
      if (!gys[i].defined()) continue;
      outputs.push_back(ys[i]);
      seeds.push_back(Variable(gys[i].to(ys[i].dtype())));
    }
    backward({outputs.data(), outputs.size()}, {seeds.data(), seeds.size()}, {.create_graph = create_graph});
    Arrays out;
    for (const auto& v : in) out.push_back(v.grad());
    return out;
  }

  void check_gradients(const std::vector<Shape>& shapes, DType dtype) const {
    const Arrays x = inputs(shapes, dtype);
    const Arrays gys = upstream(test_.op(variables(x, dtype)));
    const Arrays fused = gradients(test_.op, x, dtype, gys, false);
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (fused[k].defined() && (fused[k].shape() != x[k].shape() || fused[k].dtype() != dtype)) {
        throw CheckError("[gradient] is ", fused[k], " for an input ", dtype, " ", x[k].shape());
      }
    }
    const auto compare = [&](std::string_view what, const Arrays& others, double tolerance) {
      for (std::size_t k = 0; k < x.size(); ++k) {
        const auto zero = [&](const Array& g) { return g.defined() ? g.to(dtype) : zeros(x[k].shape(), dtype); };
        expect_close(what, zero(fused[k]), zero(others[k]), tolerance, tolerance);
      }
    };
    // The sums of broadcast gradients add to the rounding error.
    const double loose = 4 * rtol(dtype);
    if (test_.twice_differentiable) {
      compare("gradient by kernel and by graph", gradients(test_.op, x, dtype, gys, true), loose);
    }
    if (dtype != float64) compare("gradient here and in float64", gradients(test_.op, x, float64, gys, false), loose);
    if (test_.composed)
      compare("gradient of the op and of the formula", gradients(test_.composed, x, dtype, gys, false), loose);
  }

  void check_numerically(const std::vector<Shape>& shapes) const {
    const Arrays x = arrays_of(variables(inputs(shapes, float64), float64));
    const Arrays gys = upstream(test_.op(variables(x, float64)));
    const CheckOptions options{.rtol = 1e-4 * test_.tolerance, .atol = 1e-5 * test_.tolerance};
    check_backward(test_.op, x, gys, options);
    if (!test_.twice_differentiable) return;
    Arrays ggx;
    std::uint64_t seed = 201;
    for (const auto& a : x) ggx.push_back(random_array(a.shape(), seed++, -1, 1));
    check_double_backward(test_.op, x, gys, ggx, options);
  }

  void check_specials(DType dtype) const {
    const auto values = test_.specials.empty() ? default_specials() : test_.specials;
    std::size_t count = 1;
    for (int k = 0; k < test_.arity; ++k) count *= values.size();
    Arrays x;
    for (int k = 0; k < test_.arity; ++k) x.emplace_back(Shape{static_cast<std::int64_t>(count)}, float64, Device{});
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t rest = i;
      for (auto& a : x) {
        a.data<double>()[i] = values[rest % values.size()];
        rest /= values.size();
      }
    }
    for (auto& a : x) a = a.to(dtype).to(float64);
    const Variables ys = test_.op(variables(x, dtype));
    const Arrays want = expected(x);
    expect_as_many(ys.size(), want.size());
    std::string difference;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const DType out = is_float(ys[i].dtype()) ? dtype : ys[i].dtype();
      if (!allclose(ys[i].array(), want[i].to(out), rtol(dtype), dtype == float32 ? 1e-37 : 1e-300, &difference))
        throw CheckError("[value] ", difference);
    }
  }

  static void expect_as_many(std::size_t outputs, std::size_t wanted) {
    if (outputs != wanted) throw CheckError("[value] ", outputs, " outputs instead of ", wanted);
  }

  const OpTest& test_;
  std::string where_;
};

}  // namespace detail

/// Runs all checks of `test`: values against the reference in every dtype and shape, with and without backprop;
/// gradients of kernels against those of the graph (create_graph), of other dtypes against float64, against the
/// composed formula, against finite differences, first and second; special values. Throws CheckError saying which, and
/// ArgumentError for a test without a reference.
inline void run(const OpTest& test) { detail::OpTestRunner(test).run(); }

}  // namespace dnn::inline DNN_ABI::testing
