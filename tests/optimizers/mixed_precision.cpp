#include "dnn/optimizers/mixed_precision.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/optimizers.hpp"
#include "dnn/serializers/dictionary.hpp"

using namespace dnn;

namespace {

struct Weights : Chain<Weights> {
  dnn::Parameter W;

  Variable operator()() { return times(1); }
  Variable times(double factor) { return sum(W * factor); }
};

Weights model_of(const Array& W) {
  Weights model;
  model.W = dnn::Parameter(W);
  return model;
}
Array half(std::initializer_list<float> values) { return array_from(std::vector<float>(values)).to(DType::float16); }
double first(const Array& a) { return a.to("cpu").to(float64).at<double>(0); }

}  // namespace

TEST_CASE("use_fp32_update: small steps add up", "[mixed_precision]") {
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    Weights narrow = model_of(half({1, 2}).to(dtype)), wide = model_of(half({1, 2}).to(dtype));
    optimizers::SGD a{{.lr = 1e-4}}, b{{.lr = 1e-4}};
    a.setup(narrow);
    b.setup(wide).use_fp32_update();
    for (int i = 0; i < 200; ++i) {
      a.update(narrow);
      b.update(wide);
    }
    CHECK(first(narrow.W.array()) == 1);
    CHECK(first(wide.W.array()) == Approx(0.98).margin(dtype == DType::float16 ? 1e-3 : 8e-3));
    CHECK(wide.W.dtype() == dtype);
    CHECK(b.rule("/W").parameter().dtype() == float32);
    CHECK(&b.rule(wide.W) == &b.rule("/W"));
  }
}

TEST_CASE("use_fp32_update: states are float32, and other parameters stay as they are", "[mixed_precision]") {
  Weights narrow = model_of(half({1})), single = model_of(array({1.f}));
  optimizers::Adam a, b;
  a.setup(narrow).use_fp32_update();
  b.setup(single).use_fp32_update();
  a.update(narrow);
  b.update(single);
  CHECK(a.rule("/W").state("m").dtype() == float32);
  CHECK(&b.rule("/W").parameter() == &b.rule(single.W).parameter());
  CHECK(b.rule("/W").parameter().body() == single.W.body());
  CHECK(array_equal(a.rule("/W").state("v"), b.rule("/W").state("v")));
}

TEST_CASE("loss_scaling: gradients too small for float16 arrive", "[mixed_precision]") {
  Weights lost = model_of(half({1})), kept = model_of(half({1}));
  optimizers::SGD a{{.lr = 1e7}}, b{{.lr = 1e7}};
  a.setup(lost).use_fp32_update();
  b.setup(kept).use_fp32_update();
  b.loss_scaling({.scale = 4096});
  CHECK(b.loss_scale() == 4096);
  // The derivative is 1e-8; float16 ends at 6e-8.
  a.update([&] { return sum(lost.W * 1e-4) * 1e-4; });
  b.update([&] { return sum(kept.W * 1e-4) * 1e-4; });
  CHECK(first(lost.W.array()) == 1);
  CHECK(first(kept.W.array()) == Approx(0.9).epsilon(1e-3));
  CHECK(b.loss_scale() == 4096);
}

TEST_CASE("loss_scaling: hooks see the gradient itself", "[mixed_precision]") {
  Weights model = model_of(array({1.f}));
  optimizers::SGD optimizer{{.lr = 0.5}};
  optimizer.setup(model);
  optimizer.loss_scaling({.scale = 128});
  optimizer.add_hook(optimizer_hooks::WeightDecay{0.25});
  optimizer.update(model);
  CHECK(first(model.W.array()) == 1 - 0.5 * 1.25);
  // A gradient from elsewhere is taken as it is.
  model.W.set_grad(Variable(array({1.f})));
  optimizer.remove_hook("WeightDecay");
  optimizer.update();
  CHECK(first(model.W.array()) == 1 - 0.5 * 2.25);
}

TEST_CASE("loss_scaling: the scale grows until it is too large, as Chainer's", "[mixed_precision]") {
  Weights model = model_of(half({1, 1}));
  optimizers::MomentumSGD optimizer{{.lr = 0}};
  optimizer.setup(model).use_fp32_update();
  optimizer.loss_scaling({.interval = 10});
  double expected = 1;
  bool was_too_large = false;
  for (int i = 0; i < 12; ++i) {
    CHECK(optimizer.loss_scale() == Approx(expected));
    optimizer.update([&] { return model.times(1000); });
    const bool finite = expected * 1000 < 65520;
    was_too_large = was_too_large || !finite;
    expected *= !finite ? 0.5 : was_too_large ? std::pow(2.0, 0.1) : 2;
    CAPTURE(i);
    REQUIRE(was_too_large == (i >= 7));
  }
}

TEST_CASE("loss_scaling: an overflow changes neither parameters nor states", "[mixed_precision]") {
  Weights model = model_of(half({1, -2}));
  optimizers::Adam optimizer;
  optimizer.setup(model).use_fp32_update();
  optimizer.loss_scaling();
  optimizer.update(model);
  const Array W = model.W.array().copy(), m = optimizer.rule("/W").state("m").copy();
  for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    optimizer.update([&] { return model.times(bad); });
    CHECK(array_equal(model.W.array(), W));
    CHECK(array_equal(optimizer.rule("/W").state("m"), m));
  }
  CHECK(optimizer.loss_scale() == 1);  // 1, doubled, halved twice, but not below 1
  CHECK(optimizer.t() == 3);
  optimizer.update(model);
  CHECK_FALSE(array_equal(model.W.array(), W));
  // A fixed scale does the same, and stays.
  optimizer.loss_scaling({.scale = 8});
  const Array after = model.W.array().copy();
  optimizer.update([&] { return model.times(std::numeric_limits<double>::infinity()); });
  CHECK(array_equal(model.W.array(), after));
  CHECK(optimizer.loss_scale() == 8);
}

TEST_CASE("mixed precision goes on from a snapshot bit by bit", "[mixed_precision]") {
  const auto make = [](Weights& model, optimizers::Adam& optimizer) {
    optimizer.setup(model).use_fp32_update();
    optimizer.loss_scaling();
  };
  Weights model = model_of(half({1, -2})), resumed = model_of(half({0, 0}));
  optimizers::Adam optimizer, other;
  make(model, optimizer);
  make(resumed, other);
  const auto train = [](Weights& m, optimizers::Adam& o) {
    for (int i = 0; i < 5; ++i) o.update([&] { return sum(m.W * m.W) * 3; });
  };
  train(model, optimizer);
  serializers::from_dictionary(serializers::to_dictionary(model), resumed);
  serializers::from_dictionary(serializers::to_dictionary(optimizer), other);
  CHECK(other.loss_scale() == optimizer.loss_scale());
  train(model, optimizer);
  train(resumed, other);
  CHECK(array_equal(model.W.array(), resumed.W.array()));
  CHECK(array_equal(optimizer.rule("/W").parameter().array(), other.rule("/W").parameter().array()));
}

TEST_CASE("loss_scaling refuses what cannot be", "[mixed_precision]") {
  Weights model = model_of(half({1, 2}));
  optimizers::SGD optimizer;
  optimizer.setup(model);
  CHECK_THROWS_AS(optimizer.loss_scaling({.interval = 0}), ArgumentError);
  CHECK_THROWS_AS(optimizer.loss_scaling({.scale = -1}), ArgumentError);
  optimizer.loss_scaling();
  CHECK_THROWS_AS(optimizer.update([&] { return model.W * 2; }), ArgumentError);
}
