// The workloads of workloads.md in dnn.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <dnn/dnn.hpp>

using namespace dnn;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Prints `name` and the median seconds of one unit; `step` does `per_call` units.
template <class Step>
void measure(const char* name, Step step, int per_call = 1) {
  step();
  auto start = std::chrono::steady_clock::now();
  step();
  const int batch = std::max(1, static_cast<int>(0.02 / std::max(seconds_since(start), 1e-7)));
  std::vector<double> samples;
  const auto begin = std::chrono::steady_clock::now();
  while (seconds_since(begin) < 1 || samples.size() < 5) {
    start = std::chrono::steady_clock::now();
    for (int i = 0; i < batch; ++i) step();
    samples.push_back(seconds_since(start) / batch / per_call);
  }
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  std::printf("%s %g\n", name, *middle);
  std::fflush(stdout);
}

template <class Model>
void measure_training(const char* name, Model model, Optimizer& optimizer, const Array& x, const Array& t) {
  optimizer.setup(model);
  measure(name, [&] {
    const Variable loss = softmax_cross_entropy(model(x), t);
    model.cleargrads();
    loss.backward();
    optimizer.update();
  });
}

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

Array labels(std::int64_t n, std::int64_t classes) {
  Array t({n}, int32);
  for (std::int64_t i = 0; i < n; ++i) t.at<std::int32_t>(i) = static_cast<std::int32_t>(i % classes);
  return t;
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);

  optimizers::Adam mlp_adam, cnn_adam;
  measure_training("mlp_step", MLP{}, mlp_adam, random::uniform({100, 784}), labels(100, 10));
  measure_training("cnn_step", CNN{}, cnn_adam, random::uniform({64, 1, 28, 28}), labels(64, 10));

  Variable x{random::uniform({4})};
  const Variable seed_gradient = ones({4});
  measure(
      "tanh_chain",
      [&] {
        Variable h = x;
        for (int i = 0; i < 100; ++i) h = tanh(h);
        x.cleargrad();
        h.set_grad(seed_gradient);
        h.backward();
      },
      100);

  optimizers::SGD sgd;
  measure_training("tiny_mlp_step", MLP{.n_units = 16, .n_out = 2}, sgd, random::uniform({1, 4}), labels(1, 2));

  const Array big = random::uniform({1 << 20});
  measure("tanh_1m", [&] {
    const auto inference = no_backprop_mode();
    tanh(big);
  });
}
