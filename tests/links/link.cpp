#include "dnn/links/link.hpp"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/initializers/constant.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/chain_list.hpp"
#include "dnn/links/linear.hpp"
#include "dnn/links/parameter.hpp"

using namespace dnn;

namespace {

struct MLP : Chain<MLP> {
  int n_units = 1000;
  links::Linear l1{n_units}, l2{n_units}, l3{10};

  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

struct Inner : Chain<Inner> {
  links::Linear z{2, 3};
  dnn::Parameter w{initializers::Zero{}, Shape{2}};
  links::Linear a{3, 2, {.nobias = true}};
};
/// Stands for BatchNormalization: parameters and an array that is saved but not trained.
struct Norm : Chain<Norm> {
  dnn::Parameter gamma{initializers::One{}, Shape{2}};
  dnn::Parameter beta{initializers::Zero{}, Shape{2}};
  Array avg_mean = zeros({2});
};
struct Outer : Chain<Outer> {
  Inner inner{};
  Norm bn{};
  struct List : Link<List> {
    links::Linear first{2, 2};
    Inner second{};
    void serialize(Serializer& s) {
      s("0", first);
      s("1", second);
    }
  } list{};
};

std::string names(const std::vector<NamedParameter>& params) {
  std::string out;
  for (const auto& [name, parameter] : params) out += name + ' ';
  return out;
}

}  // namespace

TEST_CASE("a model is a plain struct whose children are named once", "[link]") {
  MLP model{{}, 5};
  CHECK(names(model.namedparams()) == "/l1/W /l1/b /l2/W /l2/b /l3/W /l3/b ");
  CHECK(model.count_params() == 5 + 5 + 10);
  const Variable y = model(zeros({3, 7}));
  CHECK(y.shape() == Shape{3, 10});
  CHECK(model.count_params() == 7 * 5 + 5 + 5 * 5 + 5 + 5 * 10 + 10);
  CHECK(model.children() == std::vector<std::string>{"l1", "l2", "l3"});
}

TEST_CASE("namedparams has Chainer's order", "[link]") {
  // golden text__names__nested
  Outer outer;
  CHECK(names(outer.namedparams()) ==
        "/bn/beta /bn/gamma /inner/w /inner/a/W /inner/z/W /inner/z/b /list/0/W /list/0/b /list/1/w /list/1/a/W "
        "/list/1/z/W /list/1/z/b ");
  CHECK(outer.count_params() == 44);
  CHECK(outer.children() == std::vector<std::string>{"bn", "inner", "list"});
}

TEST_CASE("children by number are ordered by value", "[link]") {
  ChainList<links::Parameter> list;
  for (int i = 0; i < 12; ++i) list.append(links::Parameter(zeros({i})));
  const auto params = list.namedparams();
  REQUIRE(params.size() == 12);
  CHECK(params[2].name == "/2/W");
  CHECK(params[11].name == "/11/W");
}

TEST_CASE("fields may be optional, owned elsewhere, or many", "[link]") {
  struct Model : Chain<Model> {
    std::optional<links::Linear> present{links::Linear(1, 1)}, absent{};
    std::shared_ptr<links::Linear> shared = std::make_shared<links::Linear>(1, 1);
    std::vector<links::Linear> many{links::Linear(1, 1), links::Linear(1, 1)};
    std::array<links::Linear, 1> fixed{links::Linear(1, 1)};
    std::map<std::string, links::Linear> by_name{{"x", links::Linear(1, 1)}};
    std::vector<std::unique_ptr<Inner>> owned{};
    std::tuple<links::Linear, int> tuple{links::Linear(1, 1), 2};
    struct {
      int n = 1;
    } settings{};
    std::string text = "not a link";
    std::vector<std::string> texts{"a"};
    std::function<void()> function{};
    double rate = 0.5;
    const char* pointer = nullptr;
  };
  Model model;
  model.owned.push_back(std::make_unique<Inner>());
  CHECK(
      names(model.namedparams()) ==
      "/by_name/x/W /by_name/x/b /fixed/0/W /fixed/0/b /many/0/W /many/0/b /many/1/W /many/1/b /owned/0/w /owned/0/a/W "
      "/owned/0/z/W /owned/0/z/b /present/W /present/b /shared/W /shared/b /tuple/0/W /tuple/0/b ");
}

namespace {
struct Base : Chain<Base> {
  links::Linear l1{1, 1};
};
struct Renamed : Base {};
struct Extended : Base {
  links::Linear l2{1, 1};
};
struct Listed : Base {
  links::Linear l2{1, 1};
  void serialize(Serializer& s) {
    Base::serialize(s);
    s("l2", l2);
  }
};
struct NumberAndLink {
  int n;
  links::Linear l;
};
struct Numbers {
  int n;
  Array mean;
};
template <class T>
concept Hides = hides_fields(static_cast<T*>(nullptr));
}  // namespace

TEST_CASE("fields that a list of links would miss are found", "[link]") {
  STATIC_REQUIRE(Hides<Extended>);
  STATIC_REQUIRE_FALSE(Hides<Base>);
  STATIC_REQUIRE_FALSE(Hides<Renamed>);
  STATIC_REQUIRE_FALSE(Hides<Listed>);
  Listed listed;
  CHECK(dnn::detail::namedparams(listed).size() == 4);
  STATIC_REQUIRE(dnn::detail::StructOfLinks<NumberAndLink>);
  STATIC_REQUIRE_FALSE(dnn::detail::StructOfLinks<Numbers>);
}

TEST_CASE("copies have parameters of their own in the mode asked for", "[link]") {
  Outer outer;
  outer.inner.w.set_grad(ones({2}));
  auto shared = outer.copy();
  auto copied = outer.copy(CopyMode::copy);
  seed(1);
  auto fresh = outer.copy(CopyMode::init);

  outer.inner.w.array().fill(7);
  outer.bn.avg_mean.fill(3);
  CHECK(shared.inner.w.array().to("cpu").at<float>(0) == 7);
  CHECK_FALSE(shared.inner.w.grad().defined());
  CHECK(copied.inner.w.array().to("cpu").at<float>(0) == 0);
  CHECK(copied.inner.w.grad().to("cpu").at<float>(0) == 1);
  CHECK(copied.bn.avg_mean.to("cpu").at<float>(0) == 0);
  CHECK(fresh.inner.w.array().to("cpu").at<float>(0) == 0);
  CHECK_FALSE(fresh.inner.w.grad().defined());
  CHECK(array_equal(copied.inner.z.W.array(), outer.inner.z.W.array()));
  CHECK_FALSE(array_equal(fresh.inner.z.W.array(), outer.inner.z.W.array()));

  shared.cleargrads();
  CHECK(outer.inner.w.grad().defined());
}

TEST_CASE("a parameter that is used twice is one", "[link]") {
  struct Tied : Chain<Tied> {
    links::Linear a{2, 2};
    links::Linear b = a;
  };
  Tied tied, other;
  CHECK(names(tied.namedparams()) == "/a/W /a/b ");
  CHECK(tied.params().size() == 2);
  CHECK(tied.count_params() == 6);
  other.a.W.set_grad(ones({2, 2}));
  tied.addgrads(other);
  CHECK(array_equal(tied.b.W.grad(), ones({2, 2})));
  auto copied = tied.copy(CopyMode::copy);
  CHECK(copied.a.W.body() == copied.b.W.body());
  CHECK_FALSE(copied.a.W.body() == tied.a.W.body());
}

TEST_CASE("a copy of an uninitialised link is uninitialised by itself", "[link]") {
  links::Linear lazy(3);
  auto other = lazy.copy(CopyMode::init);
  lazy(zeros({1, 2}));
  CHECK(lazy.W.is_initialized());
  CHECK_FALSE(other.W.is_initialized());
}

TEST_CASE("gradients are cleared and added, parameters copied", "[link]") {
  links::Linear a(2, 3), b(2, 3);
  sum(a(ones({4, 2}))).backward();
  sum(b(ones({4, 2}))).backward();
  a.addgrads(b);
  CHECK(array_equal(a.b->grad(), full({3}, 8)));
  CHECK(array_equal(b.b->grad(), full({3}, 4)));
  a.cleargrads();
  CHECK_FALSE(a.W.grad().defined());
  a.addgrads(b);
  CHECK(array_equal(a.b->grad(), full({3}, 4)));
  a.copyparams(b);
  CHECK(array_equal(a.W.array(), b.W.array()));
  a.W.array().fill(0);
  CHECK_FALSE(array_equal(a.W.array(), b.W.array()));

  CHECK_THROWS_AS(a.copyparams(links::Linear(2, 3, {.nobias = true})), ArgumentError);
  CHECK_THROWS_AS(a.copyparams(links::Linear(3, 3)), ShapeError);
}

TEST_CASE("links are frozen and thawed", "[link]") {
  Outer outer;
  outer.inner.disable_update();
  CHECK_FALSE(outer.inner.w.update_enabled());
  CHECK(outer.list.first.W.update_enabled());
  CHECK(outer.update_enabled());
  CHECK_FALSE(outer.inner.update_enabled());
  outer.enable_update();
  CHECK(outer.inner.w.update_enabled());
}

TEST_CASE("a name given before the shape is known does no harm", "[link]") {
  links::Linear lazy(3);
  lazy.W.set_name("/l1/W");
  sum(lazy(ones({2, 5}))).backward();
  CHECK(lazy.W.grad().shape() == Shape{3, 5});
  try {
    lazy(ones({2, 4}));
    FAIL("no error");
  } catch (const ArgumentError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::ContainsSubstring("'/l1/W'"));
  }
}
