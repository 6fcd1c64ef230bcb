#include "dnn/training/summary.hpp"

#include <cmath>

#include "dnn/array/factories.hpp"
#include "training/support.hpp"

using namespace dnn;

TEST_CASE("a dict summary does what Chainer's does", "[summary]") {
  DictSummary summary;
  Observation one, two, three;
  one.set("a", 1);
  one.set("b", 2);
  one.set("w", ReportedValue(10, 1));
  two.set("a", 3);
  two.set("w", ReportedValue(20, 3));
  three.set("a", 5);
  three.set("arr", zeros({3}));
  for (const auto* each : {&one, &two, &three}) summary.add(*each);

  CHECK(summary.compute_mean() == DictSummary::Means{{"a", 3}, {"b", 2}, {"w", 17.5}});
  const auto statistics = summary.make_statistics();
  REQUIRE(statistics.size() == 6);
  CHECK(statistics[1].first == "a.std");
  CHECK(statistics[1].second == Approx(1.6329931618554518));
  CHECK(statistics[5].second == Approx(4.330127018922194));

  const auto state = serializers::to_dictionary(summary);
  CHECK(std::get<std::string>(state.at("_names")) == R"(["a", "b", "w"])");
  CHECK(std::get<Array>(state.at("_summaries/2/_x2")).item() == 1300);
  CHECK(std::get<Array>(state.at("_summaries/2/_n")).dtype() == int64);

  DictSummary other;
  other.add("old", 1);
  serializers::from_dictionary(state, other);
  CHECK(other.compute_mean() == summary.compute_mean());
  CHECK(other.make_statistics() == statistics);
}

TEST_CASE("an empty summary has no mean", "[summary]") {
  CHECK(std::isnan(Summary{}.mean()));
  CHECK(DictSummary{}.compute_mean().empty());
}
