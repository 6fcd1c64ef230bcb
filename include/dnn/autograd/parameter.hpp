/// `Parameter`: a variable that an optimizer trains. Its data may come later, when the shape is known.
#pragma once

#include <concepts>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"

namespace dnn::inline DNN_ABI {

/// Fills an allocated array: `initializers::HeNormal{}` and the like, any function of the user's, a number, or the
/// elements of an array of that shape.
class Initializer : public std::function<void(Array&)> {
 public:
  using std::function<void(Array&)>::function;
  /// `0` too, which the function alone would take for a null pointer.
  template <class T>
    requires(std::is_arithmetic_v<T>)
  Initializer(T value) : function([value](Array& array) { array.fill(value); }) {}
  template <class A>
    requires(std::same_as<A, Array>)
  Initializer(A values) : function([values](Array& array) { array.assign(values); }) {}
};

namespace detail {
struct ParameterBody final : VariableBody {
  ParameterBody() { requires_grad = true; }

  Initializer initializer;
  bool update_enabled = true;
};
}  // namespace detail

/// Copies share data and gradient. Until `initialize` it has no array, and its gradient is undefined.
class Parameter : public Variable {
 public:
  /// Uninitialised; filled with NaN once its shape is known, as Chainer's `Parameter()`.
  Parameter() : Parameter(Initializer{}) {}
  /// Uninitialised; filled by `initializer` once its shape is known.
  explicit Parameter(Initializer initializer) : Variable(Ref<detail::VariableBody>(make_ref<detail::ParameterBody>())) {
    parameter_body().initializer = std::move(initializer);
    node();  // made now: threads that read the parameter must not make it at the same time
  }
  Parameter(Initializer initializer, const Shape& shape) : Parameter(std::move(initializer)) { initialize(shape); }
  /// Starts as the given array (not a copy).
  explicit Parameter(const Array& data) : Parameter() { set_array(data); }

  bool is_initialized() const { return array().defined(); }
  /// Allocates the data in `config().dtype` on the current device and fills it. Does nothing the second time.
  void initialize(const Shape& shape) {
    if (is_initialized()) return;
    Array data(shape, config().dtype);
    if (parameter_body().initializer) {
      parameter_body().initializer(data);
    } else {
      data.fill(std::numeric_limits<double>::quiet_NaN());
    }
    set_array(std::move(data));
  }
  const Initializer& initializer() const { return parameter_body().initializer; }

  /// False freezes the parameter: optimizers skip it.
  bool update_enabled() const { return parameter_body().update_enabled; }
  void set_update_enabled(bool enabled) { parameter_body().update_enabled = enabled; }

  /// Replaces the handle's target by a parameter of its own, with the same initializer, `data` and no gradient.
  void detach(Array data) {
    Parameter other(parameter_body().initializer);
    other.set_array(std::move(data));
    other.set_update_enabled(update_enabled());
    if (!name().empty() && other.is_initialized()) other.set_name(name());
    *this = other;
  }

 private:
  detail::ParameterBody& parameter_body() const { return static_cast<detail::ParameterBody&>(held()); }
};

}  // namespace dnn::inline DNN_ABI
