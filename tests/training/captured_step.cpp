#include "dnn/training/captured_step.hpp"

#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/tuple_dataset.hpp"
#include "dnn/functions.hpp"
#include "dnn/iterators/serial_iterator.hpp"
#include "dnn/links.hpp"
#include "dnn/optimizers.hpp"
#include "dnn/training/standard_updater.hpp"

using namespace dnn;
using namespace dnn::training;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Perceptron : Chain<Perceptron> {
  links::Linear l1{7}, l2{3};
  links::BatchNormalization bn{7};

  Variable operator()(const Variable& x) { return l2(dropout(relu(bn(l1(x))), 0.3)); }
};

Batch batch_of(std::int64_t rows, int number) {
  RandomGenerator generator(static_cast<std::uint64_t>(number));
  Array x({rows, 5}), t({rows}, int64);
  const UsingDevice host(Device{});
  Array hx = zeros({rows, 5}), ht = zeros({rows}, int64);
  const auto stream = generator.draw(100);
  for (std::int64_t i = 0; i < hx.size(); ++i)
    hx.data<float>()[i] = stream.uniform_float(static_cast<std::uint64_t>(i));
  for (std::int64_t i = 0; i < rows; ++i) ht.data<std::int64_t>()[i] = (i + number) % 3;
  x.assign(hx);
  t.assign(ht);
  return {x, t};
}

/// What 20 steps lead to: parameters, states, persistent arrays, and every reported loss.
struct Outcome {
  std::vector<Array> arrays;
  std::vector<double> losses;
  std::int64_t repeats = 0;
  std::string reason;
};

template <class Setup>
Outcome train(bool capture, DType dtype, Setup setup) {
  seed(3);
  const auto compute = using_dtype(dtype);
  links::Classifier model{Perceptron{}};
  optimizers::Adam optimizer;
  optimizer.setup(model);
  setup(optimizer);
  Reporter reporter;
  reporter.add_observers("main", model);
  Outcome out;
  CapturedStep step{optimizer, [&](const Batch& b) { return model(b[0], b[1]); }};
  for (int i = 0; i < 20; ++i) {
    Observation observation;
    const auto scope = reporter.scope(observation);
    Batch batch = batch_of(i % 5 == 4 ? 4 : 9, i);  // the fifth batch is smaller
    if (dtype != float32) batch = {batch[0].to(dtype), batch[1]};
    if (capture) step(batch);
    else optimizer.update([&] { return model(batch[0], batch[1]); });
    if (i == 10) optimizer.hyperparam.alpha /= 2;  // a schedule
    out.losses.push_back(observation["main/loss"].number());
    out.losses.push_back(observation["main/accuracy"].number());
  }
  for (const auto& rule : optimizer.rules()) {
    out.arrays.push_back(rule->parameter().array());
    out.arrays.push_back(rule->state("m"));
  }
  out.arrays.push_back(model.predictor.bn.avg_mean);
  out.repeats = step.repeats();
  out.reason = step.reason();
  return out;
}

template <class Setup>
void check_same(DType dtype, Setup setup) {
  const Outcome eager = train(false, dtype, setup), captured = train(true, dtype, setup);
  if (current_device().kind == Device::Kind::cuda) {
    CHECK(captured.reason.empty());
    CHECK(captured.repeats == 18);  // all but the first of each shape
  } else {
    CHECK_FALSE(captured.reason.empty());
    CHECK(captured.repeats == 0);
  }
  CHECK(captured.losses == eager.losses);
  REQUIRE(captured.arrays.size() == eager.arrays.size());
  for (std::size_t i = 0; i < eager.arrays.size(); ++i) {
    CAPTURE(i);
    CHECK(array_equal(captured.arrays[i], eager.arrays[i]));
  }
}

}  // namespace

TEST_CASE("captured steps lead to the same bits: dropout, batch normalization, schedules", "[captured_step]") {
  check_same(float32, [](auto&) {});
}
TEST_CASE("captured steps lead to the same bits: hooks", "[captured_step]") {
  check_same(float32, [](auto& optimizer) {
    optimizer.add_hook(optimizer_hooks::WeightDecay{0.01});
    optimizer.add_hook(optimizer_hooks::GradientClipping{0.5});
  });
}
TEST_CASE("captured steps lead to the same bits: mixed precision", "[captured_step]") {
  check_same(DType::float16, [](auto& optimizer) {
    optimizer.use_fp32_update();
    optimizer.loss_scaling();
  });
}

TEST_CASE("captured steps say why they cannot be", "[captured_step]") {
  links::Linear model(5, 1);
  optimizers::SGD optimizer;
  optimizer.setup(model);
  const bool on_gpu = current_device().kind == Device::Kind::cuda;
  Array kept = zeros({1});
  double on_host = 0;
  CapturedStep step{optimizer, [&](const Batch& b) {
                      Variable loss = sum(model(b[0]));
                      on_host = loss.item();
                      return loss;
                    }};
  const Array before = model.W.array().copy();
  for (int i = 0; i < 3; ++i) step(batch_of(4, i));
  CHECK_THAT(step.reason(), ContainsSubstring(on_gpu ? "the host reads" : "GPU") || ContainsSubstring("cpu"));
  CHECK(step.repeats() == 0);
  CHECK(optimizer.t() == 3);
  CHECK_FALSE(array_equal(before, model.W.array()));
}

TEST_CASE("an error of the loss function is the caller's", "[captured_step]") {
  links::Linear model(5, 1);
  optimizers::SGD optimizer;
  optimizer.setup(model);
  int calls = 0;
  CapturedStep step{optimizer, [&](const Batch& b) {
                      if (++calls == 2) throw ArgumentError("[test] no");
                      return sum(dropout(model(b[0])));
                    }};
  step(batch_of(4, 0));
  const auto position = default_generator().position();
  CHECK_THROWS_AS(step(batch_of(4, 1)), ArgumentError);
  CHECK(default_generator().position() == position);
  step(batch_of(4, 2));
  CHECK(optimizer.t() == 2);
}

TEST_CASE("StandardUpdater captures", "[captured_step]") {
  const Device device = current_device();
  const UsingDevice host(Device{});
  links::Classifier model{links::Linear(5, 3)};
  model.to_device(device);
  optimizers::SGD optimizer;
  optimizer.setup(model);
  const Batch examples = batch_of(20, 1);
  iterators::SerialIterator iterator(datasets::TupleDataset(examples[0], examples[1]), 4);
  StandardUpdater updater{iterator, optimizer, model, {.device = device, .capture = true}};
  CHECK(updater.captured_step() == nullptr);
  for (int i = 0; i < 7; ++i) updater.update();
  CHECK(updater.captured_step()->repeats() == (device.kind == Device::Kind::cuda ? 6 : 0));
  CHECK(optimizer.t() == 7);
}

#if DNN_CUDA
TEST_CASE("a captured step is a launch of a graph and nothing else", "[captured_step]") {
  if (current_device().kind != Device::Kind::cuda) return;
  const auto launched_by = [&](auto optimizer, auto setup) {
    links::Classifier model{links::Linear(5, 3)};
    optimizer->setup(model);
    setup(*optimizer);
    CapturedStep step{*optimizer, [&](const Batch& b) { return model(b[0], b[1]); }};
    std::vector<Batch> batches;
    for (int i = 0; i < 4; ++i) batches.push_back(batch_of(4, i));
    for (int i = 0; i < 3; ++i) step(batches[static_cast<std::size_t>(i)]);
    cu::detail::last_launch() = {};
    step(batches[3]);
    CHECK(step.repeats() == 3);
    CHECK(optimizer->t() == 4);
    return std::string(cu::detail::last_launch());
  };
  const auto nothing = [](auto&) {};
  CHECK(launched_by(std::make_unique<optimizers::SGD>(), nothing).empty());
  CHECK(launched_by(std::make_unique<optimizers::MomentumSGD>(), nothing).empty());
  CHECK(launched_by(std::make_unique<optimizers::Adam>(), nothing).empty());
  CHECK(launched_by(std::make_unique<optimizers::Adam>(), [](auto& o) {
          o.loss_scaling();
          o.add_hook(optimizer_hooks::GradientClipping{1});
        }).empty());
  CHECK_FALSE(launched_by(std::make_unique<optimizers::SGD>(), [](auto& o) {
                o.add_hook([](Optimizer&) {}, {.name = "mine"});
              }).empty());
}
#endif

TEST_CASE("captured steps follow what happens to the optimizer and to parameters", "[captured_step]") {
  const auto run = [](bool capture) {
    seed(3);
    links::Classifier model{Perceptron{}};
    optimizers::MomentumSGD optimizer{{.lr = 0.1}};
    optimizer.setup(model);
    CapturedStep step{optimizer, [&](const Batch& b) { return model(b[0], b[1]); }};
    int calls = 0;
    for (int i = 0; i < 16; ++i) {
      if (i == 4) optimizer.add_hook(optimizer_hooks::WeightDecay{0.1});
      if (i == 6) optimizer.add_hook([&](Optimizer&) { ++calls; }, {.name = "mine"});
      if (i == 8) optimizer.remove_hook("mine"), model.predictor.l2.disable_update();
      if (i == 10) model.enable_update(), optimizer.rule("/predictor/l1/W").set_hyperparameter("lr", 0.01);
      if (i == 12) model.predictor.l2.W.set_array((model.predictor.l2.W * 2).array());
      if (i == 14) {
        optimizer.rule("/predictor/l2/b")
            .add_hook([&](UpdateRule&, dnn::Parameter& p) { p.set_grad(Variable(full(p.shape(), ++calls))); },
                      {.name = "own"});
      }
      const Batch batch = batch_of(9, i);
      if (capture) step(batch);
      else optimizer.update([&] { return model(batch[0], batch[1]); });
    }
    CHECK(calls == 4);
    CHECK(optimizer.rule("/predictor/l2/W").t() == 14);
    if (capture && current_device().kind == Device::Kind::cuda) CHECK(step.repeats() == 15);
    std::vector<Array> out;
    for (const auto& rule : optimizer.rules()) {
      out.push_back(rule->parameter().array());
      out.push_back(rule->state("v"));
    }
    return out;
  };
  const auto eager = run(false), captured = run(true);
  for (std::size_t i = 0; i < eager.size(); ++i) {
    CAPTURE(i);
    CHECK(array_equal(captured[i], eager[i]));
  }
}
