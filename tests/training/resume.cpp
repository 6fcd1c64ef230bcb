// Whole trainings: against Chainer's, and killed and resumed.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "dnn/dnn.hpp"
#include "dnn/testing/leak_scope.hpp"
#include "dnn/training.hpp"
#include "training/support.hpp"

using namespace dnn;
using namespace dnn::training;
using namespace support;

namespace {

/// Everything that draws random numbers or keeps a state: shuffling, dropout, batch normalization, Adam.
struct Net : Chain<Net> {
  links::Linear l1{16}, l2{3};
  links::BatchNormalization bn{16};
  Variable operator()(const Variable& x) { return l2(dropout(relu(bn(l1(x))), 0.3)); }
};

datasets::TupleDataset toy_data() {
  // Not from the default generator: a resumed process makes the same data.
  Array x({50, 6}, float32, Device{}), t({50}, int32, Device{});
  const RandomStream stream{42, 0};
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<float>()[i] = stream.uniform_float(static_cast<std::uint64_t>(i)) - 0.5f;
  for (std::int64_t i = 0; i < 50; ++i)
    t.data<std::int32_t>()[i] = x.at<float>(i, 0) > 0.1f ? 2 : x.at<float>(i, 1) > 0 ? 1 : 0;
  return datasets::TupleDataset(x, t);
}

/// A whole training; made anew, it is what a new process has.
struct Training {
  Training(const std::filesystem::path& out, Trigger stop) : Training(out, std::move(stop), seeded()) {}

  iterators::SerialIterator train_iter, test_iter;
  links::Classifier<Net> model;
  optimizers::Adam optimizer;
  std::unique_ptr<StandardUpdater> updater;
  std::unique_ptr<Trainer> trainer;

 private:
  struct Seeded {};
  static Seeded seeded() {
    seed(7);
    return {};
  }
  Training(const std::filesystem::path& out, Trigger stop, Seeded)
      : train_iter(toy_data(), 8), test_iter(toy_data(), 20, {.repeat = false, .shuffle = false}), model(Net{}) {
    optimizer.setup(model);
    updater = std::make_unique<StandardUpdater>(train_iter, optimizer, model);
    trainer = std::make_unique<Trainer>(*updater, std::move(stop), out);
    trainer->extend(extensions::Evaluator{test_iter, model});
    trainer->extend(extensions::LogReport{});
    trainer->extend(extensions::ExponentialShift{"alpha", 0.99}, {.trigger = {1, "epoch"}});
    trainer->extend(extensions::snapshot({.n_retains = 3, .autoload = true}), {.trigger = {5, "iteration"}});
  }
};

/// Everything but what depends on time.
serializers::Dictionary state_of(Training& training) {
  auto state = serializers::to_dictionary(*training.trainer);
  state.erase("_snapshot_elapsed_time");
  state.erase("extensions/LogReport/_log");
  return state;
}

void check_same(const serializers::Dictionary& a, const serializers::Dictionary& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [key, value] : a) {
    INFO(key);
    if (std::holds_alternative<Array>(value)) {
      const Array array = std::get<Array>(value).to("cpu"), other = std::get<Array>(b.at(key)).to("cpu");
      REQUIRE(array.shape() == other.shape());
      // Bit by bit.
      CHECK(std::memcmp(array.bytes(), other.bytes(), array.nbytes()) == 0);
    } else {
      REQUIRE(b.at(key).index() == value.index());
      if (const auto* text = std::get_if<std::string>(&value)) CHECK(*text == std::get<std::string>(b.at(key)));
    }
  }
}

constexpr const char* child_folder = "DNN_TEST_TRAINING_FOLDER";

}  // namespace

// Not a test: what the process does that the next test kills.
TEST_CASE("a training that is killed", "[.killed]") {
  const char* out = std::getenv(child_folder);
  REQUIRE(out);
  Training training(out, {1'000'000, "epoch"});
  training.trainer->run();
}

TEST_CASE("a training that was killed goes on from its last snapshot as if nothing had happened", "[training]") {
  constexpr std::string_view pattern = "snapshot_iter_{.updater.iteration}";
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 3; ++round) {
    files::TemporaryFolder out;
    const auto folder = out / "result";
    const auto has_snapshot = [&] {
      std::error_code missing;
      for (const auto& file : std::filesystem::directory_iterator(folder, missing)) {
        if (matches_pattern(pattern, file.path().filename().string())) return true;
      }
      return false;
    };
    ::setenv(child_folder, folder.c_str(), 1);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      // A new image: threads do not survive a fork.
      ::execl("/proc/self/exe", "killed", "[.killed]", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    int status = 0;
    while (!has_snapshot() && ::waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution(0, 100'000)(random)));
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(has_snapshot());

    std::int64_t last = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      const std::string name = file.path().filename().string();
      if (!matches_pattern(pattern, name)) continue;
      last = std::max<std::int64_t>(last, std::stoll(name.substr(name.rfind('_') + 1)));
    }
    INFO("killed after the snapshot of iteration " << last);
    Training resumed(folder, {last + 20, "iteration"});
    resumed.trainer->run();
    CHECK(resumed.updater->iteration() == last + 20);
    Training whole(out / "whole", {last + 20, "iteration"});
    whole.trainer->run();
    check_same(state_of(whole), state_of(resumed));
  }
}

TEST_CASE("a training in two parts is the training in one", "[training]") {
  files::TemporaryFolder out;
  Training whole(out / "whole", {4, "epoch"});
  whole.trainer->run();
  const auto expected = state_of(whole);

  Training first(out / "parts", {10, "iteration"});
  first.trainer->run();
  Training second(out / "parts", {4, "epoch"});
  second.trainer->run();
  check_same(expected, state_of(second));

  const auto& log = dynamic_cast<extensions::LogReport&>(second.trainer->extension("LogReport")).log();
  const auto& whole_log = dynamic_cast<extensions::LogReport&>(whole.trainer->extension("LogReport")).log();
  REQUIRE(log.size() == whole_log.size());
  for (std::size_t i = 0; i < log.size(); ++i) {
    for (const char* key :
         {"main/loss", "main/accuracy", "validation/main/loss", "validation/main/accuracy", "epoch", "iteration"}) {
      CHECK(extensions::find(log[i], key)->number() == extensions::find(whole_log[i], key)->number());
    }
  }
}

TEST_CASE("a training frees its graphs", "[training]") {
  files::TemporaryFolder out;
  Training training(out / "result", {});
  training.updater->update();
  training.updater->update();
  testing::LeakScope scope;
  for (int i = 0; i < 20; ++i) training.updater->update();
  scope.check();
}

TEST_CASE("a snapshot of Chainer's is loaded, has the keys that are written here, and goes on as in Chainer",
          "[training]") {
  if (!files::chainer_data()) {
    WARN("DNN_CHAINER_DATA is not set: the comparison with Chainer's snapshots is left out");
    return;
  }
  const auto folder = std::filesystem::path(files::chainer_data()) / "files";
  for (const char* name : {"trainer_snapshot_plain", "trainer_snapshot_compressed"}) {
    INFO(name);
    const auto recorded = serializers::load_npz(folder / (std::string(name) + "_resume.npz"));
    const datasets::TupleDataset train(array_of(recorded, "train_x"), array_of(recorded, "train_t"));
    const datasets::TupleDataset test(array_of(recorded, "test_x"), array_of(recorded, "test_t"));
    iterators::SerialIterator train_iter{train, 4, {.shuffle = false}};
    iterators::SerialIterator test_iter{test, 4, {.repeat = false, .shuffle = false}};
    links::Classifier model{Sequential{links::Linear(6, 8), [](const Variable& x) { return tanh(x); },
                                       links::BatchNormalization(8), links::Linear(8, 3)}};
    optimizers::MomentumSGD optimizer{{.lr = 0.1}};
    optimizer.setup(model);
    optimizer.add_hook(optimizer_hooks::WeightDecay{0.01});
    StandardUpdater updater{train_iter, optimizer, model};
    files::TemporaryFolder out;
    Trainer trainer{updater, {4, "epoch"}, out / "result"};
    std::string text;
    const TextOutput into_text([&](std::string_view part) { text += part; });
    trainer.extend(extensions::Evaluator{test_iter, model});
    trainer.extend(extensions::ExponentialShift{"lr", 0.7}, {.trigger = {1, "epoch"}});
    trainer.extend(extensions::observe_lr());
    trainer.extend(extensions::snapshot());
    auto& log = trainer.extend(extensions::LogReport{});
    trainer.extend(extensions::PrintReport{{"epoch", "main/loss", "validation/main/loss", "lr"}, {.out = into_text}},
                   {.trigger = {1, "epoch"}});
    trainer.extend(extensions::ProgressBar{{.out = into_text}}, {.trigger = {1, "epoch"}});
    trainer.extend(extensions::snapshot_object(model, {.filename = "model_epoch-{.updater.epoch}"}),
                   {.trigger = triggers::MinValueTrigger("main/loss")});

    const auto file = folder / (std::string(name) + ".npz");
    serializers::load_npz(file, trainer);
    std::set<std::string> theirs, ours;
    for (const auto& [key, value] : serializers::load_npz(file)) theirs.insert(key);
    for (const auto& [key, value] : serializers::to_dictionary(trainer)) ours.insert(key);
    ours.erase("_random_state");
    CHECK(ours == theirs);
    CHECK(updater.iteration() == 7);

    trainer.run();
    REQUIRE(log.log().size() == 4);
    for (const auto& [key, value] : recorded) {
      INFO(key);
      if (key.starts_with("log/")) {
        for (std::size_t i = 0; i < 4; ++i) {
          CHECK(extensions::find(log.log()[i], key.substr(4))->number() ==
                Approx(std::get<Array>(value).at<double>(static_cast<std::int64_t>(i))).epsilon(1e-5));
        }
      } else if (key.starts_with("after/")) {
        const auto state = serializers::to_dictionary(model);
        std::string difference;
        CHECK(allclose(std::get<Array>(state.at(key.substr(6))), std::get<Array>(value), 1e-4, 1e-5, &difference));
        INFO(difference);
      }
    }
  }
}

TEST_CASE("FailOnNonNumber names the parameter", "[training]") {
  files::TemporaryFolder out;
  Training training(out / "result", {2, "iteration"});
  training.trainer->extend(extensions::FailOnNonNumber{});
  training.trainer->extend([&](Trainer&) { training.model.predictor.l2.W.array().fill(std::nan("")); },
                           {.name = "spoil", .priority = priority_writer});
  CHECK_THROWS_WITH(training.trainer->run(),
                    "[FailOnNonNumber] parameter /predictor/l2/W of optimizer 'main' is not finite after iteration 1");
}

TEST_CASE("an evaluator leaves modes and training data alone and averages without weights", "[training]") {
  files::TemporaryFolder out;
  Training training(out / "result", {});
  int batches = 0;
  bool in_test_mode = true;
  extensions::Evaluator evaluator{
      training.test_iter, training.model, {.eval_func = BatchFunction([&](const Array& x, const Array&) {
                                             ++batches;
                                             in_test_mode =
                                                 in_test_mode && !config().train && !config().enable_backprop;
                                             report({{"rows", x.shape()[0]}});
                                           })}};
  const auto means = evaluator.evaluate();
  CHECK(batches == 3);
  CHECK(in_test_mode);
  CHECK(config().train);
  REQUIRE(means.size() == 1);
  CHECK(means[0].second == Approx(50.0 / 3));  // 20, 20 and 10
  CHECK(evaluator.evaluate() == means);
}

TEST_CASE("an evaluator shows how far it is, on terminals", "[training]") {
  files::TemporaryFolder out;
  Training training(out / "result", {});
  std::vector<std::string> shown;
  const auto write = [&](std::string_view text) { shown.emplace_back(text); };
  extensions::Evaluator evaluator{training.test_iter, training.model, {.progress_bar = true, .out = {write}}};
  evaluator.evaluate();
  REQUIRE(shown.size() == 4);
  CHECK(shown[0] ==
        "\033[Jvalidation [" + std::string(20, '#') + std::string(30, '.') + "] 40.00%\n         1 batches\n\033[2A");
  CHECK(shown[2] == "\033[Jvalidation [" + std::string(50, '#') + "] 100.00%\n         3 batches\n\033[2A");
  CHECK(shown[3] == "\033[J");

  shown.clear();
  extensions::Evaluator piped{training.test_iter, training.model, {.progress_bar = true, .out = {write, false}}};
  piped.evaluate();
  CHECK(shown.empty());
}

TEST_CASE("an evaluator refuses an iterator without an end", "[training]") {
  Net net;
  iterators::SerialIterator repeats{toy_data(), 8};
  CHECK_THROWS_WITH((extensions::Evaluator{repeats, net}), Catch::Matchers::ContainsSubstring("{.repeat = false}"));
}

TEST_CASE("two evaluators report under two names", "[training]") {
  files::TemporaryFolder out;
  Training training(out / "result", {1, "epoch"});
  training.trainer->extend(extensions::Evaluator{training.test_iter, training.model});
  training.trainer->run();
  const auto& log = dynamic_cast<extensions::LogReport&>(training.trainer->extension("LogReport")).log();
  CHECK(extensions::find(log[0], "validation_1/main/loss")->number() ==
        extensions::find(log[0], "validation/main/loss")->number());
}

TEST_CASE("the updater says what does not fit", "[training]") {
  const auto data = toy_data();
  iterators::SerialIterator once{data, 50, {.repeat = false}}, repeats{data, 50};
  Net net;
  optimizers::SGD optimizer;
  optimizer.setup(net);
  StandardUpdater three{repeats, optimizer, [](const Variable& x, const Variable&, const Variable&) { return x; }};
  CHECK_THROWS_AS(three.update(), ArgumentError);
  StandardUpdater nothing{repeats, optimizer, [](const Batch&) {}};
  CHECK_THROWS_AS(nothing.update(), ArgumentError);
  StandardUpdater loss{once, optimizer,
                       [&](const Variable& x, const Array& t) { return softmax_cross_entropy(net(x), t); }};
  loss.update();
  CHECK(optimizer.epoch() == 1);
  CHECK_THROWS_AS(loss.update(), ArgumentError);
  CHECK_THROWS_AS(loss.optimizer("gen"), ArgumentError);
}

TEST_CASE("an updater with several optimizers is saved under their names", "[training]") {
  const auto data = toy_data();
  iterators::SerialIterator repeats{data, 10};
  links::Linear gen(6, 2), dis(2, 1);
  optimizers::Adam gen_optimizer, dis_optimizer;
  gen_optimizer.setup(gen);
  dis_optimizer.setup(dis);
  struct GanUpdater : StandardUpdater {
    GanUpdater(Iterator& iterator_, Optimizer& g, Optimizer& d, links::Linear& gen_, links::Linear& dis_)
        : StandardUpdater(iterator_, {{"gen", g}, {"dis", d}}), gen(gen_), dis(dis_) {}
    void update_core() override {
      const Batch batch = next_batch();
      optimizer("gen").update([&] { return sum(dis(gen(batch[0]))); });
      optimizer("dis").update([&] { return -sum(dis(gen(batch[0]))); });
    }
    links::Linear &gen, &dis;
  } updater(repeats, gen_optimizer, dis_optimizer, gen, dis);
  updater.update();
  const auto state = serializers::to_dictionary(updater);
  CHECK(state.contains("optimizer:gen/W/m"));
  CHECK(state.contains("model:dis/b"));
  CHECK(updater.iteration() == 1);
}

TEST_CASE("VariableStatistics reports and plots every parameter", "[training]") {
  const auto statistics = extensions::statistics_of(arange(0, 101, 1, float64));
  CHECK(statistics.mean == 50);
  CHECK(statistics.standard_deviation == Approx(29.154759474226502));
  CHECK(statistics.percentiles[2] == Approx(15.87));
  CHECK(statistics.zeros == 1);
  CHECK(std::isnan(extensions::statistics_of(Array({0})).mean));

  files::TemporaryFolder out;
  Training training(out / "result", {2, "epoch"});
  training.trainer->extend(extensions::VariableStatistics{training.model, {.prefix = "model"}});
  training.trainer->run();
  const auto& log = dynamic_cast<extensions::LogReport&>(training.trainer->extension("LogReport")).log();
  CHECK(extensions::find(log[1], "model/predictor/l1/W/data/std")->number() > 0);
  CHECK(extensions::find(log[1], "model/predictor/l2/b/grad/percentile/6"));
  CHECK(files::read(out / "result/statistics.svg").find("/predictor/bn/gamma") != std::string::npos);
  CHECK(std::filesystem::exists(out / "result/statistics_grad.svg"));
}

TEST_CASE("DumpGraph writes the graph of the first iteration and gives the configuration back", "[training]") {
  files::TemporaryFolder out;
  Training training(out / "result", {2, "iteration"});
  training.trainer->extend(extensions::DumpGraph{"main/loss"});
  training.trainer->run();
  const auto dot = files::read(out / "result/cg.dot");
  CHECK(dot.starts_with("digraph graphname{rankdir=TB;"));
  CHECK(dot.find("LinearFunction") != std::string::npos);
  CHECK_FALSE(config().keep_graph_on_report);

  Training other(out / "other", {2, "iteration"});
  other.trainer->extend(extensions::DumpGraph{"main/absent"});
  CHECK_THROWS_AS(other.trainer->run(), IndexError);
  CHECK_FALSE(config().keep_graph_on_report);
}
