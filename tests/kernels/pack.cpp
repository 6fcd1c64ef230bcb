#include "dnn/kernels/pack.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "catch.hpp"

using namespace dnn;
using dnn::kernels::Pack;

namespace {

template <class T, class F, class Reference>
void check(const char* name, F f, Reference reference, double low, double high, double ulps) {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> x = {T(0), T(-0.0), T(1), T(-1), inf, -inf, nan, T(1e-30), T(-1e-30), T(1e30), T(-1e30)};
  for (int i = 0; i <= 2000; ++i) x.push_back(static_cast<T>(low + (high - low) * i / 2000));
  while (x.size() % Pack<T>::width != 0) x.push_back(T(1));
  for (std::size_t i = 0; i < x.size(); i += Pack<T>::width) {
    T y[Pack<T>::width];
    f(Pack<T>::load(&x[i])).store(y);
    for (std::size_t lane = 0; lane < Pack<T>::width; ++lane) {
      const auto want = static_cast<T>(reference(static_cast<long double>(x[i + lane])));
      const double tolerance = ulps * static_cast<double>(std::numeric_limits<T>::epsilon() * std::abs(want)) +
                               static_cast<double>(std::numeric_limits<T>::min());
      const bool close = (std::isnan(want) && std::isnan(y[lane])) || y[lane] == want ||
                         std::abs(static_cast<double>(y[lane]) - static_cast<double>(want)) <= tolerance;
      INFO(name << "(" << x[i + lane] << ") is " << y[lane] << ", expected " << want);
      CHECK(close);
    }
  }
}

#define CHECK_FUNCTION(name, low, high, ulps)                                                              \
  check<float>(                                                                                            \
      #name, [](auto p) { return name(p); }, [](long double v) { return std::name(v); }, low, high, ulps); \
  check<double>(                                                                                           \
      #name, [](auto p) { return name(p); }, [](long double v) { return std::name(v); }, low, high, ulps)

}  // namespace

TEST_CASE("functions of packs agree with the standard library, special values included", "[kernels]") {
  CHECK_FUNCTION(exp, -100, 100, 4);
  check<float>(
      "exp", [](auto p) { return exp(p); }, [](long double v) { return std::exp(v); }, -90, 90, 1.1);
  check<double>(
      "exp", [](auto p) { return exp(p); }, [](long double v) { return std::exp(v); }, -750, 750, 4);
  CHECK_FUNCTION(log, 1e-3, 1e4, 4);
  check<float>(
      "log", [](auto p) { return log(p); }, [](long double v) { return std::log(v); }, 1e-45, 2e-38, 4);
  check<double>(
      "log", [](auto p) { return log(p); }, [](long double v) { return std::log(v); }, 5e-324, 4e-308, 4);
  CHECK_FUNCTION(log1p, -0.99, 10, 4);
  CHECK_FUNCTION(expm1, -20, 20, 4);
  check<float>(
      "expm1", [](auto p) { return expm1(p); }, [](long double v) { return std::expm1(v); }, 70, 90, 4);
  check<double>(
      "expm1", [](auto p) { return expm1(p); }, [](long double v) { return std::expm1(v); }, 700, 710, 4);
  CHECK_FUNCTION(sqrt, 0, 1e4, 1);
  CHECK_FUNCTION(abs, -5, 5, 0);
  CHECK_FUNCTION(tanh, -10, 10, 6);
}

TEST_CASE("exp of floats goes down to the smallest numbers there are", "[kernels]") {
  for (float x = -110; x < -80; x += 0.01f) {
    const float want = std::exp(x), got = exp(Pack<float>(x)).v[0];
    INFO(x);
    CHECK(std::abs(got - want) <= std::max(want * 2e-7f, std::numeric_limits<float>::denorm_min()));
  }
}

TEST_CASE("sine and cosine of packs agree with the standard library", "[kernels]") {
  const auto check_at = [](auto zero) {
    using T = decltype(zero);
    for (int i = -1000; i <= 1000; ++i) {
      const T x = static_cast<T>(i) * T(0.01);
      CHECK(std::abs(static_cast<double>(T(sin(Pack<T>(x)).v[0])) - std::sin(static_cast<double>(x))) < 4e-7);
      CHECK(std::abs(static_cast<double>(T(cos(Pack<T>(x)).v[0])) - std::cos(static_cast<double>(x))) < 4e-7);
    }
  };
  check_at(0.f);
  check_at(0.0);
}

TEST_CASE("maximum and minimum of packs pass NaN on", "[kernels]") {
  const float nan = std::nanf("");
  for (const float a : {1.f, 2.f, nan}) {
    for (const float b : {1.f, 2.f, nan}) {
      const float high = maximum(Pack<float>(a), Pack<float>(b)).v[0],
                  low = minimum(Pack<float>(a), Pack<float>(b)).v[0];
      if (std::isnan(a) || std::isnan(b)) {
        CHECK(std::isnan(high));
        CHECK(std::isnan(low));
      } else {
        CHECK(high == std::max(a, b));
        CHECK(low == std::min(a, b));
      }
    }
  }
}

TEST_CASE("masks choose lanes", "[kernels]") {
  float x[Pack<float>::width];
  for (int i = 0; i < Pack<float>::width; ++i) x[i] = static_cast<float>(i) - 1.5f;
  const auto p = Pack<float>::load(x);
  const auto q = where((p > 0) & (p < 2), p * 10, -1);
  for (int i = 0; i < Pack<float>::width; ++i) {
    CHECK(q.v[i] == (x[i] > 0 && x[i] < 2 ? x[i] * 10 : -1));
    CHECK(pow(p, 2).v[i] == x[i] * x[i]);
  }
}
