#include "dnn/core/small_vector.hpp"

#include <memory>
#include <string>

#include "catch.hpp"

using namespace dnn;

TEST_CASE("a small vector grows past its own space and keeps its elements", "[core]") {
  SmallVector<std::string, 2> v;
  CHECK(v.empty());
  for (int i = 0; i < 40; ++i) v.push_back(std::to_string(i));
  CHECK(v.size() == 40);
  for (int i = 0; i < 40; ++i) CHECK(v[static_cast<std::size_t>(i)] == std::to_string(i));
  const auto copy = v;
  v.resize(3);
  CHECK(v.back() == "2");
  CHECK(copy.size() == 40);
  v.clear();
  CHECK(v.empty());
  v.push_back("again");
  CHECK(v[0] == "again");
  CHECK_FALSE(v == copy);
}

TEST_CASE("small vectors move and assign, in place and on the heap", "[core]") {
  for (const std::size_t n : {0u, 1u, 2u, 3u, 9u}) {
    SmallVector<std::shared_ptr<int>, 2> a;
    const auto shared = std::make_shared<int>(5);
    for (std::size_t i = 0; i < n; ++i) a.push_back(shared);
    CHECK(shared.use_count() == static_cast<long>(n) + 1);
    auto b = std::move(a);
    CHECK(b.size() == n);
    CHECK(a.empty());
    a.push_back(shared);
    CHECK(a.size() == 1);
    a = b;
    CHECK(a == b);
    CHECK(shared.use_count() == static_cast<long>(2 * n) + 1);
    a = std::move(b);
    a = SmallVector<std::shared_ptr<int>, 2>{};
    b.clear();
    CHECK(shared.use_count() == 1);
  }
}

TEST_CASE("an element of a small vector may be appended to it", "[core]") {
  SmallVector<std::string, 2> v{"a long string that is on the heap of its own", "b"};
  v.push_back(v[0]);
  CHECK(v[2] == v[0]);
  SmallVector<std::string, 1> w{"another long string that is on the heap of its own"};
  w.emplace_back(w[0]);
  CHECK(w[1] == w[0]);
}
