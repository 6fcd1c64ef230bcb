#include "dnn/core/ref.hpp"

#include <thread>
#include <vector>

#include "catch.hpp"

using namespace dnn;

namespace {
struct Counted : RefCounted {
  explicit Counted(int& alive) : count(alive) { ++count; }
  virtual ~Counted() { --count; }
  int& count;
};
struct Derived final : Counted {
  using Counted::Counted;
};
}  // namespace

TEST_CASE("the last reference destroys", "[core]") {
  int alive = 0;
  {
    Ref<Counted> a = make_ref<Derived>(alive);
    CHECK(a->unique());
    Ref<Counted> b = a;
    CHECK_FALSE(a->unique());
    CHECK(a == b);
    a = nullptr;
    CHECK_FALSE(a);
    CHECK(alive == 1);
    const auto& same = b;
    b = same;
    CHECK(alive == 1);
    Ref<Counted> c = std::move(b);
    CHECK_FALSE(b);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("references may be copied and dropped on several threads", "[core]") {
  int alive = 0;
  {
    const Ref<Counted> shared = make_ref<Derived>(alive);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 10000; ++k) Ref<Counted> copy = shared;
      });
    }
    for (auto& t : threads) t.join();
    CHECK(shared->unique());
  }
  CHECK(alive == 0);
}
