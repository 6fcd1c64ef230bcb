#include "dnn/serializers/dictionary.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;
using namespace dnn::serializers;
using Catch::Matchers::ContainsSubstring;

namespace {

Array copied(Array target, const Array& stored) {
  copy_to(target, stored, "key");
  return target;
}

}  // namespace

TEST_CASE("can_cast is NumPy's same_kind", "[dictionary]") {
  // numpy.can_cast(from, to, 'same_kind') for our dtypes; bfloat16 as float16.
  const DType dtypes[] = {boolean, uint8, int32, int64, DType::float16, DType::bfloat16, float32, float64};
  const char* const expected[] = {"11111111", "01111111", "00111111", "00111111",
                                  "00001111", "00001111", "00001111", "00001111"};
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      INFO(name_of(dtypes[i]) << " to " << name_of(dtypes[j]));
      CHECK(can_cast(dtypes[i], dtypes[j]) == (expected[i][j] == '1'));
    }
  }
}

TEST_CASE("copy_to converts and broadcasts as NumPy's copyto does", "[dictionary]") {
  CHECK(array_equal(copied(zeros({2}), array({1.5, -2.})), array({1.5f, -2.f})));
  CHECK(array_equal(copied(zeros({2}), array({3, 4})), array({3.f, 4.f})));
  CHECK(array_equal(copied(zeros({2}, int32), array<std::int64_t>({3, 4})), array({3, 4})));
  CHECK(array_equal(copied(zeros({2, 3}), scalar(2.f)), full({2, 3}, 2)));
  CHECK(array_equal(copied(zeros({2, 3}), array({1.f, 2.f, 3.f})), array({{1.f, 2.f, 3.f}, {1.f, 2.f, 3.f}})));
  CHECK(array_equal(copied(zeros({2, 3}), array<double>({{5.}, {6.}})), array({{5.f, 5.f, 5.f}, {6.f, 6.f, 6.f}})));
  CHECK(array_equal(copied(zeros({0, 3}), array({1.f, 2.f, 3.f})), zeros({0, 3})));
  CHECK(array_equal(copied(zeros({1, 2, 1, 2}), array({{1.f, 2.f}, {3.f, 4.f}}).reshape({2, 1, 2})),
                    array({1.f, 2.f, 3.f, 4.f}).reshape({1, 2, 1, 2})));
}

TEST_CASE("copy_to refuses what copyto refuses, and leaves the target alone", "[dictionary]") {
  Array target = zeros({2, 3}, int32);
  CHECK_THROWS_WITH(copy_to(target, ones({2, 3}), "l1/W"), "l1/W: cannot turn the stored float32 into int32");
  CHECK_THROWS_WITH(copy_to(target, ones({3, 2}, int32), "l1/W"),
                    "l1/W: cannot put the stored shape (3, 2) into shape (2, 3)");
  for (const Shape& shape : {Shape{2}, Shape{1, 2, 3}, Shape{0, 3}, Shape{2, 1, 1}, Shape{4, 3}}) {
    CHECK_THROWS_AS(copy_to(target, ones(shape, int32), ""), SerializationError);
  }
  CHECK(array_equal(target, zeros({2, 3}, int32)));
}
