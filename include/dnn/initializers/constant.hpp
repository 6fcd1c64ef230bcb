/// Initializers without chance: Constant, Zero, One, NaN, Identity.
#pragma once

#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include "dnn/array/factories.hpp"
#include "dnn/core/error.hpp"
#include "dnn/functions/array/broadcast_to.hpp"

namespace dnn::inline DNN_ABI::initializers {

/// A number everywhere, or the elements of an array, which is broadcast. Throws ShapeError where it does not fit.
struct Constant {
  template <class T>
    requires(std::is_arithmetic_v<T>)
  Constant(T fill_value) : value_(full({}, static_cast<double>(fill_value), float64)) {}
  Constant(Array values) : value_(std::move(values)) {}

  void operator()(Array& array) const {
    if (value_.ndim() == 0) {
      array.fill(value_.item());
    } else {
      array.assign(broadcast_to(value_, array.shape()).array());
    }
  }

 private:
  Array value_;
};

struct Zero {
  void operator()(Array& array) const { array.fill(0); }
};
struct One {
  void operator()(Array& array) const { array.fill(1); }
};
/// For parameters that somebody must set before use.
struct NaN {
  void operator()(Array& array) const { array.fill(std::numeric_limits<double>::quiet_NaN()); }
};

/// `scale` on the diagonal, 0 elsewhere. Throws ShapeError unless the array is a square matrix.
struct Identity {
  double scale = 1;

  void operator()(Array& array) const {
    if (array.ndim() != 2 || array.shape()[0] != array.shape()[1]) {
      throw ShapeError("[Identity] a square matrix is wanted, not shape ", array.shape());
    }
    const UsingDevice host(Device{});
    Array values = zeros(array.shape(), float64);
    for (std::int64_t i = 0; i < array.shape()[0]; ++i) values.at<double>(i, i) = scale;
    array.assign(values);
  }
};

}  // namespace dnn::inline DNN_ABI::initializers
