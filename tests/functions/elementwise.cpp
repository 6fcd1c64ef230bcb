#include "dnn/functions/elementwise.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {

/// With nothing but its formula.
struct Blend {
  double share;

  template <class V>
  constexpr V forward(V a, V b) const {
    return share * a + (1 - share) * b;
  }
};

}  // namespace

TEST_CASE("an elementwise op needs nothing but forward", "[elementwise]") {
  const Variable a(array({1.f, 2.f, 4.f})), b(array({5.f}));
  Variable y = elementwise(Blend{0.25}, a, b);
  CHECK(array_equal(y.array(), array({4.f, 4.25f, 4.75f})));
  y.set_grad(ones({3}));
  CHECK_THROWS_WITH(y.backward(), ContainsSubstring("[elementwise] has no gradient"));
  CHECK_THROWS_AS(elementwise(Blend{0.5}, a, Variable(array({1.0}))), DTypeError);
}
