// Training steps: forward, softmax cross entropy, backward, update.
#include <benchmark/benchmark.h>

#include "models.hpp"

using namespace dnn;

namespace {

template <class Model>
void train(benchmark::State& state, Model model, Optimizer& optimizer, const Array& x, int classes) {
  const Array t = models::labels(x.length(), classes);
  optimizer.setup(model);
  for (auto _ : state) models::training_step(model, optimizer, x, t);
  state.counters["examples/s"] =
      benchmark::Counter(static_cast<double>(x.length()), benchmark::Counter::kIsIterationInvariantRate);
}

/// 784-1000-1000-10, batch 100.
void BM_mlp_step(benchmark::State& state) {
  optimizers::Adam adam;
  train(state, models::MLP{}, adam, random::uniform({100, 784}), 10);
}
BENCHMARK(BM_mlp_step)->Unit(benchmark::kMillisecond);

/// Images of 28 x 28, batch 64.
void BM_cnn_step(benchmark::State& state) {
  optimizers::Adam adam;
  train(state, models::CNN{}, adam, random::uniform({64, 1, 28, 28}), 10);
}
BENCHMARK(BM_cnn_step)->Unit(benchmark::kMillisecond);

void BM_bn_cnn_step(benchmark::State& state) {
  optimizers::Adam adam;
  train(state, models::BNCNN{}, adam, random::uniform({64, 1, 28, 28}), 10);
}
BENCHMARK(BM_bn_cnn_step)->Unit(benchmark::kMillisecond);

/// Images of 3 x 32 x 32, batch 32.
void BM_resnet20_step(benchmark::State& state) {
  optimizers::MomentumSGD sgd;
  train(state, models::ResNet20{}, sgd, random::uniform({32, 3, 32, 32}), 10);
}
BENCHMARK(BM_resnet20_step)->Unit(benchmark::kMillisecond);

/// 8-16-16-2, batch 1.
void BM_tiny_mlp_step(benchmark::State& state) {
  optimizers::SGD sgd;
  train(state, models::MLP{.n_units = 16, .n_out = 2}, sgd, random::uniform({1, 8}), 2);
}
BENCHMARK(BM_tiny_mlp_step)->Unit(benchmark::kMicrosecond);

}  // namespace
