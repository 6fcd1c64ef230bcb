#include "dnn/array/sorting.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

bool same(const Array& actual, const Array& expected) {
  CAPTURE(to_text(actual), to_text(expected));
  const Array a = actual.to("cpu"), b = expected.to("cpu");
  return a.dtype() == b.dtype() && array_equal(a, b);
}
template <class T>
Array row(std::initializer_list<T> values) {
  return array_from(std::vector<T>(values));
}
using Indices = std::initializer_list<std::int64_t>;

/// NumPy's order.
bool before(double a, double b) { return a < b || (b != b && a == a); }

/// What the documentation says, slowly: the places of the first `wanted` along `axis`, sorted or from the largest on.
Array reference(const Array& x, int axis, bool descending, std::int64_t wanted) {
  const auto cpu = using_device("cpu");
  const Array host = x.to("cpu").to(float64);
  const auto outer = x.shape().slice(0, axis).size(), inner = x.shape().slice(axis + 1, x.ndim()).size();
  const auto length = x.shape()[axis];
  Array out(x.shape().with(axis, wanted), int64);
  for (std::int64_t line = 0; line < outer * inner; ++line) {
    const auto at = [&](std::int64_t r) {
      return host.data<double>()[(line / inner * length + r) * inner + line % inner];
    };
    std::vector<std::int64_t> order(static_cast<std::size_t>(length));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return descending ? before(at(b), at(a)) : before(at(a), at(b)); });
    for (std::int64_t r = 0; r < wanted; ++r) {
      out.data<std::int64_t>()[(line / inner * wanted + r) * inner + line % inner] = order[static_cast<std::size_t>(r)];
    }
  }
  return out;
}
/// The elements of x at places along `axis`.
Array taken(const Array& x, const Array& places, int axis) {
  const auto cpu = using_device("cpu");
  const Array host = x.to("cpu").to(float64);
  const auto inner = x.shape().slice(axis + 1, x.ndim()).size(), wanted = places.shape()[axis];
  Array out(places.shape(), float64);
  for (std::int64_t i = 0; i < places.size(); ++i) {
    const auto line = i / inner / wanted * inner + i % inner;
    out.data<double>()[i] =
        host.data<double>()[(line / inner * x.shape()[axis] + places.data<std::int64_t>()[i]) * inner + line % inner];
  }
  return out.to(x.dtype());
}

/// Random elements with many equals, and what is special.
Array numbers(const Shape& shape, DType dtype) {
  const auto cpu = using_device("cpu");
  Array x = random::normal(shape, 0, 4, float64).to(int32).to(float64);
  if (is_float(dtype)) {
    const double special[] = {not_a_number, inf, -inf, -0.0, 0.0, 0.5, -1e-3};
    for (std::int64_t i = 1; i < x.size(); i += 5) x.data<double>()[i] = special[i % 7];
  }
  return x.to(dtype);
}

}  // namespace

TEST_CASE("sorting does what NumPy's documentation shows", "[sorting]") {
  const Array a = array({{1, 4}, {3, 1}});
  CHECK(same(sort(a), array({{1, 4}, {1, 3}})));
  CHECK(same(sort(a, std::nullopt), row({1, 1, 3, 4})));
  CHECK(same(sort(a, 0), array({{1, 1}, {3, 4}})));
  CHECK(same(argsort(row({3, 1, 2})), row<std::int64_t>({1, 2, 0})));
  const Array x = array({{0, 3}, {2, 2}});
  CHECK(same(argsort(x, 0), array<std::int64_t>({{0, 1}, {1, 0}})));
  CHECK(same(argsort(x, 1), array<std::int64_t>({{0, 1}, {0, 1}})));
  CHECK(same(unique(row({1, 1, 2, 2, 3, 3})), row({1, 2, 3})));
  CHECK(same(unique(array({{1, 1}, {2, 3}})), row({1, 2, 3})));
  const UniqueAll u = unique_all(row({1, 2, 6, 4, 2, 3, 2}));
  CHECK(same(u.values, row({1, 2, 3, 4, 6})));
  CHECK(same(u.indices, row<std::int64_t>({0, 1, 5, 3, 2})));
  CHECK(same(u.inverse, row<std::int64_t>({0, 1, 4, 3, 1, 2, 1})));
  CHECK(same(u.counts, row<std::int64_t>({1, 3, 1, 1, 1})));
}

TEST_CASE("sort, argsort and top_k agree with a stable sort, for all dtypes and axes", "[sorting]") {
  for (const DType dtype : {float32, float64, DType::float16, DType::bfloat16, int32, int64, uint8, boolean}) {
    for (const Shape& shape : {Shape{301}, Shape{3, 7, 5}, Shape{1, 1}, Shape{40, 2}, Shape{2, 0, 3}, Shape{0}}) {
      const Array host = numbers(shape, dtype), x = host.to(current_device());
      for (int axis = 0; axis < shape.ndim(); ++axis) {
        CAPTURE(to_text(x), axis);
        const Array order = reference(host, axis, false, shape[axis]);
        CHECK(same(argsort(x, axis), order));
        CHECK(same(argsort(x, axis - shape.ndim()), order));
        CHECK(same(sort(x, axis), taken(host, order, axis)));
        for (const std::int64_t k : {std::int64_t{0}, std::min<std::int64_t>(2, shape[axis]), shape[axis]}) {
          const TopK top = top_k(x, k, axis);
          const Array best = reference(host, axis, true, k);
          CHECK(same(top.indices, best));
          CHECK(same(top.values, taken(host, best, axis)));
        }
      }
      CHECK(
          same(sort(x, std::nullopt), taken(host.reshape({-1}), reference(host.reshape({-1}), 0, false, x.size()), 0)));
    }
  }
}

TEST_CASE("sorting keeps every bit of extreme elements", "[sorting]") {
  constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  CHECK(same(sort(row<std::int64_t>({0, most, -1, least, most - 1, 1, least + 1})),
             row<std::int64_t>({least, least + 1, -1, 0, 1, most - 1, most})));
  // Two lines of 64-bit keys, which do not fit with their line in one.
  CHECK(same(sort(array<std::int64_t>({{most, least}, {0, -1}})), array<std::int64_t>({{least, most}, {-1, 0}})));
  constexpr auto tiny = std::numeric_limits<double>::denorm_min(), largest = std::numeric_limits<double>::max();
  CHECK(same(sort(row({not_a_number, inf, 0.0, -tiny, largest, -inf, tiny, -largest})),
             row({-inf, -largest, -tiny, 0.0, tiny, largest, inf, not_a_number})));
  // -0 and 0 are equal, and stay in their order.
  const Array zeros = sort(row({1.0, 0.0, -0.0, 0.0, -0.0})).to("cpu");
  for (std::int64_t i = 0; i < 4; ++i) CHECK(std::signbit(zeros.at<double>(i)) == (i % 2 == 1));
  CHECK(same(sort(row<std::uint8_t>({255, 0, 128, 127})), row<std::uint8_t>({0, 127, 128, 255})));
}

TEST_CASE("top_k: NaN first, of equals the first", "[sorting]") {
  const TopK top = top_k(row({1.f, static_cast<float>(not_a_number), 3.f, -2.f, 3.f}), 4);
  CHECK(same(top.values, row({static_cast<float>(not_a_number), 3.f, 3.f, 1.f})));
  CHECK(same(top.indices, row<std::int64_t>({1, 2, 4, 0})));
}

TEST_CASE("unique_all puts x together again", "[sorting]") {
  for (const DType dtype : {float32, DType::bfloat16, int64, boolean}) {
    for (const Shape& shape : {Shape{1000}, Shape{7, 31}, Shape{1}, Shape{}}) {
      const Array host = numbers(shape, dtype), x = host.to(current_device());
      CAPTURE(to_text(x));
      const UniqueAll u = unique_all(x);
      const Array values = u.values.to("cpu").to(float64), inverse = u.inverse.to("cpu"), counts = u.counts.to("cpu");
      const Array indices = u.indices.to("cpu"), flat = host.to(float64).reshape({-1});
      CHECK(inverse.shape() == shape);
      std::vector<std::int64_t> count(static_cast<std::size_t>(values.size()));
      std::vector<std::int64_t> first(static_cast<std::size_t>(values.size()), -1);
      bool together = true, sorted = true;
      for (std::int64_t i = 0; i < x.size(); ++i) {
        const auto number = inverse.data<std::int64_t>()[i];
        const double a = flat.at<double>(i), b = values.at<double>(number);
        together = together && (a == b || (a != a && b != b));
        auto& place = first[static_cast<std::size_t>(number)];
        if (place < 0) place = i;
        ++count[static_cast<std::size_t>(number)];
      }
      for (std::int64_t i = 1; i < values.size(); ++i) {
        sorted = sorted && before(values.at<double>(i - 1), values.at<double>(i));
      }
      CHECK(together);
      CHECK(sorted);
      CHECK(same(counts, array_from(count)));
      CHECK(same(indices, array_from(first)));
      CHECK(same(u.values, unique(x)));
    }
  }
  const UniqueAll none = unique_all(zeros({0, 3}));
  CHECK(none.values.shape() == Shape{0});
  CHECK(none.inverse.shape() == Shape{0, 3});
  CHECK(none.counts.shape() == Shape{0});
  CHECK(same(unique(row({not_a_number, 1.0, not_a_number, -0.0, 0.0})), row({-0.0, 1.0, not_a_number})));
}

TEST_CASE("sorting refuses what cannot be", "[sorting]") {
  const Array x = zeros({2, 3});
  CHECK_THROWS_WITH(sort(x, 2), ContainsSubstring("[sort]"));
  CHECK_THROWS_AS(argsort(x, -3), IndexError);
  CHECK_THROWS_AS(sort(scalar(1)), IndexError);
  CHECK(same(sort(scalar(1), std::nullopt), row({1})));
  CHECK_THROWS_WITH(top_k(x, 4), ContainsSubstring("[top_k] 4 elements of the 3 along axis 1 of float32 (2, 3)"));
  CHECK_THROWS_AS(top_k(x, -1), ArgumentError);
}
