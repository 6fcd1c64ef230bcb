#include "dnn/core/half.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "catch.hpp"

using namespace dnn;

namespace {

/// The value of a binary16, by its definition.
double half_value(unsigned bits) {
  const double sign = bits & 0x8000u ? -1 : 1;
  const int exponent = static_cast<int>((bits >> 10) & 31u);
  const double fraction = bits & 0x3ffu;
  if (exponent == 31)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

template <class Half>
Half of_bits(unsigned bits) {
  Half h;
  h.bits = static_cast<std::uint16_t>(bits);
  return h;
}

}  // namespace

TEST_CASE("every float16 converts to its value and back", "[core]") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto value = static_cast<float>(of_bits<Float16>(bits));
    if (!same(static_cast<double>(value), half_value(bits))) ++wrong;
    if (!std::isnan(value) && Float16(value).bits != bits) ++wrong;
    if (std::isnan(value) && !std::isnan(static_cast<float>(Float16(value)))) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("floats round to the nearest float16, ties to even", "[core]") {
  // Between neighbours a and b: the midpoint goes to the even one, and the floats beside it to the nearer one.
  int wrong = 0;
  for (unsigned bits = 0; bits < 0x7c00; ++bits) {
    const double a = half_value(bits), b = bits + 1 == 0x7c00 ? 65536.0 : half_value(bits + 1);
    const auto middle = static_cast<float>((a + b) / 2);
    const unsigned even = bits % 2 == 0 ? bits : bits + 1;
    const float inf = std::numeric_limits<float>::infinity();
    for (const unsigned sign : {0u, 0x8000u}) {
      const float s = sign ? -1.f : 1.f;
      if (Float16(s * middle).bits != (even | sign)) ++wrong;
      if (Float16(s * std::nextafterf(middle, 0)).bits != (bits | sign)) ++wrong;
      if (Float16(s * std::nextafterf(middle, inf)).bits != ((bits + 1) | sign)) ++wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK(Float16(1e30f).bits == 0x7c00);
  CHECK(Float16(-std::numeric_limits<float>::infinity()).bits == 0xfc00);
  CHECK(Float16(std::numeric_limits<float>::denorm_min()).bits == 0);
}

TEST_CASE("bfloat16 is a rounded float", "[core]") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto value = static_cast<float>(of_bits<BFloat16>(bits));
    if (std::bit_cast<std::uint32_t>(value) != bits << 16) ++wrong;
    if (!std::isnan(value) && BFloat16(value).bits != bits) ++wrong;
    if (std::isnan(value) && !std::isnan(static_cast<float>(BFloat16(value)))) ++wrong;
    if (bits < 0x7f80) {
      const auto above = [&](unsigned low) { return BFloat16(std::bit_cast<float>((bits << 16) | low)).bits; };
      if (above(0x7fff) != bits || above(0x8001) != bits + 1 || above(0x8000) != bits + (bits & 1)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}
