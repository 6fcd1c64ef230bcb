// The workloads of README.md in dnn.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

#include <dnn/datasets/mnist.hpp>
#include <dnn/training.hpp>

#include "../models.hpp"

using namespace dnn;

namespace {

double seconds_to_spend = 1;
std::string_view only;

bool wanted(std::string_view name) { return name.find(only) != std::string_view::npos; }

/// Seconds of the clock: with one thread what it uses of the processor, so that other programs hardly matter.
double now() {
  timespec t{};
  clock_gettime(num_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void print(std::string_view name, double seconds, double check) {
  std::printf("%.*s|%g|%.9g\n", static_cast<int>(name.size()), name.data(), seconds, check);
  std::fflush(stdout);
}

/// Prints `name`, the seconds of one unit (`step` does `per_call` of them) in the quietest moment, and `check`.
template <class Step>
void measure(std::string_view name, Step step, double check, int per_call = 1) {
  step();
  double start = now();
  step();
  const int batch = std::max(1, static_cast<int>(0.005 / std::max(now() - start, 1e-7)));
  double fastest = 1e9;
  int samples = 0;
  for (const double begin = now(); now() - begin < seconds_to_spend || samples < 5; ++samples) {
    start = now();
    for (int i = 0; i < batch; ++i) step();
    fastest = std::min(fastest, (now() - start) / batch / per_call);
  }
  print(name, fastest, check);
}

/// Numbers in [0, 1) that depend on position and seed alone: common.py has the same.
Array uniform(const Shape& shape, std::uint32_t seed) {
  Array out(shape);
  std::uint32_t i = seed * 0x9E3779B9u;
  for (float& x : out.span<float>()) {
    std::uint32_t h = i++;
    h ^= h >> 16;
    h *= 0x7FEB352Du;
    h ^= h >> 15;
    h *= 0x846CA68Bu;
    h ^= h >> 16;
    x = static_cast<float>(h >> 8) * 0x1p-24f;
  }
  return out;
}

/// The initial weights that every program has.
template <class Model>
void prepare(Model& model, const Array& x) {
  const auto inference = no_backprop_mode();
  const auto test = using_train(false);
  model(x);  // weights of unknown size exist after it
  std::uint32_t number = 0;
  for (auto& parameter : model.params()) {
    Array& p = parameter.array();
    if (p.ndim() < 2) continue;
    const Array u = uniform(p.shape(), 100 + number++);
    const float scale = std::sqrt(3.0f / static_cast<float>(p.size() / p.length()));
    for (std::int64_t i = 0; i < p.size(); ++i) p.data<float>()[i] = (2 * u.data<float>()[i] - 1) * scale;
  }
}

template <class Model>
void train(std::string_view name, Model model, Optimizer&& optimizer, const Shape& x_shape, std::int64_t classes = 10) {
  if (!wanted(name)) return;
  const Array x = uniform(x_shape, 1), t = models::labels(x_shape[0], classes);
  prepare(model, x);
  optimizer.setup(model);
  Array loss;
  const auto step = [&] { loss = models::training_step(model, optimizer, x, t); };
  for (int i = 0; i < 5; ++i) step();
  measure(name, step, loss.item());
}

void mnist_epoch() {
  const char* folder = std::getenv("DNN_DATASET_ROOT");
  if (!wanted("mnist_epoch") || !folder) return;
  const auto data = datasets::get_mnist({.data = folder, .source = "mnist"});
  models::MLP model;
  prepare(model, uniform({1, 784}, 1));
  optimizers::Adam optimizer;
  optimizer.setup(model);
  iterators::SerialIterator iterator(data.train, 100, {.shuffle = false});
  double loss = 0;
  training::StandardUpdater updater(iterator, optimizer, [&](const Variable& x, const Variable& t) {
    const Variable result = softmax_cross_entropy(model(x), t.array());
    loss += result.item();
    return result;
  });
  const double start = now();
  for (int i = 0; i < 600; ++i) updater.update();
  print("mnist_epoch", now() - start, loss / 600);
}

void tanh_op() {
  Variable x{uniform({4}, 1)};
  const Variable seed_gradient = ones({4});
  const auto chain = [&] {
    Variable h = x;
    for (int i = 0; i < 100; ++i) h = tanh(h);
    x.cleargrad();
    h.set_grad(seed_gradient);
    h.backward();
  };
  if (wanted("tanh_op")) measure("tanh_op", chain, NAN, 100);
}

template <class T>
void gemm(std::string_view kind, std::int64_t m, std::int64_t n, std::int64_t k, bool ta, bool tb) {
  const std::string name = concat(kind, " ", m, ",", n, ",", k, ",", ta ? 1 : 0, ",", tb ? 1 : 0);
  if (!wanted(name)) return;
  const DType dtype = dtype_of<T>();
  const Array a = uniform({m, k}, 1).to(dtype), b = uniform({k, n}, 2).to(dtype);
  Array c = zeros({m, n}, dtype);
  const auto product = [&] {
    kernels::gemm(ta, tb, m, n, k, a.data<T>(), ta ? m : k, b.data<T>(), tb ? k : n, c.data<T>(), n);
  };
  measure(name, product, 2.0 * static_cast<double>(m * n * k));
}

void convolution(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t o, int k, int p) {
  const std::string name = concat("conv ", n, ",", c, ",", h, ",", o, ",", k, ",", p);
  if (!wanted(name)) return;
  const Variable x{uniform({n, c, h, h}, 1)}, W{uniform({o, c, k, k}, 2)}, b{uniform({o}, 3)};
  const auto out = h + 2 * p - k + 1;
  const Variable gy = uniform({n, o, out, out}, 4);
  const auto step = [&] { grad({convolution_2d(x, W, b, {.pad = p})}, {x, W, b}, {.grad_outputs = {gy}}); };
  measure(name, step, 6.0 * static_cast<double>(n * out * out * c * o * k * k));
}

void memory() {
  const Shape shape{4096, 1024};
  const Variable a = uniform(shape, 1), b = uniform(shape, 2), row = uniform({1024}, 3);
  Array out(shape);
  const auto nbytes = static_cast<double>(out.nbytes());
  const auto inference = no_backprop_mode();
  const auto run = [&](std::string_view name, int passes, auto operation) {
    if (wanted(concat("mem ", name))) measure(concat("mem ", name), operation, passes * nbytes);
  };
  run("copy", 2, [&] {
    // On as many threads as the operations have.
    kernels::parallel_for(out.size(), 65536, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(out.data<float>() + begin, a.array().data<float>() + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(float));
    });
  });
  run("relu", 2, [&] { relu(a); });
  run("tanh", 2, [&] { tanh(a); });
  run("sigmoid", 2, [&] { sigmoid(a); });
  run("add", 3, [&] { a + b; });
  run("add_row", 2, [&] { a + row; });
  run("sum", 1, [&] { sum(a); });
  run("sum_rows", 1, [&] { sum(a, 1); });
  run("sum_columns", 1, [&] { sum(a, 0); });
  run("softmax", 2, [&] { softmax(a); });
  run("dropout", 2, [&] { dropout(a, 0.5); });
  struct One : Chain<One> {
    Parameter p;
  };
  const auto update = [&](std::string_view name, int passes, Optimizer&& optimizer) {
    One model;
    model.p = Parameter(uniform(shape, 1));
    model.p.set_grad(b);
    optimizer.setup(model);
    run(name, passes, [&] { optimizer.update(); });
  };
  update("sgd", 3, optimizers::SGD{});
  update("adam", 7, optimizers::Adam{});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return std::puts("usage: workloads THREADS SECONDS TEXT"), 2;
  set_num_threads(std::atoi(argv[1]));
  seconds_to_spend = std::atof(argv[2]);
  only = argv[3];

  train("mlp_sgd", models::MLP{}, optimizers::SGD{}, {100, 784});
  train("mlp_adam", models::MLP{}, optimizers::Adam{}, {100, 784});
  mnist_epoch();
  train("cnn_adam", models::CNN{}, optimizers::Adam{}, {64, 1, 28, 28});
  train("bn_cnn_adam", models::BNCNN{}, optimizers::Adam{}, {64, 1, 28, 28});
  train("resnet20_momentum", models::ResNet20{}, optimizers::MomentumSGD{{.lr = 0.01, .momentum = 0.9}},
        {32, 3, 32, 32});
  train("tiny_mlp_sgd", models::MLP{.n_units = 16, .n_out = 2}, optimizers::SGD{}, {1, 8}, 2);
  tanh_op();
  for (const auto& [m, n, k, ta, tb] : {std::tuple{100, 1000, 784, false, true},
                                        {100, 784, 1000, false, false},
                                        {1000, 784, 100, true, false},
                                        {100, 1000, 1000, false, true},
                                        {1000, 1000, 100, true, false},
                                        {100, 10, 1000, false, true},
                                        {64, 128, 9216, false, true},
                                        {128, 9216, 64, true, false},
                                        {256, 256, 256, false, false},
                                        {1024, 1024, 1024, false, false},
                                        {127, 129, 65, false, false},
                                        {1, 1000, 1000, false, true}}) {
    gemm<float>("gemm", m, n, k, ta, tb);
    gemm<double>("dgemm", m, n, k, ta, tb);
  }
  convolution(64, 1, 28, 32, 3, 0);
  convolution(64, 32, 26, 64, 3, 0);
  convolution(32, 16, 32, 16, 3, 1);
  convolution(32, 32, 16, 32, 3, 1);
  convolution(32, 64, 8, 64, 3, 1);
  memory();
}
