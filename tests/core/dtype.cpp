#include "dnn/core/dtype.hpp"

#include "catch.hpp"

using namespace dnn;

namespace {
constexpr DType all_dtypes[] = {float32, float64, float16, bfloat16, int32, int64, uint8, boolean};
}

TEST_CASE("dtypes have names, sizes and C++ types", "[core]") {
  for (const DType d : all_dtypes) {
    CHECK(dtype_from_name(name_of(d)) == d);
    visit_dtype(d, [&]<class T>(std::type_identity<T>) {
      CHECK(dtype_of<T>() == d);
      CHECK(sizeof(T) == itemsize(d));
    });
  }
  CHECK(dtype_of<long>() == dtype_of<long long>());
  CHECK_THROWS_WITH(dtype_from_name("float"),
                    Catch::Matchers::ContainsSubstring("'float'") && Catch::Matchers::ContainsSubstring("bfloat16"));
  CHECK_THROWS_AS(visit_float(int32, "op", [](auto) {}), DTypeError);
}

TEST_CASE("dtypes promote", "[core]") {
  for (const DType a : all_dtypes) {
    for (const DType b : all_dtypes) CHECK(promote(a, b) == promote(b, a));
    CHECK(promote(a, a) == a);
  }
  CHECK(promote(float32, int64) == float32);
  CHECK(promote(DType::float16, int64) == DType::float16);
  CHECK(promote(float32, float64) == float64);
  CHECK(promote(DType::float16, DType::bfloat16) == float32);
  CHECK(promote(uint8, boolean) == uint8);
  CHECK(promote(uint8, int32) == int32);
  CHECK(promote(int32, int64) == int64);
}
