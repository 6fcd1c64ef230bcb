#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/core/error.hpp"

namespace dnn::inline DNN_ABI::initializers {

/// Which shapes Orthogonal takes.
enum class OrthogonalMode {
  automatic,   ///< all
  projection,  ///< no more outputs than inputs
  embedding,   ///< no fewer outputs than inputs
  basis,       ///< as many outputs as inputs
};

/// `scale` times a matrix (outputs, inputs) with orthonormal rows or columns, whichever are fewer; axes after the first
/// count as one. The Q of the QR decomposition of a normal matrix with diag(R) >= 0, which makes it uniformly
/// distributed. Saxe, McClelland, Ganguli, 2014. Throws ShapeError for an empty array or a shape that `mode` forbids.
struct Orthogonal {
  double scale = 1.1;
  OrthogonalMode mode = OrthogonalMode::automatic;

  void operator()(Array& array) const {
    if (array.ndim() == 0) {
      array.fill(random::uniform({}, -1, 1, float64).item() < 0 ? -scale : scale);
      return;
    }
    if (array.size() == 0) throw ShapeError("[Orthogonal] the array of shape ", array.shape(), " is empty");
    const std::int64_t out = array.shape()[0], in = array.size() / out;
    const bool projects = in > out, embeds = in < out;
    if ((projects && (mode == OrthogonalMode::embedding || mode == OrthogonalMode::basis)) ||
        (embeds && (mode == OrthogonalMode::projection || mode == OrthogonalMode::basis))) {
      throw ShapeError("[Orthogonal] shape ", array.shape(), " has ", in, " inputs and ", out,
                       " outputs, which the mode does not allow");
    }
    const UsingDevice host(Device{});
    // The vectors to be made orthonormal are the rows of `v`.
    const std::int64_t n = projects ? out : in, length = projects ? in : out;
    Array v = random::normal({n, length}, 0, 1, float64);
    double* const p = v.data<double>();
    for (std::int64_t i = 0; i < n; ++i) {
      double* const row = p + i * length;
      // Gram and Schmidt; the second round removes what rounding left of the first.
      for (int round = 0; round < 2; ++round) {
        for (std::int64_t j = 0; j < i; ++j) add(row, -dot(row, p + j * length, length), p + j * length, length);
      }
      const double norm = std::sqrt(dot(row, row, length));
      for (std::int64_t k = 0; k < length; ++k) row[k] /= norm;
    }
    Array result(array.shape(), float64);
    double* const q = result.data<double>();
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t k = 0; k < length; ++k) q[projects ? i * length + k : k * n + i] = scale * p[i * length + k];
    }
    array.assign(result);
  }

 private:
  static double dot(const double* a, const double* b, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }
  static void add(double* a, double factor, const double* b, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) a[i] += factor * b[i];
  }
};

}  // namespace dnn::inline DNN_ABI::initializers
