#include "dnn/links/classifier.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/loss/mean_squared_error.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/linear.hpp"

using namespace dnn;

TEST_CASE("Classifier keeps and reports loss and accuracy", "[classifier]") {
  links::Classifier model{links::Linear(2, 3)};
  CHECK(model.namedparams()[0].name == "/predictor/W");
  CHECK(model.predictor.W.name() == "/predictor/W");
  CHECK_THROWS_WITH(model(zeros({1, 5}), array({0})), Catch::Matchers::ContainsSubstring("'/predictor/W'"));
  CHECK_FALSE(model.loss.defined());

  const Array x = array({{1.f, 2.f}, {3.f, -1.f}}), t = array({0, 2});
  Reporter reporter;
  reporter.add_observers("main", model);
  Observation observation;
  Variable loss;
  {
    const auto scope = reporter.scope(observation);
    loss = model(x, t);
  }
  CHECK(loss.body() == model.loss.body());
  CHECK(allclose(loss.array(), softmax_cross_entropy(model.predictor(x), t).array()));
  CHECK(allclose(model.accuracy.array(), functions::accuracy(model.y, t).array()));
  CHECK(observation["main/loss"].number() == loss.item());
  CHECK(observation["main/accuracy"].number() == model.accuracy.item());

  // Nobody listens, labels as a Variable, no accuracy.
  model.compute_accuracy = false;
  model(x, Variable(t));
  CHECK_FALSE(model.accuracy.defined());
}

TEST_CASE("Classifier takes other losses and several inputs", "[classifier]") {
  struct Difference : Chain<Difference> {
    links::Linear l{2, 1};
    Variable operator()(const Variable& a, const Variable& b) { return l(a) - l(b); }
  };
  links::Classifier model{Difference{}, {.lossfun = mean_squared_error, .compute_accuracy = false}};
  const Array x = array({{1.f, 2.f}, {3.f, -1.f}});
  CHECK(model(x, x, full({2, 1}, 3)).item() == Approx(9));
  CHECK(model.namedparams()[0].name == "/predictor/l/W");
}

TEST_CASE("reports of what is inside the model carry its path", "[classifier]") {
  struct Talker : Chain<Talker> {
    links::Linear l{2, 2};
    Variable operator()(const Variable& x) {
      report({{"calls", 1}}, this);
      return l(x);
    }
  };
  links::Classifier model{Talker{}};
  Reporter reporter;
  reporter.add_observers("main", model);
  Observation observation;
  const auto scope = reporter.scope(observation);
  model(zeros({1, 2}), array({0}));
  CHECK(observation.contains("main/predictor/calls"));
}
