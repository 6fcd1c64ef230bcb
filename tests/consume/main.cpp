// A stranger's program: it makes one training step and saves what it has. Built in three ways by consume.sh.
#include <cstdio>

#include <dnn/dnn.hpp>
#include <dnn/serializers.hpp>

using namespace dnn;

int main() {
  links::Linear layer(3, 2);
  optimizers::SGD optimizer;
  optimizer.setup(layer);

  const Array x = random::normal({4, 3});
  Variable loss = mean(square(layer(x)));
  layer.cleargrads();
  loss.backward();
  optimizer.update();

  serializers::save_npz("layer.npz", layer);
  std::puts("consumed");
}
