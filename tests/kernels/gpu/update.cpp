#include "dnn/kernels/update.hpp"

#if DNN_CUDA

#include <array>
#include <vector>

#include "dnn/dnn.hpp"
#include "kernels/gpu/twins.hpp"

using namespace dnn;
using namespace device_test;

namespace {

struct Momentum {
  double lr;
  template <class V>
  constexpr void operator()(V& p, V g, V& v) const {
    v = 0.9 * v - lr * g;
    p = p + v;
  }
};

struct StoreAt {
  double* out;
  DNN_HD void operator()(std::int64_t k, double sum) const { out[k] = sum; }
};

struct Net : Chain<Net> {
  links::Linear l1{20, 17}, l2{17, 5};
  Variable operator()(const Variable& x) { return l2(relu(l1(x))); }
};

}  // namespace

TEST_CASE("GPU: updates of many arrays in batches agree with the CPU's", "[gpu]") {
  for (const DType dtype : {float32, float64, DType::float16, DType::bfloat16}) {
    const double tolerance = dtype == float64 ? 1e-12 : dtype == float32 ? 1e-6 : 1e-2;
    expect_twins(
        concat(dtype),
        [&] {
          std::vector<Array> p, g, v;
          for (const std::int64_t n : {1, 7, 64, 4096, 9001, 0}) {
            for (int k = 0; k < 9; ++k) {  // more than a table holds
              p.push_back(numbers({n + k}, dtype).slice(k % 2, n + k));
              g.push_back(numbers({n + k}, dtype).slice(k % 2, n + k));
              v.push_back(numbers({n + k}, dtype).slice(k % 2, n + k));
            }
          }
          kernels::UpdateBatch batch;
          for (int step = 0; step < 2; ++step) {  // each array twice: the second waits for the first
            for (std::size_t i = 0; i < p.size(); ++i) {
              kernels::update<1>(Momentum{0.1}, dtype, p[i].bytes(), g[i].bytes(), dtype,
                                 std::array<void*, 1>{v[i].bytes()}, p[i].size(), batch);
            }
          }
          batch.flush();
          std::vector<Variable> parts;
          for (const auto& array : p) parts.emplace_back(array);
          return concat(std::span<const Variable>(parts), 0).array();
        },
        tolerance, tolerance);
  }
}

TEST_CASE("GPU: the sum of squares of several arrays", "[gpu]") {
  for (const DType dtype : {float32, float64, DType::bfloat16}) {
    expect_twins(concat(dtype), [&] {
      const Array a = numbers({9001}, dtype), b = numbers({3}, dtype), c({0}, dtype);
      std::vector<kernels::Elements> elements;
      for (const auto& x : {a, b, c}) elements.push_back({x.bytes(), x.dtype(), x.size()});
      Array out({4}, float64);
      kernels::sum_of_squares(elements, StoreAt{out.data<double>()});
      kernels::sums_of_squares(elements, StoreAt{out.data<double>() + 1});
      return out;
    });
  }
}

TEST_CASE("GPU: a hook is one launch for all parameters, and those by norms are few", "[gpu]") {
  const auto device = using_device("cuda:0");
  Net net;
  optimizers::MomentumSGD optimizer;
  const auto launches_with = [&](const auto&... hooks) {
    optimizer.setup(net);
    (optimizer.add_hook(hooks), ...);
    for (const auto& rule : optimizer.rules()) rule->parameter().set_grad(Variable(ones(rule->parameter().shape())));
    optimizer.update();  // makes the states
    return launches([&] { optimizer.update(); });
  };
  using namespace optimizer_hooks;
  CHECK(launches_with() == 1);
  CHECK(launches_with(WeightDecay{0.1}) == 2);
  CHECK(launches_with(WeightDecay{0.1}, Lasso{0.1}, GradientHardClipping{-1, 1}) == 4);
  CHECK(launches_with(GradientClipping{1}) == 4);
  CHECK(launches_with(GradientLARS{}) == 5);
}

TEST_CASE("GPU: hooks agree with the CPU's, and with themselves from run to run", "[gpu]") {
  const auto train = [&](auto hook) {
    return [hook] {
      seed(1);
      Net net;
      optimizers::SGD optimizer;
      optimizer.setup(net);
      optimizer.add_hook(hook);
      for (int i = 0; i < 2; ++i) {
        for (const auto& rule : optimizer.rules()) {
          rule->parameter().set_grad(Variable(numbers(rule->parameter().shape(), float32)));
        }
        optimizer.update();
      }
      return net.l1.W.array();
    };
  };
  using namespace optimizer_hooks;
  expect_twins("WeightDecay", train(WeightDecay{0.1}));
  expect_twins("Lasso", train(Lasso{0.1}));
  expect_twins("GradientHardClipping", train(GradientHardClipping{-0.5, 0.5}));
  expect_twins("GradientClipping", train(GradientClipping{0.5}));
  expect_twins("GradientLARS", train(GradientLARS{}));
  const auto device = using_device("cuda:0");
  CHECK(array_equal(train(GradientClipping{0.5})(), train(GradientClipping{0.5})()));
}

// The emulator's streams work only when somebody waits for them: as long as nobody reads a result, even what came
// before the loop is not done.
TEST_CASE("GPU: a training loop does not wait for the device", "[gpu]") {
  const auto device = using_device("cuda:0");
  links::Classifier model{Net{}};
  optimizers::Adam optimizer;
  optimizer.setup(model);
  optimizer.add_hook(optimizer_hooks::WeightDecay{1e-4});
  optimizer.add_hook(optimizer_hooks::GradientClipping{1.0});
  const Array x = random::normal({8, 20}), t = array({0, 1, 2, 3, 4, 0, 1, -1});
  optimizer.update(model, x, t);  // allocates what later iterations use again
  cu::synchronize();
  cu::Event before;
  const Array first = x.copy();
  before.record(cu::current_stream());
  std::vector<Variable> losses;
  for (int i = 0; i < 3; ++i) {
    optimizer.update([&] {
      losses.push_back(model(x, t));
      return losses.back();
    });
  }
#if DNN_EMULATED
  CHECK_FALSE(before.done());
#endif
  CHECK(losses[2].item() < losses[0].item());
  CHECK(before.done());
}

#endif
