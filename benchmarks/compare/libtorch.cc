// The workloads of README.md that show what PyTorch costs without Python. Compiled by compare.py where libtorch is found.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace nn = torch::nn;

namespace {

double seconds_to_spend = 1;
std::string only;

/// As in workloads.cpp.
double now() {
  timespec t{};
  clock_gettime(torch::get_num_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Step>
void measure(const char* name, Step step, double check, int per_call = 1) {
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
  std::printf("%s|%g|%.9g\n", name, fastest, check);
  std::fflush(stdout);
}

torch::Tensor uniform(torch::IntArrayRef shape, std::uint32_t seed) {
  torch::Tensor out = torch::empty(shape);
  std::uint32_t i = seed * 0x9E3779B9u;
  for (float *x = out.data_ptr<float>(), *end = x + out.numel(); x != end; ++x) {
    std::uint32_t h = i++;
    h ^= h >> 16;
    h *= 0x7FEB352Du;
    h ^= h >> 15;
    h *= 0x846CA68Bu;
    h ^= h >> 16;
    *x = static_cast<float>(h >> 8) * 0x1p-24f;
  }
  return out;
}

nn::Sequential mlp(int in, int units, int out) {
  nn::Sequential model(nn::Linear(in, units), nn::ReLU(), nn::Linear(units, units), nn::ReLU(), nn::Linear(units, out));
  const torch::NoGradGuard guard;
  std::uint32_t number = 0;
  for (auto& p : model->parameters()) {
    if (p.dim() < 2) p.zero_();
    else p.copy_((2 * uniform(p.sizes(), 100 + number++) - 1) * std::sqrt(3.0 / static_cast<double>(p.size(1))));
  }
  return model;
}

template <class Optimizer>
void train(const char* name, nn::Sequential model, Optimizer optimizer, torch::Tensor x, int classes) {
  if (std::string(name).find(only) == std::string::npos) return;
  const torch::Tensor t = torch::arange(x.size(0)) % classes;
  torch::Tensor loss;
  const auto step = [&] {
    loss = nn::functional::cross_entropy(model->forward(x), t);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  };
  for (int i = 0; i < 5; ++i) step();
  measure(name, step, loss.item<double>());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  torch::set_num_threads(std::atoi(argv[1]));
  seconds_to_spend = std::atof(argv[2]);
  only = argv[3];
  const auto big = mlp(784, 1000, 10), big_adam = mlp(784, 1000, 10), tiny = mlp(8, 16, 2);
  train("mlp_sgd", big, torch::optim::SGD(big->parameters(), 0.01), uniform({100, 784}, 1), 10);
  train("mlp_adam", big_adam, torch::optim::Adam(big_adam->parameters(), 0.001), uniform({100, 784}, 1), 10);
  train("tiny_mlp_sgd", tiny, torch::optim::SGD(tiny->parameters(), 0.01), uniform({1, 8}, 1), 2);
  torch::Tensor x = torch::rand({4}).requires_grad_();
  const torch::Tensor ones = torch::ones({4});
  if (std::string("tanh_op").find(only) == std::string::npos) return 0;
  measure(
      "tanh_op",
      [&] {
        torch::Tensor h = x;
        for (int i = 0; i < 100; ++i) h = torch::tanh(h);
        x.mutable_grad() = torch::Tensor();
        h.backward(ones);
      },
      NAN, 100);
}
