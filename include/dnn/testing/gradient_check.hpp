/// Comparing gradients with finite differences: numerical_grad, check_backward, check_double_backward.
///
///     check_backward([](const Variable& x, const Variable& W) { return matmul(x, W); }, {x, W}, {gy});
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/testing/check_error.hpp"
#include "dnn/testing/graph_function.hpp"

namespace dnn::inline DNN_ABI::testing {

namespace detail {

/// sum(a * b) in double; 0 where one of them is undefined.
inline double dot(const Array& a, const Array& b) {
  if (!a.defined() || !b.defined()) return 0;
  if (a.shape() != b.shape())
    throw CheckError("[gradient_check] shapes ", a.shape(), " and ", b.shape(), " must agree");
  const Array x = a.to(Device{}).to(float64), y = b.to(Device{}).to(float64);
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) sum += x.data<double>()[i] * y.data<double>()[i];
  return sum;
}

inline double dot(const Arrays& a, const Arrays& b) {
  if (a.size() != b.size()) {
    throw CheckError("[gradient_check] the function has ", a.size(), " outputs, ", b.size(), " gradients are given");
  }
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += dot(a[i], b[i]);
  return sum;
}

inline Arrays arrays_of(const Variables& variables) {
  Arrays out;
  for (const auto& v : variables) out.push_back(v.defined() ? v.array() : Array{});
  return out;
}

}  // namespace detail

/// The gradient of sum_i sum(f(inputs)[i] * grad_outputs[i]) with respect to every element of the float inputs, by the
/// two-point rule (f(x + eps) - f(x - eps)) / (2 eps); undefined for the other inputs. An undefined grad_output is
/// zero.
inline Arrays numerical_grad(const std::function<Arrays(const Arrays&)>& f, const Arrays& inputs,
                             const Arrays& grad_outputs, double eps = 1e-3) {
  Arrays gradients;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!is_float(inputs[k].dtype())) {
      gradients.emplace_back();
      continue;
    }
    const Array original = inputs[k].to(Device{}).to(float64);
    Array gradient(original.shape(), float64, Device{});
    for (std::int64_t i = 0; i < original.size(); ++i) {
      const auto at = [&](double step) {
        Arrays moved = inputs;
        Array x = original.copy();
        x.data<double>()[i] += step;
        moved[k] = x.to(inputs[k].dtype()).to(inputs[k].device());
        Arrays y;
        for (const auto& array : f(moved)) {
          // A copy: the differences are taken in place.
          y.push_back(array.defined() ? array.to(Device{}).to(float64).copy() : array);
        }
        return y;
      };
      Arrays high = at(eps);
      const Arrays low = at(-eps);
      for (std::size_t j = 0; j < high.size(); ++j) {
        if (!high[j].defined()) continue;
        for (std::int64_t e = 0; e < high[j].size(); ++e) high[j].data<double>()[e] -= low[j].data<double>()[e];
      }
      gradient.data<double>()[i] = detail::dot(high, grad_outputs) / (2 * eps);
    }
    gradients.push_back(gradient.to(inputs[k].dtype()).to(inputs[k].device()));
  }
  return gradients;
}

struct CheckOptions {
  double eps = 1e-3;
  double rtol = 1e-4;
  double atol = 1e-5;
  Variables params = {};                      ///< further variables (parameters of a link) that the function reads
  std::optional<DType> dtype = std::nullopt;  ///< float inputs and gradients are converted to it first; params are not
  std::uint64_t seed = 0;                     ///< of the random direction
};

/// Checks `backward` of `function` at `inputs`: along a random direction of unit length, the derivative that the
/// gradients promise must agree with the one that finite differences find. Integer inputs are constants; a gradient
/// that is undefined counts as zero. `grad_outputs`: one for each output, undefined for zero. Throws CheckError.
inline void check_backward(const GraphFunction& function, const Arrays& inputs, const Arrays& grad_outputs,
                           const CheckOptions& options = {}) {
  const auto converted = [&](const Array& a) {
    return options.dtype && a.defined() && is_float(a.dtype()) ? a.to(*options.dtype) : a;
  };
  Arrays xs, gys;
  for (const auto& x : inputs) xs.push_back(converted(x));
  for (const auto& gy : grad_outputs) gys.push_back(converted(gy));

  Variables variables;
  for (const auto& x : xs) variables.emplace_back(x, VariableOptions{});
  const Variables ys = function(variables);
  if (ys.size() != gys.size()) {
    throw CheckError("[check_backward] the function has ", ys.size(), " outputs, ", gys.size(), " gradients are given");
  }
  Variables outputs, seeds;
  for (std::size_t i = 0; i < ys.size(); ++i) {
    if (!gys[i].defined() || !ys[i].defined()) continue;
    if (gys[i].shape() != ys[i].shape() || gys[i].dtype() != ys[i].dtype()) {
      throw CheckError("[check_backward] output ", i, " is ", ys[i].array(), ", its gradient ", gys[i]);
    }
    outputs.push_back(ys[i]);
    seeds.push_back(Variable(gys[i]));
  }
  Variables all = variables;
  for (const auto& p : options.params) all.push_back(p);
  const Variables gradients = grad({outputs.data(), outputs.size()}, {all.data(), all.size()}, {.grad_outputs = seeds});

  Arrays directions;
  double norm = 0;
  for (std::size_t k = 0; k < all.size(); ++k) {
    Array d;
    if (is_float(all[k].dtype())) {
      d = random_array(all[k].shape(), options.seed * 1000 + k + 1, -1, 1).to(Device{});
      norm += detail::dot(d, d);
    }
    directions.push_back(d);
  }
  if (norm == 0) return;  // nothing but empty arrays and integers
  norm = std::sqrt(norm);
  double promised = 0;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (!directions[k].defined()) continue;
    for (auto& d : directions[k].span<double>()) d /= norm;
    if (gradients[k].defined()) promised += detail::dot(gradients[k].array(), directions[k]);
  }

  const auto moved = [&](std::size_t k, double step) {
    const Array& origin = all[k].array();
    if (!directions[k].defined()) return origin;
    Array x = origin.to(Device{}).to(float64).copy();
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.data<double>()[i] += step * std::as_const(directions[k]).data<double>()[i];
    return x.to(origin.dtype()).to(origin.device());
  };
  const auto along = [&](const Arrays& step) {
    const double delta = step[0].item();
    Variables at;
    // Functions may differentiate inside (second derivatives), so these too want gradients.
    for (std::size_t k = 0; k < variables.size(); ++k) at.emplace_back(moved(k, delta), VariableOptions{});
    Arrays originals;
    for (std::size_t k = variables.size(); k < all.size(); ++k) {
      originals.push_back(all[k].array());
      all[k].set_array(moved(k, delta));
    }
    const auto restore = [&] {
      for (std::size_t k = 0; k < originals.size(); ++k) all[variables.size() + k].set_array(originals[k]);
    };
    try {
      Arrays result = detail::arrays_of(function(at));
      restore();
      return result;
    } catch (...) {
      restore();
      throw;
    }
  };
  const double found = numerical_grad(along, {scalar(0.0)}, gys, options.eps)[0].item();
  if (!(std::abs(promised - found) <= options.atol + options.rtol * std::abs(found))) {
    std::string text =
        concat("[check_backward] along a random direction the gradients give ", promised, ", finite differences ",
               found, " (eps ", options.eps, ", rtol ", options.rtol, ", atol ", options.atol, "); inputs:");
    for (const auto& v : all) text += concat(" ", v.array());
    throw CheckError(text);
  }
}

/// The same for the second derivative: checks backward of (inputs, grad_outputs) -> gradients of the inputs and params,
/// with `grad_grad_inputs` (one for each input, then for each param; undefined for zero) as upstream gradients.
inline void check_double_backward(const GraphFunction& function, const Arrays& inputs, const Arrays& grad_outputs,
                                  const Arrays& grad_grad_inputs, const CheckOptions& options = {}) {
  const std::size_t n = inputs.size();
  const GraphFunction first_order = [&](const Variables& xs_gys) {
    Variables xs(xs_gys.begin(), xs_gys.begin() + n), gys(xs_gys.begin() + n, xs_gys.end());
    const Variables ys = function(xs);
    for (const auto& p : options.params) xs.push_back(p);
    Variables outputs, seeds;
    for (std::size_t i = 0; i < ys.size(); ++i) {
      if (!grad_outputs[i].defined()) continue;
      outputs.push_back(ys[i]);
      seeds.push_back(gys[i]);
    }
    return grad({outputs.data(), outputs.size()}, {xs.data(), xs.size()},
                {.grad_outputs = seeds, .create_graph = true});
  };
  Arrays all = inputs;
  for (const auto& gy : grad_outputs)
    all.push_back(gy.defined() ? gy : Array({0}, float64));  // a place that nobody reads
  check_backward(first_order, all, grad_grad_inputs, options);
}

}  // namespace dnn::inline DNN_ABI::testing
