// What count.py counts the instructions of: small work, where everything but arithmetic is overhead.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "../models.hpp"

using namespace dnn;

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: steps chain|mlp COUNT"), 2;
  set_num_threads(1);
  const int count = std::atoi(argv[2]);
  if (argv[1] == std::string_view("chain")) {
    // 100 operations, forward and backward.
    Variable x{random::uniform({4})};
    const Variable gradient = ones({4});
    for (int i = 0; i < count; ++i) {
      Variable h = x;
      for (int k = 0; k < 100; ++k) h = tanh(h);
      x.cleargrad();
      h.set_grad(gradient);
      h.backward();
    }
  } else {
    models::MLP model{.n_units = 16, .n_out = 2};
    optimizers::SGD optimizer;
    optimizer.setup(model);
    const Array x = random::uniform({1, 8}), t = models::labels(1, 2);
    for (int i = 0; i < count; ++i) models::training_step(model, optimizer, x, t);
  }
}
