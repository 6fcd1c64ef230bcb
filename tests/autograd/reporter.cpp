#include "dnn/autograd/reporter.hpp"

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/functions/math/arithmetic.hpp"

using namespace dnn;

namespace {

struct Inner {
  Parameter w{array({1.0f})};
  void serialize(Serializer& s) { s("w", w); }
};
/// Its first member has its address.
struct Model {
  Inner inner;
  std::vector<Inner> list{2};
  void serialize(Serializer& s) {
    s("inner", inner);
    s("list", list);
  }
};

}  // namespace

TEST_CASE("what is reported is named after the observer's place in the model", "[reporter]") {
  Model model;
  Reporter reporter;
  reporter.add_observers("main", model);
  Observation observation;
  {
    const auto scope = reporter.scope(observation);
    report({{"loss", 1.5}}, &model);
    report({{"x", 2}}, &model.inner);
    report({{"y", 3}}, &model.list[1]);
    report({{"free", 4}});
  }
  report({{"late", 5}});
  std::string text;
  for (const auto& [key, value] : observation) text += concat(key, "=", value.number(), " ");
  CHECK(text == "main/loss=1.5 main/inner/x=2 main/list/1/y=3 free=4 ");
  CHECK(observation["main/loss"].number() == 1.5);
  CHECK_THROWS_AS(observation["late"], IndexError);
}

TEST_CASE("nobody listens: reporting does nothing; a stranger reports: an error", "[reporter]") {
  Model model, stranger;
  report({{"x", 1}}, &model);
  Reporter reporter;
  reporter.add_observers("main", model);
  Observation observation;
  const auto scope = reporter.scope(observation);
  CHECK_THROWS_AS(report({{"x", 1}}, &stranger), ArgumentError);
  CHECK(observation.empty());
}

TEST_CASE("scopes nest, and end when an exception passes", "[reporter]") {
  Reporter reporter;
  Observation outer, inner;
  const auto scope = reporter.scope(outer);
  try {
    const auto nested = reporter.scope(inner);
    report({{"a", 1}});
    throw 1;
  } catch (int) {
  }
  report({{"a", 2}});
  CHECK(inner["a"].number() == 1);
  CHECK(outer["a"].number() == 2);
  CHECK(outer.size() == 1);
}

TEST_CASE("a reported variable loses its graph unless the configuration keeps it", "[reporter]") {
  Reporter reporter;
  Observation observation;
  const auto scope = reporter.scope(observation);
  const Variable x(array({1.0f}));
  const Variable y = x * x;
  report({{"y", y}});
  CHECK_FALSE(observation["y"].variable().creator());
  CHECK_FALSE(observation["y"].is_scalar());
  config().keep_graph_on_report = true;
  report({{"y", y}});
  config().keep_graph_on_report = false;
  CHECK(observation["y"].variable().creator());
}

TEST_CASE("a class that reports in its base is found by its address", "[reporter]") {
  struct Derived : Inner {};
  Derived derived;
  Reporter reporter;
  reporter.add_observer("main", id_of(derived));
  Observation observation;
  const auto scope = reporter.scope(observation);
  const Inner* base = &derived;
  report({{"x", 1}}, base);
  CHECK(observation["main/x"].number() == 1);
}
