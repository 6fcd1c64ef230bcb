#include "dnn/core/reflect.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

template <class D>
struct Base {};

/// Has no default, takes an int without being asked to, and is not copyable.
struct Child {
  Child(int value_) : value(value_) {}
  Child(int, int value_, bool = false) : value(value_) {}
  int value;
  std::unique_ptr<int> pointer;
};

struct Many : Base<Many> {
  int n_units = 1000;
  Child l1{n_units}, l2{n_units};
  std::vector<Child> more{};
  std::function<int(int)> function{};
  std::optional<Child> maybe{};
  std::optional<double> number{};
  std::unique_ptr<Child> owned{};
  std::string text{};
  std::array<int, 3> numbers{};
  std::map<std::string, int> map{};
  std::vector<std::unique_ptr<Child>> pointers{};
  bool flag = true;
};
struct WithoutDefaults : Base<WithoutDefaults> {
  Child a, b;
  int c;
};
struct Nested : Base<Nested> {
  Many many{};
  Child last_1{1};
};
struct Empty : Base<Empty> {};
struct Plain {
  double x = 1, y = 2;
  bool flag = false;
};
struct SixtyFour {
  int a0 = 0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3, c4, c5, c6, c7, d0, d1, d2,
      d3, d4, d5, d6, d7, e0, e1, e2, e3, e4, e5, e6, e7, f0, f1, f2, f3, f4, f5, f6, f7, g0, g1, g2, g3, g4, g5, g6,
      g7, h0, h1, h2, h3, h4, h5, h6, last;
};

template <bool HasBase, class T>
std::string names(T& object) {
  std::string out;
  dnn::for_each_field<HasBase>(object, [&](std::string_view name, auto&) { out += std::string(name) + ' '; });
  return out;
}

}  // namespace

TEST_CASE("an aggregate's fields are found by name, whatever their types", "[reflect]") {
  Many many;
  CHECK(names<true>(many) == "n_units l1 l2 more function maybe number owned text numbers map pointers flag ");
  WithoutDefaults without{{}, 1, 2, 3};
  CHECK(names<true>(without) == "a b c ");
  Nested nested;
  CHECK(names<true>(nested) == "many last_1 ");
  Empty empty;
  CHECK(names<true>(empty).empty());
  Plain plain;
  CHECK(names<false>(plain) == "x y flag ");
}

TEST_CASE("local types and 64 fields work", "[reflect]") {
  struct Local : Base<Local> {
    int _a = 1;
    Child Z9{2};
  };
  Local local;
  CHECK(names<true>(local) == "_a Z9 ");
  SixtyFour large{};
  const auto text = names<false>(large);
  CHECK(text.substr(0, 6) == "a0 a1 ");
  CHECK(text.substr(text.size() - 8) == "h6 last ");
}

TEST_CASE("fields are references to the object's own", "[reflect]") {
  Plain plain;
  dnn::for_each_field(plain, [](std::string_view name, auto& field) {
    if (name == "y") field = 5;
  });
  CHECK(plain.x == 1);
  CHECK(plain.y == 5);
  const Plain& constant = plain;
  int count = 0;
  dnn::for_each_field(constant, [&](std::string_view, const auto&) { ++count; });
  CHECK(count == 3);
}
