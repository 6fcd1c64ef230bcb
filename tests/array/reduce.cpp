#include "dnn/array/reduce.hpp"

#include "catch.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

TEST_CASE("axes name what is reduced", "[array]") {
  CHECK(Axes{}.mask(3, "sum") == 7);
  CHECK(Axes(1).mask(3, "sum") == 2);
  CHECK(Axes(-1).mask(3, "sum") == 4);
  CHECK(Axes{0, -1}.mask(3, "sum") == 5);
  CHECK(Axes{}.mask(0, "sum") == 0);
  CHECK_THROWS_AS(Axes(3).mask(3, "sum"), IndexError);
  CHECK_THROWS_WITH((Axes{0, -3}.mask(3, "sum")),
                    Catch::Matchers::ContainsSubstring("[sum]") && Catch::Matchers::ContainsSubstring("twice"));
}

TEST_CASE("reduced shapes drop their axes or keep them with size 1", "[array]") {
  CHECK(reduced_shape({2, 3, 4}, 2, false) == Shape{2, 4});
  CHECK(reduced_shape({2, 3, 4}, 5, true) == Shape{1, 3, 1});
  CHECK(reduced_shape({2, 3, 4}, 7, false) == Shape{});
}

TEST_CASE("the mask of a broadcast undoes it", "[array]") {
  CHECK(broadcast_mask({2, 3}, {3}) == 1);
  CHECK(broadcast_mask({2, 3}, {2, 1}) == 2);
  CHECK(broadcast_mask({2, 3}, {}) == 3);
  CHECK(broadcast_mask({2, 3}, {2, 3}) == 0);
  CHECK(broadcast_mask({1, 3}, {1, 3}) == 0);
  CHECK(broadcast_mask({0, 3}, {1, 3}) == 1);
}
