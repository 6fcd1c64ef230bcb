#include "dnn/links/sequential.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/linear.hpp"

using namespace dnn;

namespace {
std::string shapes(const Sequential& model) {
  std::string out;
  for (const auto& [name, p] : model.namedparams()) {
    if (name.back() == 'W') out += name + to_text(p.shape()) + ' ';
  }
  return out;
}
Variable twice(const Variable& x) { return x + x; }
}  // namespace

TEST_CASE("Sequential calls links and functions one after the other", "[sequential]") {
  links::Linear l1(2, 3), l2(3, 1);
  Sequential model{l1, functions::tanh, l2, twice, [](const Variable& x) { return reshape(x, {-1}); }};
  CHECK(model.size() == 5);
  const Array x = array({{1.f, 2.f}, {3.f, 4.f}});
  const Variable y = model(x);
  CHECK(y.shape() == Shape{2});
  CHECK(array_equal(y.array(), twice(l2(tanh(l1(x)))).array().reshape({-1})));
  CHECK(shapes(model) == "/0/W(3, 2) /1/W(1, 3) ");
  CHECK(model.get<links::Linear>(2).W.body() == l2.W.body());
  CHECK_THROWS_AS(model.get<links::Linear>(1), ArgumentError);
  CHECK_THROWS_AS(model.get<links::Linear>(5), IndexError);
}

TEST_CASE("Sequential numbers its links as Chainer does", "[sequential]") {
  // What Chainer 7.8 says of the same calls.
  const auto l = [](int n) { return links::Linear(1, n); };
  CHECK(shapes(Sequential{l(1), l(2), l(3), l(4)}) == "/0/W(1, 1) /1/W(4, 1) /2/W(3, 1) /3/W(2, 1) ");
  CHECK(shapes(Sequential{relu, l(1), relu, l(2), l(3)}) == "/0/W(1, 1) /1/W(2, 1) /2/W(3, 1) ");
  Sequential model{l(1), l(2)};
  model.insert(0, l(3)).insert(2, l(4));
  CHECK(shapes(model) == "/0/W(3, 1) /1/W(4, 1) /2/W(1, 1) /3/W(2, 1) ");
  model.pop(0);
  CHECK(shapes(model) == "/0/W(4, 1) /1/W(1, 1) /2/W(2, 1) ");
  model.pop();
  CHECK(shapes(model) == "/0/W(4, 1) /1/W(1, 1) ");
}

TEST_CASE("copies of a Sequential share parameters, copy() does not", "[sequential]") {
  Sequential model{links::Linear(1, 1), relu};
  Sequential handle = model;
  auto own = model.copy(CopyMode::copy);
  model.get<links::Linear>(0).W.array().fill(5);
  CHECK(handle.get<links::Linear>(0).W.array().item() == 5);
  CHECK(own.get<links::Linear>(0).W.array().item() != 5);
}

TEST_CASE("Sequentials are joined, flattened and repeated", "[sequential]") {
  const Sequential block{links::Linear(2, 2), relu};
  Sequential joined = block + block;
  CHECK(joined.size() == 4);
  CHECK(joined.get<links::Linear>(0).W.body() == joined.get<links::Linear>(2).W.body());

  auto repeated = block.repeat(3);
  CHECK(repeated.size() == 3);
  CHECK(repeated.count_params() == 18);
  const auto params = repeated.namedparams();
  CHECK(params[2].name == "/1/0/W");
  CHECK_FALSE(array_equal(params[0].parameter.array(), params[2].parameter.array()));
  CHECK(links::Linear(2, 2).repeat(2).size() == 2);
  CHECK(links::Linear(2, 2).repeat(0).empty());

  Sequential nested{block, block};
  CHECK(nested.size() == 2);
  CHECK(nested.flatten().size() == 4);
  CHECK(nested.namedparams()[0].name == "/0/0/W");
}

TEST_CASE("a Sequential is a field like any other link", "[sequential]") {
  struct Model : Chain<Model> {
    Sequential body{links::Linear(4), relu};
    links::Linear head{2};
    Variable operator()(const Variable& x) { return head(body(x)); }
  };
  Model model;
  CHECK(model(zeros({1, 3})).shape() == Shape{1, 2});
  CHECK(model.namedparams()[0].name == "/body/0/W");
}
