// Extensions that need no model: reports, bars, plots, averages and shifts.
#include "dnn/training/extensions.hpp"

#include <fcntl.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "dnn/optimizers/sgd.hpp"
#include "training/support.hpp"

using namespace dnn;
using namespace dnn::training;
using namespace support;

namespace {

TextOutput into(std::string& text) {
  return TextOutput([&text](std::string_view part) { text += part; });
}

/// The constants that a recorded case passes, by name.
class Arguments {
 public:
  explicit Arguments(const json::Value& recorded) : options_(at(recorded, "kwargs")) {}
  const json::Value* find(std::string_view key) const {
    const auto* value = member(options_, key);
    if (!value) return nullptr;
    const auto& constant = at(*value, "const");
    return std::holds_alternative<std::nullptr_t>(constant) ? nullptr : &constant;
  }
  double number(std::string_view key) const { return find(key)->number(); }
  std::optional<double> maybe(std::string_view key) const {
    const auto* value = find(key);
    return value ? std::optional(value->number()) : std::nullopt;
  }
  std::pair<double, double> pair(std::string_view key) const {
    const auto& values = at(*find(key), "tuple").array();
    return {values[0].number(), values[1].number()};
  }

 private:
  const json::Value& options_;
};

std::unique_ptr<extensions::ValueShift> make_shift(const json::Value& recorded) {
  using namespace extensions;
  const auto& name = at(recorded, "name").text();
  const auto& attribute = at(recorded, "args").array()[0].text();
  const Arguments a(recorded);
  const ShiftOptions options{a.maybe("init"), a.maybe("target")};
  if (name == "ExponentialShift") return std::make_unique<ExponentialShift>(attribute, a.number("rate"), options);
  if (name == "StepShift") return std::make_unique<StepShift>(attribute, a.number("gamma"), a.number("step"), options);
  if (name == "InverseShift")
    return std::make_unique<InverseShift>(attribute, a.number("gamma"), a.number("power"), options);
  if (name == "PolynomialShift") {
    return std::make_unique<PolynomialShift>(attribute, a.number("rate"), a.number("max_count"), options);
  }
  if (name == "LinearShift")
    return std::make_unique<LinearShift>(attribute, a.pair("value_range"), a.pair("time_range"));
  if (name == "MultistepShift") {
    std::vector<std::int64_t> steps;
    for (const auto& step : a.find("step_value")->array()) steps.push_back(static_cast<std::int64_t>(step.number()));
    return std::make_unique<MultistepShift>(attribute, a.number("gamma"), steps, a.maybe("init"));
  }
  if (name == "WarmupShift") {
    return std::make_unique<WarmupShift>(attribute, a.maybe("warmup_start"),
                                         static_cast<std::int64_t>(a.number("warmup_iter")), a.number("init"));
  }
  throw Error("no extension " + name);
}

extensions::LogRecord without_tags(const json::Value& record) {
  extensions::LogRecord out = record.object();
  for (auto& [key, value] : out) {
    if (std::holds_alternative<std::string>(value)) value = std::nan("");
  }
  return out;
}

}  // namespace

TEST_CASE("shifts give the values that Chainer's give, also resumed", "[extensions]") {
  const int cases =
      for_each_golden("extensions", [](const json::Value& recorded, const serializers::Dictionary& arrays) {
        auto shift = make_shift(recorded);
        FakeUpdater updater(4);
        optimizers::SGD first{{.lr = 0.1}}, second{{.lr = 0.1}};
        Parameter p(array({1.0f}));
        struct Model {
          Parameter& w;
          void serialize(Serializer& s) { s("w", w); }
        } model{p};
        first.setup(model);
        second.setup(model);
        optimizers::SGD* optimizer = &first;
        updater.optimizer = optimizer;
        Trainer trainer(updater);

        const Array values = array_of(arrays, "values");
        const auto& resume_at = at(recorded, "resume_at");
        shift->initialize(trainer);
        std::int64_t next = 0;
        const auto check = [&] {
          INFO("value " << next);
          CHECK(optimizer->hyperparam.lr == Approx(values.to("cpu").at<double>(next)).epsilon(1e-9));
          ++next;
        };
        check();
        for (int call = 1; next < values.size(); ++call) {
          (*shift)(trainer);
          check();
          if (resume_at.is_number() && static_cast<int>(resume_at.number()) == call) {
            auto fresh = make_shift(recorded);
            reload(static_cast<Extension&>(*shift), static_cast<Extension&>(*fresh));
            shift = std::move(fresh);
            optimizer = &second;
            updater.optimizer = optimizer;
            shift->initialize(trainer);
            check();
          }
        }
      });
  if (cases >= 0) CHECK(cases >= 13);
}

TEST_CASE("multistep and warm-up shifts set the value that was reached when a training goes on", "[extensions]") {
  FakeUpdater updater(4);
  Parameter p(array({1.0f}));
  struct Model {
    Parameter& w;
    void serialize(Serializer& s) { s("w", w); }
  } model{p};
  optimizers::SGD optimizer{{.lr = 1}};
  optimizer.setup(model);
  updater.optimizer = &optimizer;
  Trainer trainer(updater);
  extensions::MultistepShift steps("lr", 0.5, {2, 3}, 8.0), resumed_steps("lr", 0.5, {2, 3}, 8.0);
  steps.initialize(trainer);
  for (int i = 0; i < 3; ++i) steps(trainer);
  CHECK(optimizer.hyperparam.lr == 2);
  reload<Extension>(steps, resumed_steps);
  optimizer.hyperparam.lr = 1;
  resumed_steps.initialize(trainer);
  CHECK(optimizer.hyperparam.lr == 2);

  extensions::WarmupShift warmup("lr", 0.0, 4, 1.0), resumed_warmup("lr", 0.0, 4, 1.0);
  warmup.initialize(trainer);
  warmup(trainer);
  CHECK(optimizer.hyperparam.lr == 0.25);
  reload<Extension>(warmup, resumed_warmup);
  optimizer.hyperparam.lr = 7;
  resumed_warmup.initialize(trainer);
  CHECK(optimizer.hyperparam.lr == 0.25);
}

TEST_CASE("shifts refuse rates that make no sense and unknown hyperparameters", "[extensions]") {
  CHECK_THROWS_AS(extensions::ExponentialShift("lr", -1), ArgumentError);
  CHECK_THROWS_AS(extensions::StepShift("lr", 0.5, 0), ArgumentError);
  CHECK_THROWS_AS(extensions::InverseShift("lr", -1, 1), ArgumentError);
  FakeUpdater updater(4);
  optimizers::SGD optimizer;
  updater.optimizer = &optimizer;
  struct Model {
    void serialize(Serializer&) {}
  } model;
  optimizer.setup(model);
  Trainer trainer(updater);
  extensions::ExponentialShift shift("alpha", 0.5);
  CHECK_THROWS_AS(shift.initialize(trainer), ArgumentError);
}

TEST_CASE("PrintReport prints Chainer's table", "[extensions]") {
  const auto recorded = golden("text__print_report__basic.json");
  if (!recorded) return;
  std::vector<std::string> entries;
  for (const auto& entry : at(*recorded, "entries").array()) entries.push_back(entry.text());
  std::vector<extensions::LogRecord> log;
  for (const auto& record : at(*recorded, "log").array()) log.push_back(without_tags(record));

  std::string text;
  extensions::PrintReport report(entries, {.out = into(text)});
  report.print({log[0]});
  report.print(log);
  CHECK(text == at(*recorded, "output").text());

  text.clear();
  extensions::PrintReport quiet({"epoch"}, {.out = TextOutput([&](std::string_view part) { text += part; }, false)});
  quiet.print({log[0]});
  CHECK(text == "epoch     \n1           \n");
}

TEST_CASE("ProgressBar shows Chainer's lines", "[extensions]") {
  for (const char* name : {"text__progress_bar__epoch.json", "text__progress_bar__iteration.json"}) {
    const auto recorded = golden(name);
    if (!recorded) return;
    std::string lines;
    for (const auto& line : at(*recorded, "lines").array()) lines += line.text();
    const auto iteration = static_cast<std::int64_t>(at(*recorded, "iteration").number());
    const double per = at(*recorded, "iterations_per_epoch").number(), speed = at(*recorded, "iters_per_sec").number();
    const double detail = static_cast<double>(iteration) / per;
    const auto& stop = at(*recorded, "stop").array();
    CHECK(extensions::progress_text({iteration,
                                     static_cast<std::int64_t>(detail),
                                     detail,
                                     {stop[0].number(), stop[1].text()},
                                     speed,
                                     speed / per}) == lines);
  }
}

TEST_CASE("a progress bar says nothing when the output is no terminal", "[extensions]") {
  files::TemporaryFolder out;
  std::string quiet, loud;
  FakeUpdater updater(2);
  Trainer trainer(updater, {3, "epoch"}, out / "result");
  trainer.extend(extensions::ProgressBar(
      {.update_interval = 1, .out = TextOutput([&](std::string_view t) { quiet += t; }, false)}));
  trainer.extend(extensions::ProgressBar({.update_interval = 2, .out = into(loud)}));
  trainer.run();
  CHECK(quiet.empty());
  CHECK(loud.starts_with("\033[J     total [################..................................] 33.33%\n"));
  CHECK(loud.ends_with("\033[4A\033[J"));
  CHECK(extensions::detail::duration_text(90061.5) == "1 day, 1:01:01.500000");
  CHECK(extensions::detail::duration_text(5) == "0:00:05");
}

TEST_CASE("LogReport writes Chainer's file, byte for byte", "[extensions]") {
  const auto recorded = golden("text__log_report__file.json");
  if (!recorded) return;
  CHECK(json::dump(at(*recorded, "records"), 4) == at(*recorded, "output").text());
}

TEST_CASE("LogReport logs means between its entries and goes on from a snapshot", "[extensions]") {
  files::TemporaryFolder out;
  const auto body = [](std::int64_t i) {
    report({{"loss", static_cast<double>(i)}, {"vector", zeros({2})}});
    if (i == 3) report({{"rare", 7}});
  };
  FakeUpdater updater(2, body), fresh(2, body);
  extensions::LogReport log(
      {.postprocess = [](extensions::LogRecord& r) { r.back().second = 0.5; }, .filename = "log_{epoch:02}"});
  {
    Trainer trainer(updater, {5, "iteration"}, out / "result");
    trainer.extend(log);
    trainer.run();
    CHECK(files::read(out / "result/log_01") ==
          "[\n    {\n        \"loss\": 1.5,\n        \"epoch\": 1,\n        \"iteration\": 2,\n        "
          "\"elapsed_time\": 0.5\n    }\n]");
    REQUIRE(log.log().size() == 2);
    CHECK(json::dump(log.log()[1]) == R"({"loss": 3.5, "rare": 7.0, "epoch": 2, "iteration": 4, "elapsed_time": 0.5})");
  }
  // The fifth iteration is in the snapshot and counts in the third entry.
  extensions::LogReport resumed({.filename = std::nullopt});
  reload(updater, fresh);
  reload(log, resumed);
  Trainer trainer(fresh, {6, "iteration"}, out / "result");
  trainer.extend(resumed);
  trainer.run();
  REQUIRE(resumed.log().size() == 3);
  CHECK(extensions::find(resumed.log()[2], "loss")->number() == 5.5);
}

TEST_CASE("a log in a snapshot that is malformed is a named error", "[extensions]") {
  extensions::LogReport log;
  auto state = serializers::to_dictionary(log);
  for (const char* text : {"[1", "[1]", "{}", "x"}) {
    state["_log"] = std::string(text);
    CHECK_THROWS_AS(serializers::from_dictionary(state, log), SerializationError);
  }
}

TEST_CASE("LogReport takes only the keys it was given", "[extensions]") {
  files::TemporaryFolder out;
  FakeUpdater updater(1, [](std::int64_t) { report({{"a", 1}, {"b", 2}}); });
  Trainer trainer(updater, {1, "epoch"}, out / "result");
  auto& log = trainer.extend(extensions::LogReport({.keys = {"b", "c"}}));
  trainer.run();
  CHECK(log.log()[0][0].first == "b");
  CHECK(log.log()[0].size() == 4);
}

TEST_CASE("MicroAverage divides the sums", "[extensions]") {
  files::TemporaryFolder out;
  FakeUpdater updater(3, [](std::int64_t i) {
    report({{"correct", i}});
    if (i != 2) report({{"all", 10 * i}});
  });
  Trainer trainer(updater, {1, "epoch"}, out / "result");
  trainer.extend(extensions::MicroAverage("correct", "all", "accuracy"));
  double accuracy = 0;
  trainer.extend([&](Trainer& t) { accuracy = t.observation()["accuracy"].number(); },
                 {.name = "look", .trigger = {1, "epoch"}});
  trainer.run();
  CHECK(accuracy == 0.1);
}

TEST_CASE("PlotReport writes a plot and keeps its points in snapshots", "[extensions]") {
  files::TemporaryFolder out;
  FakeUpdater updater(2, [](std::int64_t i) {
    report({{"loss", 1.0 / static_cast<double>(i)}, {"bad", std::nan("")}});
  });
  Trainer trainer(updater, {3, "epoch"}, out / "result");
  auto& plot =
      trainer.extend(extensions::PlotReport({"loss", "bad", "absent"}, {.x_key = "epoch", .filename = "loss.svg"}));
  trainer.run();
  const std::string svg = files::read(out / "result/loss.svg");
  CHECK(svg == plot.svg());
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find(">loss</text>") != std::string::npos);
  extensions::PlotReport resumed({"loss", "bad", "absent"}, {.x_key = "epoch", .filename = "loss.svg"});
  reload(plot, resumed);
  CHECK(resumed.svg() == svg);
  CHECK_THROWS_AS(extensions::PlotReport({"loss"}, {.filename = "loss.png"}), ArgumentError);
}

TEST_CASE("a plot that goes on in mid-epoch is the plot of the whole training", "[extensions]") {
  files::TemporaryFolder out;
  const auto body = [](std::int64_t i) { report({{"loss", static_cast<double>(i * i)}}); };
  const auto plot = [] { return extensions::PlotReport({"loss"}, {.x_key = "epoch", .filename = "loss.svg"}); };
  FakeUpdater whole_updater(4, body), first_updater(4, body), second_updater(4, body);
  Trainer whole(whole_updater, {10, "iteration"}, out / "whole");
  auto& expected = whole.extend(plot());
  whole.run();
  Trainer first(first_updater, {6, "iteration"}, out / "parts");
  first.extend(plot());
  first.run();
  Trainer second(second_updater, {10, "iteration"}, out / "parts");
  auto& resumed = second.extend(plot());
  reload(first, second);
  second.run();
  CHECK(resumed.svg() == expected.svg());

  // Chainer's snapshots have the points alone.
  auto state = serializers::to_dictionary(static_cast<Extension&>(expected));
  std::erase_if(state, [](const auto& item) { return !item.first.starts_with("_plot_"); });
  REQUIRE(state.size() == 1);
  auto old = plot();
  serializers::from_dictionary(state, old);
  CHECK(old.svg() == expected.svg());
  state["_plot_loss.svg"] = std::string("[1");
  CHECK_THROWS_AS(serializers::from_dictionary(state, old), SerializationError);
}

TEST_CASE("an extension that the saved training did not have", "[extensions]") {
  files::TemporaryFolder out;
  const auto body = [](std::int64_t i) { report({{"loss", static_cast<double>(i)}}); };
  FakeUpdater without_updater(4, body), with_updater(4, body), log_updater(4, body);
  Trainer without(without_updater, {6, "iteration"}, out / "result");
  without.run();
  // A plot starts where the training goes on ...
  Trainer with(with_updater, {8, "iteration"}, out / "result");
  auto& plot = with.extend(extensions::PlotReport({"loss"}, {.filename = "loss.svg"}));
  reload(without, with);
  with.run();
  const auto state = serializers::to_dictionary(static_cast<Extension&>(plot));
  CHECK(std::get<std::string>(state.at("_plot_loss.svg")) == R"({"loss": [[8, 7.5]]})");
  // ... others must be told to.
  Trainer with_log(log_updater, {8, "iteration"}, out / "result");
  with_log.extend(extensions::LogReport{});
  CHECK_THROWS_WITH(reload(without, with_log), Catch::Matchers::ContainsSubstring("LogReport") &&
                                                   Catch::Matchers::ContainsSubstring("{.strict = false}"));
  serializers::from_dictionary(serializers::to_dictionary(without), with_log, {.strict = false});
  CHECK(log_updater.iteration() == 6);
}

TEST_CASE("snapshots remove the oldest of their own files and nothing else", "[extensions]") {
  files::TemporaryFolder out;
  const auto kept = [&](const std::string& name) { return std::filesystem::exists(out / ("result/" + name)); };
  std::filesystem::create_directories(out / "result/s_0_0.npz");
  for (const char* name : {"s_best_1.npz", "s_1_2.npz.5-0.tmp", "s_1_notes_2.npz", "s_01_2.npz"}) {
    files::write(out / (std::string("result/") + name), "the user's");
  }
  FakeUpdater updater(2);
  Trainer trainer(updater, {5, "iteration"}, out / "result");
  trainer.extend(extensions::snapshot({.filename = "s_{.updater.epoch}_{.updater.iteration}.npz", .n_retains = 2}),
                 {.trigger = {1, "iteration"}});
  trainer.run();
  for (const char* name : {"s_best_1.npz", "s_1_2.npz.5-0.tmp", "s_1_notes_2.npz", "s_01_2.npz", "s_0_0.npz"}) {
    INFO(name);
    CHECK(kept(name));
  }
  CHECK_FALSE(kept("s_1_3.npz"));
  CHECK(kept("s_2_4.npz"));
  CHECK(kept("s_2_5.npz"));
}

TEST_CASE("snapshots may be in folders of their own", "[extensions]") {
  files::TemporaryFolder out;
  const extensions::SnapshotOptions options{
      .filename = "saved/epoch_{.updater.epoch}/{.updater.iteration}.npz", .n_retains = 2, .autoload = true};
  FakeUpdater updater(2), fresh(2);
  Trainer trainer(updater, {5, "iteration"}, out / "result"), resumed(fresh, {5, "iteration"}, out / "result");
  trainer.extend(extensions::snapshot(options), {.trigger = {1, "iteration"}});
  trainer.run();
  CHECK_FALSE(std::filesystem::exists(out / "result/saved/epoch_1/3.npz"));
  CHECK(std::filesystem::exists(out / "result/saved/epoch_2/4.npz"));
  CHECK(std::filesystem::exists(out / "result/saved/epoch_2/5.npz"));
  resumed.extend(extensions::snapshot(options));
  resumed.run();
  CHECK(fresh.iteration() == 5);
}

TEST_CASE("text that standard output does not take is an error", "[extensions]") {
  std::fflush(stdout);
  const int original = ::dup(STDOUT_FILENO), full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  ::dup2(full, STDOUT_FILENO);
  const TextOutput output;
  bool thrown = false;
  try {
    output.write("text");
  } catch (const FileError&) {
    thrown = true;
  }
  ::__fpurge(stdout);
  std::clearerr(stdout);
  ::dup2(original, STDOUT_FILENO);
  ::close(original);
  ::close(full);
  CHECK(thrown);
}

TEST_CASE("file names are patterns over the training", "[extensions]") {
  FakeUpdater updater(2);
  Trainer trainer(updater);
  for (int i = 0; i < 5; ++i) updater.update();
  CHECK(format_filename("snapshot_iter_{.updater.iteration}", trainer) == "snapshot_iter_5");
  CHECK(format_filename("{{a}}-{.updater.epoch:03d}_{0.updater.epoch_detail}.npz", trainer) == "{a}-002_2.5.npz");
  for (const char* bad : {"{", "}", "{.updater", "{.updater.loss}", "{.updater.epoch:x}", "{}"}) {
    CHECK_THROWS_AS(format_filename(bad, trainer), ArgumentError);
  }
  CHECK(matches_pattern("snapshot_iter_{.updater.iteration}", "snapshot_iter_12"));
  CHECK_FALSE(matches_pattern("snapshot_iter_{.updater.iteration}", "snapshot_iter_"));
  CHECK_FALSE(matches_pattern("snapshot_iter_{.updater.iteration}", "snapshot_iter_12.4242-0.tmp"));
  CHECK_FALSE(matches_pattern("{.updater.epoch}.npz", "model.npz"));
  CHECK(matches_pattern("best", "best"));
  CHECK(matches_pattern("{{a}}-{.updater.epoch:03d}_{0.updater.epoch_detail}.npz", "{a}-002_2.5.npz"));
  const std::string_view two = "e{.updater.epoch}_i{.updater.iteration:04}.npz";
  CHECK(matches_pattern(two, "e1_i0020.npz"));
  CHECK(matches_pattern(two, "e1_i12345.npz"));
  for (const char* other : {"e1_i20.npz", "e1_i00020.npz", "e_i0020.npz", "e1_best_i0020.npz", "e1_i0020.npz.bak",
                            "e1_i0020.npz.77-0.tmp", "e1 - 2_i0020.npz", "e01_i0020.npz", "e1_i0020_npz", ""}) {
    CHECK_FALSE(matches_pattern(two, other));
  }
  CHECK_FALSE(matches_pattern("{.updater.iteration}", "77-0"));
  CHECK(matches_pattern("t{.elapsed_time}", "t1e-05"));
  CHECK(matches_pattern("{.updater.epoch:3}", "  7"));
}
