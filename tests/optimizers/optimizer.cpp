#include "dnn/optimizers/optimizer.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/initializers/constant.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/linear.hpp"
#include "dnn/optimizers.hpp"
#include "dnn/serializers/dictionary.hpp"

using namespace dnn;

namespace {

struct Model : Chain<Model> {
  dnn::Parameter W{array({1.f, 2.f, 3.f})};
  dnn::Parameter b{array({-1.f, 0.5f})};

  Variable operator()() { return sum(W * W) + sum(b * 3); }
};

}  // namespace

TEST_CASE("update(lossfun) runs the loss, clears, goes backward and steps", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer{{.lr = 0.1}};
  optimizer.setup(model);
  model.W.set_grad(Variable(full({3}, 100)));
  bool had_gradient = false;
  const auto loss = [&] {
    had_gradient = model.W.grad().defined();
    return model();
  };
  optimizer.update(loss);
  CHECK(had_gradient);  // the loss comes first
  CHECK(allclose(model.W.array(), array({0.8f, 1.6f, 2.4f})));
  CHECK(allclose(model.b.array(), array({-1.3f, 0.2f})));
  CHECK(optimizer.t() == 1);
  CHECK(optimizer.rule("/W").t() == 1);
  CHECK(FunctionNode::live_count() == 0);  // the graph is gone
}

TEST_CASE("setup names parameters by their paths, and errors say them", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer;
  CHECK_THROWS_WITH(optimizer.update(), Catch::Matchers::ContainsSubstring("setup"));
  optimizer.setup(model);
  CHECK(model.W.name() == "/W");
  CHECK(&optimizer.rule(model.b) == &optimizer.rule("/b"));
  CHECK_THROWS_WITH(optimizer.rule("/x"), Catch::Matchers::ContainsSubstring("'/x'"));
  CHECK_THROWS_AS(optimizer.rule(dnn::Parameter{}), ArgumentError);
}

TEST_CASE("a parameter that is used twice is updated once", "[optimizer]") {
  struct Tied : Chain<Tied> {
    links::Linear a{1, 1, {.nobias = true, .initialW = 3}}, b = a;
  };
  Tied model;
  optimizers::SGD optimizer(1);
  optimizer.setup(model);
  optimizer.add_hook(optimizer_hooks::WeightDecay{0.5});
  model.a.W.set_grad(ones({1, 1}));
  optimizer.update();
  CHECK(model.b.W.item() == 3 - (1 + 0.5 * 3));
  CHECK(optimizer.rule(model.b.W).t() == 1);
}

TEST_CASE("the first hyperparameter may come alone", "[optimizer]") {
  CHECK(optimizers::SGD(0.5).hyperparam.lr == 0.5);
  CHECK(optimizers::SGD{{}}.hyperparam.lr == 0.01);
  const optimizers::Adam adam(1);
  CHECK(adam.hyperparam.alpha == 1);
  CHECK(adam.hyperparam.beta1 == 0.9);
}

TEST_CASE("a parameter without gradient is updated as if it were zero", "[optimizer]") {
  Model model;
  optimizers::MomentumSGD optimizer{{.lr = 1, .momentum = 0.5}};
  optimizer.setup(model);
  model.W.set_grad(Variable(array({1.f, 1.f, 1.f})));
  model.b.set_grad(Variable(array({1.f, 1.f})));
  optimizer.update();
  model.cleargrads();
  optimizer.update();
  CHECK(array_equal(optimizer.rule("/W").state("v"), full({3}, -0.5)));
  CHECK(allclose(model.b.array(), array({-2.5f, -1.f})));
}

TEST_CASE("uninitialised parameters join in when they are initialised", "[optimizer]") {
  links::Linear lazy(2, {.initialW = initializers::One{}});
  optimizers::Adam optimizer;
  optimizer.setup(lazy);
  optimizer.update();
  CHECK_FALSE(optimizer.rule("/W").state("m").defined());
  optimizer.update([&](const Variable& x) { return sum(lazy(x)); }, ones({1, 3}));
  CHECK(optimizer.rule("/W").t() == 2);
  CHECK(lazy.W.array().to("cpu").at<float>(0, 0) < 1);
}

TEST_CASE("frozen parameters stay and do not count", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer{{.lr = 1}};
  optimizer.setup(model);
  model.b.set_update_enabled(false);
  optimizer.update(model);
  CHECK(array_equal(model.b.array(), array({-1.f, 0.5f})));
  CHECK(optimizer.rule("/b").t() == 0);
  model.enable_update();
  optimizer.update(model);
  CHECK(optimizer.rule("/b").t() == 1);
}

TEST_CASE("hyperparameters are reached by name, and overridden for one parameter", "[optimizer]") {
  Model model;
  optimizers::MomentumSGD optimizer{{.lr = 0.1, .momentum = 0}};
  optimizer.setup(model);
  optimizer.hyperparameter("lr") *= 0.5;
  CHECK(optimizer.hyperparam.lr == 0.05);
  CHECK(optimizer.lr() == 0.05);
  CHECK_THROWS_WITH(optimizer.hyperparameter("alpha"), Catch::Matchers::ContainsSubstring("lr momentum"));
  optimizer.rule("/b").set_hyperparameter("lr", 1);
  optimizer.update(model);
  CHECK(allclose(model.W.array(), array({0.9f, 1.8f, 2.7f})));
  CHECK(allclose(model.b.array(), array({-4.f, -2.5f})));

  optimizers::AdaDelta without_rate;
  CHECK_THROWS_AS(without_rate.lr(), ArgumentError);
  optimizers::Adam adam;
  CHECK_THROWS_AS(adam.lr(), ArgumentError);
  adam.setup(model);
  adam.update();
  CHECK(adam.lr() == Approx(0.001 * std::sqrt(0.001) / 0.1));
}

TEST_CASE("hooks run in order, before or after, once or for each parameter", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer{{.lr = 1}};
  CHECK_THROWS_AS(optimizer.add_hook([](Optimizer&) {}, {.name = "early"}), ArgumentError);
  optimizer.setup(model);
  std::string log;
  optimizer.add_hook([&](Optimizer&) { log += "after "; }, {.name = "after", .timing = HookTiming::post});
  optimizer.add_hook([&](UpdateRule& rule, dnn::Parameter&) { log += rule.path() + " "; }, {.name = "each"});
  optimizer.add_hook([&](Optimizer& o) { log += to_text(o.t()) + " "; }, {.name = "once"});
  optimizer.rule("/b").add_hook([&](UpdateRule&, dnn::Parameter&) { log += "b! "; }, {.name = "own"});
  optimizer.update();
  CHECK(log == "/W /b 0 b! after ");
  optimizer.remove_hook("each");
  optimizer.update();
  CHECK(log == "/W /b 0 b! after 1 b! after ");
  CHECK_THROWS_WITH(optimizer.remove_hook("each"), Catch::Matchers::ContainsSubstring("'each'"));
  CHECK_THROWS_WITH(optimizer.add_hook([](Optimizer&) {}, {.name = "once"}),
                    Catch::Matchers::ContainsSubstring("'once'"));
  CHECK_THROWS_WITH(optimizer.add_hook([](Optimizer&) {}), Catch::Matchers::ContainsSubstring("no name"));
}

TEST_CASE("hooks may add and remove hooks", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer;
  optimizer.setup(model);
  std::string calls;
  const auto log = [&](const char* text) { return [&calls, text](Optimizer&) { calls += text; }; };
  optimizer.add_hook(
      [&](Optimizer& o) {
        calls += "a";
        for (const char* name : {"x", "y", "z"}) o.add_hook(log(name), {.name = name});
        o.remove_hook("b");
        o.remove_hook("a");  // itself
        calls += "'";
      },
      {.name = "a"});
  optimizer.add_hook(log("b"), {.name = "b"});
  optimizer.add_hook(log("c"), {.name = "c"});
  optimizer.update();
  CHECK(calls == "a'c");
  optimizer.update();
  CHECK(calls == "a'ccxyz");
}

TEST_CASE("epochs are counted by the user or by the updater, not by both", "[optimizer]") {
  optimizers::SGD optimizer;
  optimizer.new_epoch();
  CHECK(optimizer.epoch() == 1);
  CHECK_THROWS_AS(optimizer.new_epoch(true), ArgumentError);
  optimizer.use_auto_new_epoch = true;
  optimizer.new_epoch(true);
  CHECK(optimizer.epoch() == 2);
  CHECK_THROWS_AS(optimizer.new_epoch(), ArgumentError);
}

TEST_CASE("an optimizer is saved under Chainer's keys and goes on where it stopped", "[optimizer]") {
  Model model;
  optimizers::Adam optimizer;
  optimizer.setup(model);
  const auto keys = [&] {
    std::string out;
    for (const auto& [key, value] : serializers::to_dictionary(optimizer)) out += key + ' ';
    return out;
  };
  CHECK(keys() == "W/t b/t epoch t ");
  optimizer.update(model);
  CHECK(keys() == "W/m W/t W/v b/m b/t b/v epoch t ");
  optimizer.update(model);

  Model other = model.copy(CopyMode::copy);
  const auto saved = serializers::to_dictionary(optimizer);
  optimizers::Adam second;
  second.setup(other);
  serializers::Dictionary copies;
  for (const auto& [key, value] : saved) copies[key] = std::get<Array>(value).copy();
  serializers::from_dictionary(copies, second);
  CHECK(second.t() == 2);
  optimizer.update(model);
  second.update(other);
  CHECK(array_equal(model.W.array(), other.W.array()));
  CHECK(array_equal(model.b.array(), other.b.array()));
}

TEST_CASE("states that do not fit the parameter are an error", "[optimizer]") {
  Model model;
  optimizers::MomentumSGD optimizer;
  optimizer.setup(model);
  serializers::Dictionary saved = serializers::to_dictionary(optimizer);
  saved["W/t"] = scalar(std::int64_t{1});
  saved["W/v"] = zeros({7});
  serializers::from_dictionary(saved, optimizer);
  CHECK_THROWS_WITH(optimizer.update(model), Catch::Matchers::ContainsSubstring("'v' of /W"));
}

TEST_CASE("hooks that change gradients leave other holders alone", "[optimizer]") {
  // Both parameters get the very same gradient array.
  struct Sum : Chain<Sum> {
    dnn::Parameter a{array({1.f, 2.f})}, b{array({4.f, 8.f})};
  } model;
  optimizers::SGD optimizer{{.lr = 1}};
  optimizer.setup(model);
  optimizer.add_hook(optimizer_hooks::WeightDecay{0.5});
  optimizer.update([&] { return sum(model.a + model.b); });
  CHECK(allclose(model.a.array(), array({-0.5f, 0.f})));
  CHECK(allclose(model.b.array(), array({1.f, 3.f})));

  const Array mine = array({1.f, 1.f});
  model.a.set_grad(Variable(mine));
  optimizer.update();
  CHECK(array_equal(mine, ones({2})));
}

TEST_CASE("GradientClipping scales by the norm of all gradients together", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer{{.lr = 1}};
  optimizer.setup(model);
  optimizer.add_hook(optimizer_hooks::GradientClipping{1});
  model.W.set_grad(Variable(array({3.f, 0.f, 0.f})));
  model.b.set_grad(Variable(array({0.f, 4.f})));
  optimizer.update();
  CHECK(allclose(model.W.array(), array({1 - 0.6f, 2.f, 3.f})));
  CHECK(allclose(model.b.array(), array({-1.f, 0.5f - 0.8f})));
  // Small gradients are left alone, and so are none.
  model.W.set_grad(Variable(array({0.5f, 0.f, 0.f})));
  model.b.set_grad(Variable(zeros({2})));
  optimizer.update();
  CHECK(model.W.grad().to("cpu").at<float>(0) == 0.5f);
  model.cleargrads();
  optimizer.update();
  CHECK(array_equal(model.W.grad(), zeros({3})));
}

TEST_CASE("Lasso, hard clipping and noise", "[optimizer]") {
  Model model;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  model.W.set_array(array({2.f, -2.f, 0.f}));
  optimizers::SGD optimizer{{.lr = 0}};
  optimizer.setup(model);
  optimizer.add_hook(optimizer_hooks::Lasso{0.25});
  optimizer.update();
  CHECK(array_equal(model.W.grad(), array({0.25f, -0.25f, 0.f})));
  optimizer.remove_hook("Lasso");

  optimizer.add_hook(optimizer_hooks::GradientHardClipping{-1, 0.5});
  model.W.set_grad(Variable(array({9.f, -9.f, nan})));
  optimizer.update();
  CHECK(array_equal(model.W.grad().slice(0, 2), array({0.5f, -1.f})));
  CHECK(std::isnan(model.W.grad().to("cpu").at<float>(2)));
  optimizer.remove_hook("GradientHardClipping");

  seed(4);
  links::Linear large(100, 100);
  optimizer.setup(large);
  optimizer.add_hook(optimizer_hooks::GradientNoise{4});
  optimizer.update();
  const Array noise = large.W.grad().to("cpu");
  double squares = 0;
  for (const float v : noise.span<float>()) squares += v * v;
  CHECK(squares / 1e4 == Approx(4).epsilon(0.05));  // eta / (1 + 0)^0.55
  optimizer.remove_hook("GradientNoise");

  // Noise of one's own.
  optimizer.add_hook(optimizer_hooks::GradientNoise{
      4, [](const Parameter& p, double eta, std::int64_t) { return full(p.shape(), eta, p.dtype()); }});
  large.W.set_grad(Variable(ones({100, 100})));
  optimizer.update();
  CHECK(array_equal(large.W.grad(), full({100, 100}, 5)));
}

TEST_CASE("hooks whose settings make no sense are an error", "[optimizer]") {
  Model model;
  optimizers::SGD optimizer;
  const auto update_with = [&](auto hook) {
    optimizer.setup(model);
    optimizer.add_hook(hook);
    optimizer.update();
  };
  CHECK_THROWS_WITH(
      update_with(optimizer_hooks::GradientHardClipping{1, -1}),
      Catch::Matchers::ContainsSubstring("[GradientHardClipping] lower_bound <= upper_bound does not hold: 1 > -1"));
  CHECK_THROWS_AS(update_with(optimizer_hooks::GradientClipping{0}), ArgumentError);
  CHECK_THROWS_AS(update_with(optimizer_hooks::GradientClipping{-1}), ArgumentError);
  CHECK_THROWS_AS(update_with(optimizer_hooks::GradientNoise{-0.1}), ArgumentError);
  const auto scalar_noise = [](const Parameter&, double, std::int64_t) { return zeros({}); };
  CHECK_THROWS_AS(update_with(optimizer_hooks::GradientNoise{1, scalar_noise}), ArgumentError);
  CHECK(array_equal(model.W.array(), Model{}.W.array()));
}

TEST_CASE("an empty parameter is no trouble", "[optimizer]") {
  struct Empty : Chain<Empty> {
    dnn::Parameter W{zeros({0, 3})};
  } model;
  optimizers::Adam optimizer;
  optimizer.setup(model);
  optimizer.add_hook(optimizer_hooks::GradientClipping{1});
  optimizer.add_hook(optimizer_hooks::WeightDecay{1});
  optimizer.update();
  CHECK(optimizer.rule("/W").state("m").shape() == Shape{0, 3});
}
