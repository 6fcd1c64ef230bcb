#include "dnn/functions/reduction.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {

struct SquaredDistance {
  static constexpr std::string_view name = "squared_distance";
  static constexpr double identity = 0;
  template <class V>
  constexpr V map(V a, V b) const {
    return (a - b) * (a - b);
  }
  template <class V>
  constexpr V reduce(V a, V b) const {
    return a + b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V) const {
    return I == 0 ? V(2 * gy * (a - b)) : V(2 * gy * (b - a));
  }
};
struct Norm {
  static constexpr std::string_view name = "norm";
  static constexpr double identity = 0;
  template <class V>
  constexpr V map(V x) const {
    return x * x;
  }
  template <class V>
  constexpr V reduce(V a, V b) const {
    return a + b;
  }
  template <class V>
  constexpr V post(V sum) const {
    return sqrt(sum + 1);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V y) const {
    return gy * x / y;
  }
};
struct Total {
  static constexpr double identity = 0;
  template <class V>
  constexpr V map(V x) const {
    return x;
  }
  template <class V>
  constexpr V reduce(V a, V b) const {
    return a + b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V) const {
    return gy;
  }
};
struct Largest {
  static constexpr double identity = -1e30;
  template <class V>
  constexpr V map(V x) const {
    return x;
  }
  template <class V>
  constexpr V reduce(V a, V b) const {
    return maximum(a, b);
  }
};

}  // namespace

TEST_CASE("reduction: values, gradients and second gradients, for axes of all kinds", "[reduction]") {
  for (const Axes& axis : {Axes{}, Axes{0}, Axes{-1}, Axes{0, 2}}) {
    for (const bool keepdims : {false, true}) {
      const ReductionOptions options{.axis = axis, .keepdims = keepdims};
      testing::run(
          {.name = "squared_distance",
           .op = testing::GraphFunction(
               [=](const Variable& a, const Variable& b) { return reduction(SquaredDistance{}, options, a, b); }),
           .composed = [=](const Variable& a, const Variable& b) { return sum((a - b) * (a - b), axis, keepdims); },
           .arity = 2,
           .shapes = {{{3, 5, 2}, {3, 5, 2}}, {{3, 1, 2}, {1, 5, 2}}, {{2, 2, 1}, {2}}},
           .specials = {1}});
      testing::run({.name = "norm",
                    .op = [=](const Variable& x) { return reduction(Norm{}, options, x); },
                    .composed = [=](const Variable& x) { return sqrt(sum(x * x, axis, keepdims) + 1); },
                    .shapes = {{{3, 4, 5}}, {{1, 1, 1}}},
                    .specials = {1}});
    }
  }
}

TEST_CASE("reduction: a gradient that is gy alone counts broadcast operands", "[reduction]") {
  testing::run({.name = "total",
                .op = [](const Variable& x) { return reduction(Total{}, {.axis = 0}, x); },
                .composed = [](const Variable& x) { return sum(x, 0); },
                .shapes = {{{4, 3}}, {{4}}},
                .specials = {1}});
}

TEST_CASE("reduction: long lines, empty ones, other operations", "[reduction]") {
  for (const std::int64_t length : {5003, 70001}) {
    const Array x = random::uniform({2, length}, -1, 1);
    CHECK(allclose(reduction(Total{}, {.axis = 1}, x).array(), sum(x, 1).array(), 1e-5, 1e-4));
    CHECK(array_equal(reduction(Largest{}, {.axis = 1}, x).array(), max(x, 1).array()));
    CHECK(allclose(reduction(Norm{}, {}, x).array(), sqrt(sum(Variable(x) * x) + 1).array()));
  }
  CHECK(array_equal(reduction(Total{}, {.axis = 0}, zeros({0, 3})).array(), zeros({3})));
  CHECK(reduction(Total{}, {.axis = 1}, zeros({0, 3})).shape() == Shape{0});
  CHECK(reduction(Norm{}, {}, zeros({0})).item() == 1);
}

TEST_CASE("reduction refuses what cannot be", "[reduction]") {
  Variable x(ones({3}));
  Variable y = reduction(Largest{}, {}, x);
  CHECK_THROWS_WITH(y.backward(), ContainsSubstring("[reduction] has no gradient"));
  CHECK_THROWS_AS(reduction(Total{}, {.axis = 1}, x), IndexError);
  CHECK_THROWS_AS(reduction(Total{}, {}, array({1, 2})), DTypeError);
  CHECK_THROWS_AS(reduction(SquaredDistance{}, {}, x, ones({4})), ShapeError);
  CHECK_THROWS_WITH(reduction(SquaredDistance{}, {}, x, ones({3}, float64)), ContainsSubstring("squared_distance"));
}
