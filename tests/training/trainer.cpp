#include "dnn/training/trainer.hpp"

#include <signal.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "dnn/training/extensions.hpp"
#include "dnn/training/triggers.hpp"
#include "training/support.hpp"

using namespace dnn;
using namespace dnn::training;
using namespace support;

namespace {

/// Writes down what is done to it.
struct Recorder : Extension {
  explicit Recorder(std::string& text, std::string letter = "x") : text_(&text), letter_(std::move(letter)) {}
  void operator()(Trainer&) override { *text_ += letter_; }
  std::string default_name() const override { return "Recorder"; }
  void restore(Trainer&) override { *text_ += "R"; }
  void initialize(Trainer&) override { *text_ += "I"; }
  void finalize() override { *text_ += "F"; }
  void on_error(Trainer&, const std::exception& error) override { *text_ += std::string("E(") + error.what() + ")"; }
  void on_interrupt(Trainer&) override { *text_ += "C"; }

 private:
  std::string* text_;
  std::string letter_;
};

}  // namespace

TEST_CASE("extensions have Chainer's names and priorities", "[trainer]") {
  FakeUpdater updater(2);
  Trainer trainer(updater);
  trainer.extend(extensions::LogReport{});
  trainer.extend(extensions::LogReport{});
  trainer.extend(extensions::PrintReport{{"epoch"}});
  trainer.extend(extensions::ProgressBar{});
  trainer.extend(extensions::snapshot());
  trainer.extend(extensions::snapshot());
  trainer.extend(extensions::observe_lr());
  trainer.extend(extensions::ExponentialShift{"lr", 0.5});
  trainer.extend(extensions::DumpGraph{"main/loss"});
  trainer.extend(extensions::FailOnNonNumber{});
  const auto recorded = golden("text__trainer__extension_names.json");
  if (!recorded) return;
  for (const auto& each : at(*recorded, "extensions").array()) {
    const auto& name = each.array()[0].text();
    INFO(name);
    CHECK(trainer.extension(name).default_priority() == static_cast<int>(each.array()[1].number()));
  }
}

TEST_CASE("extensions run by falling priority, equals in the order in which they were added", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  FakeUpdater updater(2, [&](std::int64_t) { text += "|"; });
  Trainer trainer(updater, {2, "iteration"}, out / "deep/result");
  trainer.extend([&](Trainer&) { text += "c"; }, {.name = "c"});
  trainer.extend([&](Trainer&) { text += "a"; }, {.name = "a", .priority = priority_writer});
  trainer.extend([&](Trainer&) { text += "d"; }, {.name = "c", .trigger = {2, "iteration"}});
  trainer.extend([&](Trainer&) { text += "b"; },
                 {.name = "b", .priority = priority_editor, .call_before_training = true});
  trainer.run();
  CHECK(text == "b|abc|abcd");
  CHECK(trainer.extension("c_1").name() == "c_1");
  CHECK(std::filesystem::is_directory(out / "deep/result"));
  CHECK(updater.finalized == 1);
  CHECK_FALSE(trainer.interrupted());
  CHECK_THROWS_AS(trainer.run(), ArgumentError);
  CHECK_THROWS_AS(trainer.extension("z"), ArgumentError);
  CHECK_THROWS_AS(trainer.extend([](Trainer&) {}), ArgumentError);
  CHECK_THROWS_AS(trainer.extend([](Trainer&) {}, {.name = "training"}), ArgumentError);
}

TEST_CASE("an extension of the user's is referred to, a temporary is moved in, a pointer is shared", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  FakeUpdater updater(2);
  Trainer trainer(updater, {1, "iteration"}, out / "result");
  Recorder mine(text, "1");
  auto shared = std::make_shared<Recorder>(text, "3");
  CHECK(&trainer.extend(mine) == &mine);
  trainer.extend(Recorder(text, "2"));
  CHECK(&trainer.extend(shared) == shared.get());
  trainer.run();
  CHECK(text == "RRRIII123FFF");
}

TEST_CASE("a function object may have the hooks of an extension", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  struct Hooked {
    std::string* text;
    std::int64_t calls = 0;
    void operator()(Trainer&) { ++calls; }
    void initialize(Trainer&) { *text += "I"; }
    void finalize() { *text += "F"; }
    void serialize(Serializer& s) { s("calls", calls); }
  };
  FakeUpdater updater(2);
  Trainer trainer(updater, {3, "iteration"}, out / "result");
  trainer.extend(Hooked{&text}, {.name = "hooked"});
  trainer.run();
  CHECK(text == "IF");
  CHECK(std::get<Array>(serializers::to_dictionary(trainer).at("extensions/hooked/calls")).item() == 3);
}

TEST_CASE("what an iteration throws is told to all extensions, and thrown on after they are finalized", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  FakeUpdater updater(2, [](std::int64_t i) {
    if (i == 2) throw std::out_of_range("boom");
  });
  Trainer trainer(updater, {5, "iteration"}, out / "result");
  trainer.extend(Recorder(text));
  struct Faulty : Recorder {
    using Recorder::Recorder;
    void on_error(Trainer&, const std::exception&) override { throw std::runtime_error("again"); }
    void finalize() override { throw std::runtime_error("and again"); }
  };
  trainer.extend(Faulty(text));
  trainer.extend(Recorder(text));
  CHECK_THROWS_AS(trainer.run(), std::out_of_range);
  CHECK(text == "RRRIIIxxxE(boom)E(boom)FF");
  CHECK(updater.finalized == 1);
  CHECK(Reporter::current() == nullptr);
}

TEST_CASE("when an extension cannot start, those that had started are finalized", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  struct Faulty : Recorder {
    using Recorder::Recorder;
    void initialize(Trainer&) override { throw std::out_of_range("no"); }
  };
  FakeUpdater updater(2);
  Trainer trainer(updater, {5, "iteration"}, out / "result");
  trainer.extend(Recorder(text));
  trainer.extend(Faulty(text));
  trainer.extend(Recorder(text));
  CHECK_THROWS_AS(trainer.run(), std::out_of_range);
  CHECK(text == "RRRIF");
  CHECK(updater.finalized == 1);
  CHECK(updater.iteration() == 0);
}

TEST_CASE("a finished trigger's extension is not initialized", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  FakeUpdater updater(2);
  triggers::OnceTrigger once;
  Trainer trainer(updater, {1, "iteration"}, out / "result");
  once(trainer);
  trainer.extend(Recorder(text), {.trigger = once});
  trainer.run();
  CHECK(text == "RF");
}

TEST_CASE("the first SIGINT ends the run after the iteration and saves, and the old handler comes back", "[trainer]") {
  struct sigaction ours {
  }, before{}, after{};
  ours.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &ours, &before);  // shells start background processes with SIGINT ignored
  files::TemporaryFolder out;
  std::string text;
  FakeUpdater updater(2, [](std::int64_t i) {
    if (i == 3) std::raise(SIGINT);
  });
  Trainer trainer(updater, {5, "iteration"}, out / "result");
  trainer.extend(Recorder(text));
  trainer.extend(extensions::snapshot(), {.trigger = {100, "epoch"}});
  trainer.run();
  ::sigaction(SIGINT, &before, &after);
  CHECK(after.sa_handler == SIG_DFL);
  CHECK(text == "RIxxxCF");
  CHECK(trainer.interrupted());
  REQUIRE(std::filesystem::exists(out / "result/snapshot_iter_3"));

  FakeUpdater fresh(2);
  Trainer resumed(fresh, {5, "iteration"}, out / "result");
  resumed.extend(extensions::snapshot(), {.trigger = {100, "epoch"}});
  serializers::load_npz(out / "result/snapshot_iter_3", resumed, {.ignore_names = [](std::string_view key) {
                          return key.find("Recorder") != std::string_view::npos;
                        }});
  resumed.run();
  CHECK(fresh.iteration() == 5);
}

TEST_CASE("snapshots: the newest ones are kept, temporary files are none, and autoload goes on from the newest",
          "[trainer]") {
  files::TemporaryFolder out;
  FakeUpdater updater(2);
  {
    Trainer trainer(updater, {3, "epoch"}, out / "result");
    trainer.extend(extensions::snapshot({.n_retains = 2}));
    trainer.run();
  }
  CHECK_FALSE(std::filesystem::exists(out / "result/snapshot_iter_2"));
  CHECK(std::filesystem::exists(out / "result/snapshot_iter_4"));
  CHECK(std::filesystem::exists(out / "result/snapshot_iter_6"));
  files::write(out / "result/snapshot_iter_9.4711-0.tmp", "not complete");

  FakeUpdater fresh(2);
  std::int64_t initialized_at = -1;
  Trainer trainer(fresh, {4, "epoch"}, out / "result");
  trainer.extend(extensions::snapshot({.autoload = true}));
  struct Look {
    std::int64_t* iteration;
    void operator()(Trainer&) {}
    void initialize(Trainer& t) { *iteration = t.updater().iteration(); }
  };
  trainer.extend(Look{&initialized_at}, {.name = "look"});
  trainer.run();
  CHECK(fresh.iteration() == 8);
  CHECK(initialized_at == 6);
  CHECK(trainer.elapsed_time() > 0);
}

TEST_CASE("snapshots can depend on a condition and be taken when an iteration throws", "[trainer]") {
  files::TemporaryFolder out;
  FakeUpdater updater(1, [](std::int64_t i) {
    if (i == 3) throw Error("boom");
  });
  Trainer trainer(updater, {5, "epoch"}, out / "result");
  trainer.extend(extensions::snapshot({.filename = "never_{.updater.epoch}", .condition = [] { return false; }}));
  trainer.extend(extensions::snapshot({.filename = "error_{.updater.iteration}", .snapshot_on_error = true}),
                 {.trigger = {100, "epoch"}});
  CHECK_THROWS_AS(trainer.run(), Error);
  CHECK(std::filesystem::exists(out / "result/error_2"));
  CHECK_FALSE(std::filesystem::exists(out / "result/never_1"));
}

TEST_CASE("the state of the default generator is part of a snapshot, and may be missing", "[trainer]") {
  FakeUpdater updater(2), fresh(2);
  Trainer trainer(updater), other(fresh);
  seed(0xfedcba9876543210u);
  (void)default_generator().draw(1000);
  auto state = serializers::to_dictionary(trainer);
  seed(1);
  serializers::from_dictionary(state, other);
  CHECK(default_generator().seed() == 0xfedcba9876543210u);
  CHECK(default_generator().position() == 1000);
  state.erase("_random_state");
  seed(2);
  serializers::from_dictionary(state, other);
  CHECK(default_generator().seed() == 2);
  CHECK(default_generator().position() == 0);
}

TEST_CASE("extensions are not added during the run", "[trainer]") {
  files::TemporaryFolder out;
  std::string text;
  FakeUpdater updater(2);
  Trainer trainer(updater, {1, "iteration"}, out / "result");
  trainer.extend([&](Trainer& t) { CHECK_THROWS_AS(t.extend(Recorder(text)), ArgumentError); }, {.name = "adder"});
  trainer.run();
  CHECK(text.empty());
}

TEST_CASE("an output folder that cannot be is an error before the first iteration", "[trainer]") {
  files::TemporaryFolder out;
  files::write(out / "file", "");
  int iterations = 0;
  FakeUpdater updater(2, [&](std::int64_t) { ++iterations; });
  Trainer trainer(updater, {1, "iteration"}, out / "file" / "result");
  CHECK_THROWS_AS(trainer.run(), FileError);
  CHECK(iterations == 0);
}
