#include <cmath>
#include <functional>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/optimizers.hpp"

using namespace dnn;

namespace {

struct OneParameter : Chain<OneParameter> {
  dnn::Parameter W;
};

/// A rule in plain scalar code: parameter, gradient, states, number of the update.
using Reference = std::function<void(double& p, double g, double* s, int t)>;

/// Five updates of n elements against the reference.
void check(Optimizer& optimizer, const Reference& reference, std::int64_t n, DType dtype, double tolerance,
           double initial_state = 0) {
  seed(7);
  const Array start = random::normal({n}, 0, 1, dtype);
  OneParameter model{{}, dnn::Parameter(start.copy())};
  optimizer.setup(model);
  std::vector<double> p, states(static_cast<std::size_t>(3 * n), 0.0);
  const Array wide = start.to("cpu").to(float64);
  for (const double v : wide.span<double>()) p.push_back(v);
  for (std::int64_t i = 0; i < n; ++i) states[static_cast<std::size_t>(3 * i)] = initial_state;
  for (int t = 1; t <= 5; ++t) {
    const Array g = random::normal({n}, 0.3, 1, dtype), g64 = g.to("cpu").to(float64);
    model.W.set_grad(Variable(g));
    optimizer.update();
    for (std::int64_t i = 0; i < n; ++i) {
      reference(p[static_cast<std::size_t>(i)], g64.at<double>(i), &states[static_cast<std::size_t>(3 * i)], t);
    }
  }
  std::string difference;
  const bool close = allclose(model.W.array(), array_from(p), tolerance, tolerance, &difference);
  CAPTURE(difference, n, dtype);
  CHECK(close);
}

template <class O>
void check_all(O&& optimizer, const Reference& reference, double initial_state = 0) {
  // Odd sizes: none, one, less than a pack, a pack and a tail, several threads.
  for (const std::int64_t n : {0, 1, 3, 17, 65, 40001}) {
    check(optimizer, reference, n, float64, 1e-12, initial_state);
    check(optimizer, reference, n, float32, 1e-4, initial_state);
  }
  check(optimizer, reference, 300, DType::float16, 0.02, initial_state);
  check(optimizer, reference, 300, DType::bfloat16, 0.15, initial_state);
}

Reference adam(double alpha, double eta, double decay, bool amsgrad, bool adabound) {
  return [=](double& p, double g, double* s, int t) {
    s[0] += 0.1 * (g - s[0]);
    s[1] += 0.001 * (g * g - s[1]);
    s[2] = amsgrad ? std::max(s[2], s[1]) : s[1];
    double step = alpha * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) / (std::sqrt(s[2]) + 1e-8);
    if (adabound) step = std::min(std::max(step, 0.1 * (1 - 1 / (0.001 * t + 1))), 0.1 * (1 + 1 / (0.001 * t)));
    p -= eta * (step * s[0] + decay * p);
  };
}

}  // namespace

TEST_CASE("the rules follow their formulas in every dtype and size", "[optimizers]") {
  check_all(optimizers::SGD{{.lr = 0.1}}, [](double& p, double g, double*, int) { p -= 0.1 * g; });
  check_all(optimizers::MomentumSGD{{.lr = 0.1}}, [](double& p, double g, double* s, int) {
    s[0] = 0.9 * s[0] - 0.1 * g;
    p += s[0];
  });
  check_all(optimizers::CorrectedMomentumSGD{{.lr = 0.1}}, [](double& p, double g, double* s, int) {
    s[0] = 0.9 * s[0] - g;
    p += 0.1 * s[0];
  });
  check_all(optimizers::NesterovAG{{.lr = 0.1, .momentum = 0.8}}, [](double& p, double g, double* s, int) {
    s[0] = 0.8 * s[0] - 0.1 * g;
    p += 0.64 * s[0] - 1.8 * 0.1 * g;
  });
  check_all(optimizers::AdaGrad{{.lr = 0.1}}, [](double& p, double g, double* s, int) {
    s[0] += g * g;
    p -= 0.1 * g / (std::sqrt(s[0]) + 1e-8);
  });
  check_all(optimizers::AdaDelta{{.rho = 0.9, .eps = 1e-2}}, [](double& p, double g, double* s, int) {
    s[0] = 0.9 * s[0] + 0.1 * g * g;
    const double dx = std::sqrt((s[1] + 1e-2) / (s[0] + 1e-2)) * g;
    s[1] = 0.9 * s[1] + 0.1 * dx * dx;
    p -= dx;
  });
  for (const bool inside : {false, true}) {
    check_all(optimizers::RMSprop{{.lr = 0.1, .eps = 1e-2, .eps_inside_sqrt = inside}},
              [=](double& p, double g, double* s, int) {
                s[0] = 0.99 * s[0] + 0.01 * g * g;
                p -= 0.1 * g / (inside ? std::sqrt(s[0] + 1e-2) : std::sqrt(s[0]) + 1e-2);
              });
  }
  check_all(
      optimizers::SMORMS3{{.lr = 0.1}},
      [](double& p, double g, double* s, int) {
        const double r = 1 / (s[0] + 1);
        s[1] += r * (g - s[1]);
        s[2] += r * (g * g - s[2]);
        const double x = s[1] * s[1] / (s[2] + 1e-16);
        p -= g * std::min(x, 0.1) / (std::sqrt(s[2]) + 1e-16);
        s[0] = 1 + s[0] * (1 - x);
      },
      1);
}

TEST_CASE("Adam and its relatives follow their formulas", "[optimizers]") {
  check_all(optimizers::Adam{{.alpha = 0.1}}, adam(0.1, 1, 0, false, false));
  check_all(optimizers::AdamW{{.alpha = 0.1, .eta = 0.5, .weight_decay_rate = 0.1}}, adam(0.1, 0.5, 0.1, false, false));
  check_all(optimizers::AMSGrad{{.alpha = 0.1}}, adam(0.1, 1, 0, true, false));
  check_all(optimizers::AdaBound{{.alpha = 0.1}}, adam(0.1, 1, 0, false, true));
  check_all(optimizers::AMSBound{{.alpha = 0.1, .weight_decay_rate = 0.1}}, adam(0.1, 1, 0.1, true, true));
}

TEST_CASE("the result does not depend on the number of threads", "[optimizers]") {
  const auto run = [](int threads) {
    const int before = num_threads();
    set_num_threads(threads);
    OneParameter model{{}, dnn::Parameter(full({100001}, 0.5))};
    optimizers::Adam optimizer;
    optimizer.setup(model);
    optimizer.add_hook(optimizer_hooks::GradientClipping{1});
    model.W.set_grad(Variable(arange(0, 100001, 1, float32)));
    optimizer.update();
    set_num_threads(before);
    return model.W.array();
  };
  CHECK(array_equal(run(1), run(4)));
}

TEST_CASE("an eps that vanishes in float32 is an error", "[optimizers]") {
  OneParameter model{{}, dnn::Parameter(ones({2}))};
  optimizers::Adam optimizer{{.eps = 1e-60}};
  optimizer.setup(model);
  CHECK_THROWS_WITH(optimizer.update(), Catch::Matchers::ContainsSubstring("[Adam] eps"));
}

TEST_CASE("Adam's decays are in [0, 1)", "[optimizers]") {
  OneParameter model{{}, dnn::Parameter(ones({2}))};
  const auto update = [&](const optimizers::AdamRule& rule) {
    optimizers::Adam optimizer{rule};
    optimizer.setup(model);
    optimizer.update();
  };
  CHECK_THROWS_WITH(update({.beta1 = 1}), Catch::Matchers::ContainsSubstring("[Adam] beta1 < 1 does not hold: 1 >= 1"));
  CHECK_THROWS_AS(update({.beta1 = -0.1}), ArgumentError);
  CHECK_THROWS_AS(update({.beta2 = 1.5}), ArgumentError);
  CHECK_THROWS_AS(update({.beta2 = -1}), ArgumentError);
  CHECK_NOTHROW(update({.beta1 = 0, .beta2 = 0}));
}

TEST_CASE("a rule that comes to need more states than at setup is an error", "[optimizers]") {
  OneParameter model{{}, dnn::Parameter(ones({2}))};
  optimizers::Adam optimizer;
  optimizer.setup(model);
  optimizer.hyperparam.amsgrad = true;
  CHECK_THROWS_WITH(optimizer.update(), Catch::Matchers::ContainsSubstring("uses 3 states, at setup it had 2"));
}
