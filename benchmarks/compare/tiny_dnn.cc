// The workloads of README.md that tiny-dnn has. Compiled by compare.py where the library's headers are found. It names
// its weights and losses differently, so its losses are not compared.
#include <tiny_dnn/tiny_dnn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

using namespace tiny_dnn;
using namespace tiny_dnn::activation;

namespace {

double seconds_to_spend = 1;
int threads = 1;
std::string only;

/// As in workloads.cpp.
double now() {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Optimizer>
void measure(const char* name, network<sequential> net, Optimizer optimizer, size_t in, size_t classes, size_t batch) {
  if (std::string(name).find(only) == std::string::npos) return;
  std::vector<vec_t> x(batch, vec_t(in, 0.5f));
  std::vector<label_t> t(batch);
  for (size_t i = 0; i < batch; ++i) t[i] = static_cast<label_t>(i % classes);
  const auto step = [&] { net.train<cross_entropy_multiclass>(optimizer, x, t, batch, 1); };
  step();
  double fastest = 1e9, total = 0;
  for (int samples = 0; total < seconds_to_spend || samples < 5; ++samples) {
    const double start = now();
    step();
    const double seconds = now() - start;
    fastest = std::min(fastest, seconds);
    total += seconds;
  }
  std::printf("%s|%g|-\n", name, fastest);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  threads = std::atoi(argv[1]);
  seconds_to_spend = std::atof(argv[2]);
  only = argv[3];
  using relu_layer = tiny_dnn::relu_layer;
  const auto mlp = [](size_t in, size_t units, size_t out) {
    network<sequential> net;
    net << fully_connected_layer(in, units) << relu_layer() << fully_connected_layer(units, units) << relu_layer()
        << fully_connected_layer(units, out) << softmax_layer();
    return net;
  };
  measure("mlp_sgd", mlp(784, 1000, 10), gradient_descent{}, 784, 10, 100);
  measure("mlp_adam", mlp(784, 1000, 10), adam{}, 784, 10, 100);
  measure("tiny_mlp_sgd", mlp(8, 16, 2), gradient_descent{}, 8, 2, 1);

  network<sequential> cnn;
  cnn << convolutional_layer(28, 28, 3, 1, 32) << relu_layer() << convolutional_layer(26, 26, 3, 32, 64) << relu_layer()
      << max_pooling_layer(24, 24, 64, 2) << fully_connected_layer(9216, 128) << relu_layer()
      << fully_connected_layer(128, 10) << softmax_layer();
  measure("cnn_adam", cnn, adam{}, 784, 10, 64);
}
