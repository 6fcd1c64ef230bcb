#include "dnn/training/triggers.hpp"

#include <vector>

#include "training/support.hpp"

using namespace dnn;
using namespace dnn::training;
using namespace support;

namespace {

std::vector<double> numbers(const json::Value& list) {
  std::vector<double> out;
  if (list.is_number()) return {list.number()};
  for (const auto& number : list.array()) out.push_back(number.number());
  return out;
}

Trigger interval_of(const json::Value& value) {
  const auto& pair = at(value, "tuple").array();
  return {pair[0].number(), pair[1].text()};
}

/// The trigger that a recorded case describes.
Trigger make(const json::Value& recorded) {
  const auto& name = at(recorded, "name").text();
  const auto& options = at(recorded, "kwargs");
  const auto trigger = [&](std::string_view key, Trigger otherwise) {
    const auto* value = member(options, key);
    return value ? interval_of(*value) : otherwise;
  };
  if (name == "IntervalTrigger") return {at(options, "period").number(), at(options, "unit").text()};
  if (name == "ManualScheduleTrigger") {
    return triggers::ManualScheduleTrigger(numbers(at(options, "points")), at(options, "unit").text());
  }
  if (name == "OnceTrigger") {
    const auto* resume = member(options, "call_on_resume");
    return triggers::OnceTrigger(resume && std::get<bool>(*resume));
  }
  if (name == "MaxValueTrigger")
    return triggers::MaxValueTrigger(at(options, "key").text(), trigger("trigger", {1, "epoch"}));
  if (name == "MinValueTrigger")
    return triggers::MinValueTrigger(at(options, "key").text(), trigger("trigger", {1, "epoch"}));
  if (name == "EarlyStoppingTrigger") {
    triggers::EarlyStoppingOptions early;
    if (const auto* monitor = member(options, "monitor")) early.monitor = monitor->text();
    if (const auto* patience = member(options, "patience")) early.patience = static_cast<int>(patience->number());
    if (const auto* mode = member(options, "mode")) early.mode = mode->text();
    early.check_trigger = trigger("check_trigger", early.check_trigger);
    early.max_trigger = trigger("max_trigger", early.max_trigger);
    return triggers::EarlyStoppingTrigger(early);
  }
  throw Error("no trigger " + name);
}

}  // namespace

TEST_CASE("triggers fire when Chainer's do", "[triggers]") {
  const int cases = for_each_golden("triggers", [](const json::Value& recorded, const serializers::Dictionary& arrays) {
    Trigger trigger = make(recorded);
    FakeUpdater updater(static_cast<int>(at(recorded, "iterations_per_epoch").number()));
    Trainer trainer(updater);
    const auto fires = array_of(arrays, "fires");
    const auto& resume_at = at(recorded, "resume_at");
    for (std::int64_t i = 0; i < fires.size(); ++i) {
      updater.update();
      trainer.observation() = {};
      for (const auto& [key, value] : arrays) {
        constexpr std::string_view prefix = "observation/";
        if (!key.starts_with(prefix)) continue;
        const double observed = std::get<Array>(value).at<double>(i);
        if (!std::isnan(observed)) trainer.observation().set(key.substr(prefix.size()), observed);
      }
      INFO("iteration " << i + 1);
      CHECK(trigger(trainer) == fires.to("cpu").at<bool>(i));
      if (resume_at.is_number() && static_cast<std::int64_t>(resume_at.number()) == i + 1) {
        Trigger fresh = make(recorded);
        reload(trigger, fresh);
        trigger = fresh;
      }
    }
  });
  if (cases >= 0) CHECK(cases >= 9);
}

TEST_CASE("an interval trigger fires where a multiple of its period is reached or passed", "[triggers]") {
  FakeUpdater updater(4);
  Trainer trainer(updater);
  Trigger epochs{0.5, "epoch"}, iterations{3, "iteration"};
  std::string by_epoch, by_iteration;
  for (int i = 0; i < 9; ++i) {
    updater.update();
    by_epoch += epochs(trainer) ? 'x' : '.';
    by_iteration += iterations(trainer) ? 'x' : '.';
  }
  CHECK(by_epoch == ".x.x.x.x.");
  CHECK(by_iteration == "..x..x..x");
  // Asked for the first time later on, it looks back to the start.
  Trigger late{3, "iteration"};
  CHECK(late(trainer));
  CHECK_FALSE(late(trainer));

  CHECK_THROWS_AS((Trigger{1, "minute"}), ArgumentError);
  CHECK_THROWS_AS((Trigger{0, "epoch"}), ArgumentError);
  CHECK(epochs.training_length()->period == 0.5);
}

TEST_CASE("fractions of epochs are counted as Python counts them", "[triggers]") {
  CHECK(triggers::detail::whole_periods(1.0, 0.1) == 9);
  CHECK(triggers::detail::whole_periods(0.3, 0.1) == 2);
  CHECK(triggers::detail::whole_periods(0.4, 0.1) == 4);
  CHECK(triggers::detail::whole_periods(20, 20) == 1);
  CHECK(triggers::detail::whole_periods(19.99, 20) == 0);
}

TEST_CASE("a time trigger fires once per period of elapsed time", "[triggers]") {
  FakeUpdater updater(1);
  Trainer trainer(updater);
  serializers::from_dictionary({{"_snapshot_elapsed_time", scalar(25.0)}}, trainer, {.strict = false});
  REQUIRE(trainer.elapsed_time() == 25);
  triggers::TimeTrigger trigger(10), resumed(10);
  CHECK(trigger(trainer));
  reload(trigger, resumed);
  CHECK(resumed(trainer));
  CHECK_FALSE(resumed(trainer));
  CHECK_THROWS_AS(triggers::TimeTrigger(0), ArgumentError);
}

TEST_CASE("an interval trigger goes on from a snapshot, also from one that lacks it", "[triggers]") {
  FakeUpdater updater(4);
  Trainer trainer(updater);
  for (int i = 0; i < 5; ++i) updater.update();
  Trigger trigger{3, "iteration"};
  serializers::from_dictionary({}, trigger);
  updater.update();
  CHECK(trigger(trainer));  // 5 -> 6
  Trigger other{5, "iteration"};
  serializers::from_dictionary({}, other);
  CHECK_FALSE(other(trainer));  // 5 -> 6, not 0 -> 6
}

TEST_CASE("a trigger without anything never fires, and any callable is a trigger", "[triggers]") {
  FakeUpdater updater(4);
  Trainer trainer(updater);
  Trigger never;
  CHECK_FALSE(never);
  CHECK_FALSE(never(trainer));
  CHECK_FALSE(never.training_length());
  Trigger odd = [](Trainer& t) { return t.updater().iteration() % 2 == 1; };
  CHECK_FALSE(odd(trainer));
  updater.update();
  CHECK(odd(trainer));
}

TEST_CASE("a once trigger is finished after it fired, also in a resumed training", "[triggers]") {
  FakeUpdater updater(4);
  Trainer trainer(updater);
  triggers::OnceTrigger once, resumed, again(true);
  CHECK(once(trainer));
  CHECK(once.finished());
  CHECK_FALSE(once(trainer));
  reload(once, resumed);
  CHECK(resumed.finished());
  reload(once, again);
  CHECK(again(trainer));
  CHECK_FALSE(again(trainer));
}

TEST_CASE("a best-value trigger needs its value and keeps the best in snapshots", "[triggers]") {
  FakeUpdater updater(1);
  Trainer trainer(updater);
  triggers::MaxValueTrigger trigger("x"), resumed("x");
  updater.update();
  CHECK_THROWS_WITH(trigger(trainer), "[BestValueTrigger] nothing was observed as 'x'");
  const auto observe = [&](double value) {
    updater.update();
    trainer.observation().set("x", value);
  };
  CHECK(std::holds_alternative<std::monostate>(serializers::to_dictionary(trigger).at("best_value")));
  observe(2);
  CHECK(trigger(trainer));
  observe(2);
  CHECK_FALSE(trigger(trainer));
  reload(trigger, resumed);
  CHECK(resumed.best_value() == 2.0);
  observe(1);
  CHECK_FALSE(resumed(trainer));
  observe(3);
  CHECK(resumed(trainer));
}

TEST_CASE("an early-stopping trigger refuses an unknown mode", "[triggers]") {
  CHECK_THROWS_AS(triggers::EarlyStoppingTrigger({.mode = "best"}), ArgumentError);
}

TEST_CASE("early stopping needs a patience", "[triggers]") {
  CHECK_THROWS_AS(triggers::EarlyStoppingTrigger({.patience = 0}), ArgumentError);
  CHECK_THROWS_AS(triggers::EarlyStoppingTrigger({.patience = -1}), ArgumentError);
}
