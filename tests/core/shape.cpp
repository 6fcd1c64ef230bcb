#include "dnn/core/shape.hpp"

#include <limits>

#include "catch.hpp"

using namespace dnn;

TEST_CASE("shapes know their sizes and print like Python tuples", "[core]") {
  CHECK(Shape{}.size() == 1);
  CHECK(Shape{2, 3, 4}.size() == 24);
  CHECK(Shape{2, 0, 4}.size() == 0);
  CHECK(to_text(Shape{}) == "()");
  CHECK(to_text(Shape{3}) == "(3,)");
  CHECK(to_text(Shape{2, 3}) == "(2, 3)");
  CHECK(strides_of({2, 3, 4})[0] == 12);
  CHECK(strides_of({2, 3, 4})[2] == 1);
}

TEST_CASE("shapes that cannot be are errors", "[core]") {
  CHECK_THROWS_AS((Shape{2, -1}), ShapeError);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  const auto big = std::int64_t{1} << 62;
  CHECK_THROWS_AS((Shape{big, 2}), ShapeError);
  CHECK_NOTHROW(Shape{big, 1});
  CHECK_THROWS_AS((Shape{3, 4}.with(0, -2)), ShapeError);
  CHECK_THROWS_AS((Shape{3, 4}.with(0, std::numeric_limits<std::int64_t>::max())), ShapeError);
}

TEST_CASE("axes are changed, removed and inserted", "[core]") {
  const Shape s{2, 3, 4};
  CHECK(s.with(1, 7) == Shape{2, 7, 4});
  CHECK(s.without(0) == Shape{3, 4});
  CHECK(s.without(2) == Shape{2, 3});
  CHECK(s.with_inserted(0, 9) == Shape{9, 2, 3, 4});
  CHECK(s.with_inserted(3, 9) == Shape{2, 3, 4, 9});
  CHECK(s.slice(1, 3) == Shape{3, 4});
  CHECK(Shape{5}.without(0) == Shape{});
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1}.with_inserted(0, 1)), ShapeError);
  CHECK(normalize_axis(-1, 3, "op") == 2);
  CHECK_THROWS_AS(normalize_axis(3, 3, "op"), IndexError);
  CHECK_THROWS_AS(normalize_axis(-4, 3, "op"), IndexError);
  CHECK_THROWS_AS(normalize_axis(0, 0, "op"), IndexError);
}

TEST_CASE("shapes broadcast as in NumPy", "[core]") {
  CHECK(broadcast_shapes({2, 3}, {3}, "op") == Shape{2, 3});
  CHECK(broadcast_shapes({}, {3}, "op") == Shape{3});
  CHECK(broadcast_shapes({3, 1}, {1, 4}, "op") == Shape{3, 4});
  CHECK(broadcast_shapes({1}, {0}, "op") == Shape{0});
  CHECK(broadcast_shapes({0, 3}, {1, 3}, "op") == Shape{0, 3});
  CHECK_THROWS_WITH(broadcast_shapes({2, 3}, {2}, "add"), Catch::Matchers::ContainsSubstring("[add]") &&
                                                              Catch::Matchers::ContainsSubstring("(2, 3)") &&
                                                              Catch::Matchers::ContainsSubstring("(2,)"));
  CHECK_THROWS_AS(broadcast_shapes({0}, {2}, "op"), ShapeError);
}

TEST_CASE("axes count from the end when negative, and must be there", "[core]") {
  const Shape shape{2, 3, 5};
  CHECK(shape[-1] == 5);
  CHECK(shape[-3] == 2);
  CHECK_THROWS_AS(shape[3], IndexError);
  CHECK_THROWS_AS(shape[-4], IndexError);
  CHECK_THROWS_AS(shape[100], IndexError);
  CHECK_THROWS_AS(Shape{}[0], IndexError);
  CHECK(shape.with(-1, 7) == Shape{2, 3, 7});
  CHECK(shape.without(-2) == Shape{2, 5});
  CHECK_THROWS_AS(shape.with(3, 1), IndexError);
  CHECK_THROWS_AS(shape.without(8), IndexError);
  CHECK(shape.with_inserted(3, 1) == Shape{2, 3, 5, 1});
  CHECK_THROWS_AS(shape.with_inserted(4, 1), IndexError);
  CHECK_THROWS_AS(shape.with_inserted(-1, 1), IndexError);
  CHECK(shape.slice(1, 1) == Shape{});
  CHECK_THROWS_AS(shape.slice(2, 4), IndexError);
  CHECK_THROWS_AS(shape.slice(2, 1), IndexError);
}
