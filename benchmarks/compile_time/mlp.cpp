// The program whose compile time is budgeted (3 s, 500 MB): it trains an MLP with Adam, all through dnn/dnn.hpp.
#include <cstdio>

#include <dnn/dnn.hpp>

using namespace dnn;

struct MLP : Chain<MLP> {
  links::Linear l1{1000}, l2{1000}, l3{10};

  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

int main() {
  MLP model;
  optimizers::Adam optimizer;
  optimizer.setup(model);

  const Array x = random::normal({100, 784});
  Array t = empty({100}, int32);
  for (int i = 0; i < 100; ++i) t.at<int>(i) = i % 10;
  for (int i = 0; i < 100; ++i) {
    Variable loss = softmax_cross_entropy(model(x), t);
    model.cleargrads();
    loss.backward();
    optimizer.update();
    if (i % 10 == 0) std::printf("%d %f\n", i, loss.item());
  }
}
