// Trainings that Chainer interrupted go on here, and end as they ended in Chainer.
#include <algorithm>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/dnn.hpp"
#include "dnn/training.hpp"
#include "files.hpp"

using namespace dnn;
using namespace dnn::serializers;
using namespace dnn::training;

namespace {

const Array& array_at(const Dictionary& dictionary, std::string_view key) {
  return std::get<Array>(dictionary.find(key)->second);
}

/// The training that files/trainer_snapshot_*.json describe.
struct Training {
  datasets::TupleDataset train, test;
  iterators::SerialIterator train_iter, test_iter;
  links::Classifier<Sequential> model{
      Sequential{links::Linear(6, 8), functions::tanh, links::BatchNormalization(8), links::Linear(8, 3)}};
  optimizers::MomentumSGD optimizer{{.lr = 0.1}};
  std::optional<StandardUpdater> updater;
  std::optional<Trainer> trainer;
  extensions::LogReport log;

  Training(const Dictionary& data, bool shuffle, const std::filesystem::path& out)
      : train(array_at(data, "train_x"), array_at(data, "train_t")),
        test(array_at(data, "test_x"), array_at(data, "test_t")),
        train_iter(train, 4, {.shuffle = shuffle}),
        test_iter(test, 4, {.repeat = false, .shuffle = false}) {
    optimizer.setup(model);
    optimizer.add_hook(optimizer_hooks::WeightDecay{0.01});
    updater.emplace(train_iter, optimizer, model);
    trainer.emplace(*updater, Trigger{4, "epoch"}, out);
    trainer->extend(extensions::Evaluator{test_iter, model});
    trainer->extend(extensions::ExponentialShift{"lr", 0.7}, {.trigger = {1, "epoch"}});
    trainer->extend(extensions::observe_lr());
    trainer->extend(extensions::snapshot(), {.trigger = {1, "epoch"}});
    trainer->extend(log);
    trainer->extend(extensions::PrintReport{{"epoch"}, {.out = [](std::string_view) {}}});
    trainer->extend(extensions::ProgressBar{{.out = [](std::string_view) {}}});
    trainer->extend(extensions::snapshot_object(model, {.filename = "model_epoch-{.updater.epoch}"}),
                    {.trigger = triggers::MinValueTrigger("main/loss")});
  }
};

}  // namespace

TEST_CASE("a snapshot of Chainer's trainer resumes as in Chainer", "[npz][chainer]") {
  const char* data = files::chainer_data();
  if (data == nullptr) {
    WARN("DNN_CHAINER_DATA is not set: Chainer's snapshots are not read");
    return;
  }
  const auto folder = std::filesystem::path(data) / "files";
  for (const std::string kind : {"compressed", "plain"}) {
    const auto file = folder / ("trainer_snapshot_" + kind + ".npz");
    const Dictionary expected = load_npz(folder / ("trainer_snapshot_" + kind + "_resume.npz"));
    const files::TemporaryFolder out;
    Training training(expected, false, out / "result");
    load_npz(file, *training.trainer);
    CHECK(training.updater->iteration() == 7);
    CHECK(training.updater->epoch() == 2);
    REQUIRE(training.log.log().size() == 2);

    // Written again, the snapshot holds what it held, and the state of our random numbers.
    const Dictionary stored = load_npz(file);
    Dictionary ours = to_dictionary(*training.trainer);
    CHECK(ours.erase("_random_state") == 1);
    CHECK(ours.size() == stored.size());
    for (const auto& [key, value] : stored) {
      INFO(key);
      REQUIRE(ours.contains(key));
      CHECK(ours.at(key).index() == value.index());
      if (const auto* array = std::get_if<Array>(&value); array != nullptr && key != "_snapshot_elapsed_time") {
        CHECK(array_at(ours, key).dtype() == array->dtype());
        CHECK(array_equal(array_at(ours, key), *array));
      }
    }

    training.trainer->run();
    for (const auto& [key, value] : to_dictionary(training.model)) {
      INFO(key);
      CHECK(allclose(std::get<Array>(value), array_at(expected, "after/" + key), 1e-4, 1e-5));
    }
    REQUIRE(training.log.log().size() == 4);
    for (const char* key : {"epoch", "iteration", "lr", "main/loss", "main/accuracy", "validation/main/loss",
                            "validation/main/accuracy"}) {
      INFO(key);
      for (std::size_t i = 0; i < 4; ++i) {
        const double recorded = array_at(expected, std::string("log/") + key).at<double>(i);
        CHECK(extensions::find(training.log.log()[i], key)->number() == Approx(recorded).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("a snapshot with a shuffled order loads", "[npz][chainer]") {
  const char* data = files::chainer_data();
  if (data == nullptr) {
    WARN("DNN_CHAINER_DATA is not set: Chainer's snapshots are not read");
    return;
  }
  const auto folder = std::filesystem::path(data) / "files";
  const files::TemporaryFolder out;
  Training training(load_npz(folder / "trainer_snapshot_plain_resume.npz"), true, out / "result");
  load_npz(folder / "trainer_snapshot_shuffled_plain.npz", *training.trainer);
  const Dictionary stored = load_npz(folder / "trainer_snapshot_shuffled_plain.npz");
  CHECK(array_equal(array_at(to_dictionary(training.train_iter), "order"),
                    array_at(stored, "updater/iterator:main/order")));
}
