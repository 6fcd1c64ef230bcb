// The workloads of workloads.md that tiny-dnn has. Compiled by compare.py where the library's headers are found.
#include <tiny_dnn/tiny_dnn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace tiny_dnn;
using namespace tiny_dnn::activation;

namespace {

template <class Optimizer>
void measure(const char* name, network<sequential> net, Optimizer optimizer, size_t in, size_t classes, size_t batch) {
  std::vector<vec_t> x(batch, vec_t(in, 0.5f));
  std::vector<label_t> t(batch);
  for (size_t i = 0; i < batch; ++i) t[i] = static_cast<label_t>(i % classes);
  const auto step = [&] { net.train<cross_entropy_multiclass>(optimizer, x, t, batch, 1); };
  step();
  std::vector<double> samples;
  double total = 0;
  while (total < 1 || samples.size() < 5) {
    const auto start = std::chrono::steady_clock::now();
    step();
    samples.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += samples.back();
  }
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  std::printf("%s %g\n", name, samples[samples.size() / 2]);
}

}  // namespace

int main() {
  using relu_layer = tiny_dnn::relu_layer;
  network<sequential> mlp;
  mlp << fully_connected_layer(784, 1000) << relu_layer() << fully_connected_layer(1000, 1000) << relu_layer()
      << fully_connected_layer(1000, 10) << softmax_layer();
  measure("mlp_step", mlp, adam{}, 784, 10, 100);

  network<sequential> cnn;
  cnn << convolutional_layer(28, 28, 5, 1, 16) << relu_layer() << max_pooling_layer(24, 24, 16, 2)
      << convolutional_layer(12, 12, 5, 16, 32) << relu_layer() << max_pooling_layer(8, 8, 32, 2)
      << fully_connected_layer(512, 128) << relu_layer() << fully_connected_layer(128, 10) << softmax_layer();
  measure("cnn_step", cnn, adam{}, 784, 10, 64);

  network<sequential> tiny;
  tiny << fully_connected_layer(4, 16) << relu_layer() << fully_connected_layer(16, 16) << relu_layer()
       << fully_connected_layer(16, 2) << softmax_layer();
  measure("tiny_mlp_step", tiny, gradient_descent{}, 4, 2, 1);
}
