// Training steps: forward, softmax cross entropy, backward, update.
#include <benchmark/benchmark.h>

#include <dnn/dnn.hpp>

using namespace dnn;

namespace {

struct MLP : Chain<MLP> {
  int n_units = 1000, n_out = 10;
  links::Linear l1{n_units}, l2{n_units}, l3{n_out};

  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

struct CNN : Chain<CNN> {
  links::Convolution2D conv1{1, 16, 5}, conv2{16, 32, 5};
  links::Linear l1{128}, l2{10};

  Variable operator()(const Variable& x) {
    auto h = max_pooling_2d(relu(conv1(x)), 2);
    h = max_pooling_2d(relu(conv2(h)), 2);
    return l2(relu(l1(h)));
  }
};

template <class Model>
void train(benchmark::State& state, Model model, Optimizer& optimizer, const Array& x, int classes) {
  const Array t = random::uniform({x.length()}, 0, classes).to(int32);
  optimizer.setup(model);
  for (auto _ : state) {
    const Variable loss = softmax_cross_entropy(model(x), t);
    model.cleargrads();
    loss.backward();
    optimizer.update();
  }
  state.counters["examples/s"] =
      benchmark::Counter(static_cast<double>(x.length()), benchmark::Counter::kIsIterationInvariantRate);
}

/// 784-1000-1000-10, batch 100, Adam.
void BM_mlp_step(benchmark::State& state) {
  optimizers::Adam adam;
  train(state, MLP{}, adam, random::uniform({100, 784}), 10);
}
BENCHMARK(BM_mlp_step)->Unit(benchmark::kMillisecond);

/// Two convolutions and two linear layers on 28 x 28 images, batch 64, Adam.
void BM_cnn_step(benchmark::State& state) {
  optimizers::Adam adam;
  train(state, CNN{}, adam, random::uniform({64, 1, 28, 28}), 10);
}
BENCHMARK(BM_cnn_step)->Unit(benchmark::kMillisecond);

/// 4-16-16-2, batch 1, SGD.
void BM_tiny_mlp_step(benchmark::State& state) {
  optimizers::SGD sgd;
  train(state, MLP{.n_units = 16, .n_out = 2}, sgd, random::uniform({1, 4}), 2);
}
BENCHMARK(BM_tiny_mlp_step)->Unit(benchmark::kMicrosecond);

}  // namespace
