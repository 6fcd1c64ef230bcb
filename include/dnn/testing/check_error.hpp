/// The error of the test tools, and inputs for them.
#pragma once

#include <cmath>
#include <string_view>

#include "dnn/array/array.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/random.hpp"

namespace dnn::inline DNN_ABI::testing {

/// A check that failed: the text says what was compared and both values.
struct CheckError : Error {
  using Error::Error;
};

/// Uniform numbers in [low, high): a function of `seed` and shape alone, whatever the default generator did before.
inline Array random_array(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2,
                          DType dtype = float64) {
  Array out(shape, float64, Device{});
  const RandomStream stream{seed, 0};
  double* p = out.data<double>();
  for (std::int64_t i = 0; i < out.size(); ++i)
    p[i] = low + (high - low) * stream.uniform_double(static_cast<std::uint64_t>(i));
  return out.to(dtype).to(current_device());
}

/// Throws CheckError unless `allclose(actual, expected)` and the dtypes agree.
inline void expect_close(std::string_view what, const Array& actual, const Array& expected, double rtol, double atol) {
  if (!actual.defined() || !expected.defined()) {
    if (actual.defined() == expected.defined()) return;
    throw CheckError("[", what, "] is ", actual, ", expected ", expected);
  }
  if (actual.dtype() != expected.dtype()) {
    throw CheckError("[", what, "] has dtype ", actual.dtype(), ", expected ", expected.dtype());
  }
  std::string difference;
  if (!allclose(actual, expected, rtol, atol, &difference)) {
    throw CheckError("[", what, "] differs: ", difference, " (rtol ", rtol, ", atol ", atol, ")");
  }
}

}  // namespace dnn::inline DNN_ABI::testing
