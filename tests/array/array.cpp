#include "dnn/array/array.hpp"

#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("an array knows its shape, dtype and place", "[array][host]") {
  const Array a({2, 3}, float64);
  CHECK(a.defined());
  CHECK(a.shape() == Shape{2, 3});
  CHECK(a.size() == 6);
  CHECK(a.nbytes() == 48);
  CHECK(a.length() == 2);
  CHECK(a.device() == Device{});
  CHECK_FALSE(Array{}.defined());
  CHECK_THROWS_AS(zeros({}).length(), ShapeError);
  CHECK(to_text(a) == "float64 (2, 3)");
  CHECK(to_text(Array{}) == "no array");
}

TEST_CASE("sizes that do not fit in memory are errors", "[array]") {
  CHECK_THROWS_AS(Array({std::int64_t{1} << 61}, float64), ShapeError);
  CHECK_THROWS_AS(Array({std::int64_t{1} << 58}), Error);
  CHECK_THROWS_AS(zeros({-1}), ShapeError);
}

TEST_CASE("elements are reached by index, and only with their own type", "[array][host]") {
  Array a = arange(6, float32).reshape({2, 3});
  CHECK(a.to("cpu").at<float>(1, 2) == 5);
  CHECK(a.to("cpu").at<float>(-1, -3) == 3);
  a.at<float>(0, 1) = 9;
  CHECK(a.to("cpu").data<float>()[1] == 9);
  CHECK_THROWS_WITH(a.at<float>(2, 0), ContainsSubstring("index 2") && ContainsSubstring("axis 0"));
  CHECK_THROWS_AS(a.at<float>(0, -4), IndexError);
  CHECK_THROWS_AS(a.at<float>(0), IndexError);
  CHECK_THROWS_WITH(a.at<double>(0, 0), ContainsSubstring("float32") && ContainsSubstring("float64"));
  CHECK_THROWS_AS(a.data<std::int32_t>(), DTypeError);
  CHECK(scalar(2.5).item() == 2.5);
  CHECK(arange(3).slice(1, 2).item<int>() == 1);
  CHECK_THROWS_AS(arange(3).item(), ShapeError);
  CHECK_THROWS_AS(zeros({0}).item(), ShapeError);
}

TEST_CASE("copies of the handle share elements, copy() does not", "[array][host]") {
  Array a = zeros({3});
  CHECK(a.unique());
  Array b = a, c = a.copy();
  CHECK_FALSE(a.unique());
  CHECK(a.shares_storage(b));
  CHECK_FALSE(a.shares_storage(c));
  b.fill(1);
  CHECK(a.to("cpu").at<float>(0) == 1);
  CHECK(c.to("cpu").at<float>(0) == 0);
  CHECK(a.to(float32).shares_storage(a));
  CHECK(a.to(Device{}).shares_storage(a));
  CHECK_FALSE(a.to(float64).shares_storage(a));
  CHECK_THROWS_AS(a.to(Device{Device::Kind::cuda, 99}), DeviceError);
}

TEST_CASE("reshape shares storage and resolves one -1", "[array]") {
  const Array a = arange(12);
  CHECK(a.reshape({3, -1}).shape() == Shape{3, 4});
  CHECK(a.reshape({-1}).shape() == Shape{12});
  CHECK(a.reshape({2, 2, 3}).shares_storage(a));
  CHECK(scalar(1).reshape({1, 1, -1}).shape() == Shape{1, 1, 1});
  CHECK(zeros({0, 3}).reshape({3, 0}).size() == 0);
  CHECK(zeros({0, 3}).reshape({-1, 2}).shape() == Shape{0, 2});
  CHECK_THROWS_AS(a.reshape({5, -1}), ShapeError);
  CHECK_THROWS_AS(a.reshape({-1, -1}), ShapeError);
  CHECK_THROWS_AS(a.reshape({13}), ShapeError);
  CHECK_THROWS_AS(a.reshape({-2, -6}), ShapeError);
  CHECK_THROWS_AS(zeros({0}).reshape({0, -1}), ShapeError);
  CHECK_THROWS_AS(a.reshape({std::int64_t{1} << 62, 4}), ShapeError);
  CHECK_THROWS_AS(a.reshape({12, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
}

TEST_CASE("slices of the leading axis share storage and follow Python's rules", "[array][host]") {
  Array a = arange(12).reshape({4, 3});
  CHECK(array_equal(a.slice(1, 3), arange(3, 9).reshape({2, 3})));
  CHECK(a.slice(-1, 100).shape() == Shape{1, 3});
  CHECK(a.slice(-100, 1).shape() == Shape{1, 3});
  CHECK(a.slice(3, 1).shape() == Shape{0, 3});
  CHECK(array_equal(a[-1], arange(9, 12)));
  CHECK(array_equal(a[1][2], scalar(std::int64_t{5})));
  a.slice(2, 4)[0].fill(7);
  CHECK(a.to("cpu").at<std::int64_t>(2, 1) == 7);
  CHECK_THROWS_AS(a[4], IndexError);
  CHECK_THROWS_AS(a[-5], IndexError);
  CHECK_THROWS_AS(scalar(1)[0], ShapeError);
  CHECK_THROWS_AS(scalar(1).slice(0, 1), ShapeError);
  // A slice of a slice of a reshaped array.
  CHECK(
      array_equal(arange(24).reshape({4, 6}).slice(1, 4).reshape({9, 2}).slice(2, 3), arange(10, 12).reshape({1, 2})));
}

TEST_CASE("assign converts and wants the same shape", "[array]") {
  Array a = zeros({2, 2}, int32);
  a.assign(array({{1.9, -1.9}, {3.0, 4.5}}));
  CHECK(array_equal(a, array({{1, -1}, {3, 4}})));
  CHECK_THROWS_AS(a.assign(zeros({2})), ShapeError);
  Array rows = zeros({3, 2});
  rows[1].assign(ones({2}));
  CHECK(array_equal(rows, array({{0.f, 0.f}, {1.f, 1.f}, {0.f, 0.f}})));
}

TEST_CASE("slices of an empty array with huge axes", "[array]") {
  const Array x(Shape{0, std::int64_t{1} << 60});
  CHECK(x.slice(0, 5).shape() == x.shape());
  CHECK(Array(Shape{2, 0, 3})[1].shape() == Shape{0, 3});
}

TEST_CASE("no array has no elements and no device: an error, not a crash", "[array]") {
  Array none;
  CHECK(none.shape() == Shape{});
  CHECK_FALSE(none.unique());
  CHECK_THROWS_WITH(none.item(), Catch::Matchers::ContainsSubstring("[array] undefined array"));
  CHECK_THROWS_AS(none.device(), ArgumentError);
  CHECK_THROWS_AS(none.bytes(), ArgumentError);
  CHECK_THROWS_AS(none.data<float>(), ArgumentError);
  CHECK_THROWS_AS(none.data<double>(), ArgumentError);
  CHECK_THROWS_AS(none.span<float>(), ArgumentError);
  CHECK_THROWS_AS(none.at<float>(), ArgumentError);
  CHECK_THROWS_AS(none.at<double>(0), ArgumentError);
  CHECK_THROWS_AS(none.copy(), ArgumentError);
  CHECK_THROWS_AS(none.to(float32), ArgumentError);
  CHECK_THROWS_AS(none.to(float64), ArgumentError);
  CHECK_THROWS_AS(none.to(Device{}), ArgumentError);
  CHECK_THROWS_AS(none.fill(1), ArgumentError);
  CHECK_THROWS_AS(none.operand(), ArgumentError);
  CHECK_THROWS_AS(none.assign(scalar(1)), ArgumentError);
  Array one = scalar(1);
  CHECK_THROWS_AS(one.assign(none), ArgumentError);
  CHECK_THROWS_AS(none.length(), ShapeError);
  CHECK_THROWS_AS(none[0], ShapeError);
}
