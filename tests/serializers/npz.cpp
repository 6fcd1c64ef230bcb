#include "dnn/serializers/npz.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/sha256.hpp"
#include "files.hpp"

using namespace dnn;
using namespace dnn::serializers;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Layer {
  Parameter W, b;
  void serialize(Serializer& s) {
    s("W", W);
    s("b", b);
  }
};

/// One field of every kind.
struct Object {
  Layer l1{Parameter(arange(6).to(float32).reshape({2, 3})), Parameter(zeros({2}))};
  Array mean = full({2}, 0.5), none;
  std::int64_t n = 7;
  int small = -3;
  double lr = 0.1;
  float rate = 0.25f;
  bool flag = true;
  std::string log = "[]";
  std::optional<double> best, previous = 1.5;
  std::optional<Layer> extra;
  std::vector<Layer> layers{{Parameter(ones({1})), Parameter()}, {Parameter(ones({2})), Parameter(ones({3}))}};

  void serialize(Serializer& s) {
    s("l1", l1);
    s("mean", mean);
    s("none", none);
    s("n", n);
    s("small", small);
    s("lr", lr);
    s("rate", rate);
    s("flag", flag);
    s("log", log);
    s("best", best);
    s("previous", previous);
    s("extra", extra);
    s("layers", layers);
  }
};

/// An object whose values all differ from a new one's.
Object changed() {
  Object o;
  o.l1.W.array().fill(3);
  o.l1.b.array().fill(-1);
  o.mean.fill(9);
  o.none = ones({2, 2}, int32);
  o.n = std::int64_t{1} << 62;
  o.small = 11;
  o.lr = 0.1 + 1e-16;
  o.rate = 3;
  o.flag = false;
  o.log = "[{\"epoch\": 1}]\n\xc3\xa9";
  o.best = -0.0;
  o.previous.reset();
  o.extra = Layer{Parameter(ones({1})), Parameter(ones({1}))};
  o.layers[0].b = Parameter(ones({4}));
  o.layers[1].W.array().fill(8);
  return o;
}

void check_equal(Object& a, Object& b) {
  const Dictionary x = to_dictionary(a), y = to_dictionary(b);
  REQUIRE(x.size() == y.size());
  for (auto i = x.begin(), j = y.begin(); i != x.end(); ++i, ++j) {
    INFO(i->first);
    REQUIRE(i->first == j->first);
    REQUIRE(i->second.index() == j->second.index());
    if (const auto* array = std::get_if<Array>(&i->second)) {
      CHECK(array->dtype() == std::get<Array>(j->second).dtype());
      CHECK(array_equal(*array, std::get<Array>(j->second)));
    } else if (const auto* text = std::get_if<std::string>(&i->second)) {
      CHECK(*text == std::get<std::string>(j->second));
    }
  }
}

struct One {
  Parameter W;
  void serialize(Serializer& s) { s("W", W); }
};
template <class T>
struct Field {
  T x;
  void serialize(Serializer& s) { s("x", x); }
};

template <class T>
T loaded(T start, const Value& stored) {
  Field<T> field{std::move(start)};
  from_dictionary({{"x", stored}}, field);
  return field.x;
}

}  // namespace

TEST_CASE("npz: every kind of field survives saving and loading", "[npz]") {
  const files::TemporaryFolder folder;
  Object original = changed();
  for (const bool compression : {true, false}) {
    save_npz(folder / "object.npz", original, {.compression = compression});
    Object target;
    target.extra.emplace();
    load_npz(folder / "object.npz", target);
    check_equal(original, target);
    CHECK(target.small == 11);
    CHECK(target.rate == 3.f);
    CHECK(std::signbit(*target.best));
    CHECK_FALSE(target.previous.has_value());
  }
}

TEST_CASE("npz: keys are Chainer's", "[npz]") {
  Object object;
  std::vector<std::string> keys;
  for (const auto& [key, value] : to_dictionary(object)) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"best", "extra", "flag", "l1/W", "l1/b", "layers/0/W", "layers/0/b",
                                         "layers/1/W", "layers/1/b", "log", "lr", "mean", "n", "none", "previous",
                                         "rate", "small"});
  const auto stored = to_dictionary(object);
  CHECK(std::get<Array>(stored.at("n")).dtype() == int64);
  CHECK(std::get<Array>(stored.at("rate")).dtype() == float64);
  CHECK(std::get<Array>(stored.at("flag")).dtype() == boolean);
  CHECK(stored.at("best").index() == 0);
}

TEST_CASE("npz: dictionaries of arrays", "[npz]") {
  const files::TemporaryFolder folder;
  save_npz(folder / "a.npz", {{"x", arange(3)}, {"deep/y", ones({2, 0})}, {"half", ones({2}, DType::bfloat16)}});
  const Dictionary read = load_npz(folder / "a.npz");
  CHECK(read.size() == 3);
  CHECK(array_equal(std::get<Array>(read.at("x")), arange(3)));
  CHECK(std::get<Array>(read.at("deep/y")).shape() == Shape{2, 0});
  CHECK(array_equal(std::get<Array>(read.at("half")), ones({2})));
  save_npz(folder / "empty.npz", Dictionary{});
  CHECK(load_npz(folder / "empty.npz").empty());
}

TEST_CASE("npz: path, strict and ignore_names", "[npz]") {
  const files::TemporaryFolder folder;
  const auto file = folder / "a.npz";
  save_npz(file, {{"updater/model:main/W", ones({2})}, {"other", ones({5})}});
  const auto load_with = [&](const LoadOptions& options) {
    One one{Parameter(zeros({2}))};
    load_npz(file, one, options);
    return one.W.array().to("cpu").at<float>(1);
  };
  CHECK(load_with({.path = "updater/model:main/"}) == 1.f);
  CHECK(load_with({.path = "updater/model:main"}) == 1.f);
  CHECK_THROWS_AS(load_with({}), SerializationError);
  CHECK_THROWS_WITH(load_with({}), ContainsSubstring("a.npz") && ContainsSubstring("'W' is missing") &&
                                       ContainsSubstring("there is other updater/model:main/W;"));
  CHECK_THROWS_WITH(load_with({.path = "updater/model:main/predictor"}),
                    ContainsSubstring("there is updater/model:main/W;"));
  CHECK(load_with({.strict = false}) == 0.f);
  CHECK(load_with({.ignore_names = "W"}) == 0.f);
  CHECK(load_with({.ignore_names = {"V", "W"}}) == 0.f);
  CHECK(load_with({.ignore_names = [](std::string_view key) { return key.ends_with("W"); }}) == 0.f);
  CHECK(load_with({.path = "updater/model:main/", .ignore_names = {"updater/model:main/W"}}) == 0.f);
  CHECK(load_with({.path = "updater/model:main/", .ignore_names = {"W"}}) == 1.f);
}

TEST_CASE("npz: values convert as in Chainer", "[npz]") {
  CHECK(loaded(0.0, scalar(3)) == 3.0);
  CHECK(loaded(0.0, scalar(1.5f)) == 1.5);
  CHECK(loaded(0.0, ones({1, 1})) == 1.0);
  CHECK(loaded(0, scalar(true)) == 1);
  CHECK(loaded(std::string("x"), std::string("y")) == "y");
  CHECK_THROWS_WITH(loaded(0, scalar(1.0)), ContainsSubstring("'x'") && ContainsSubstring("float64"));
  CHECK_THROWS_AS(loaded(0, ones({2}, int32)), SerializationError);
  CHECK_THROWS_AS(loaded(false, scalar(1)), SerializationError);
  CHECK_THROWS_AS(loaded(0, std::string("1")), SerializationError);
  CHECK_THROWS_AS(loaded(std::string(), scalar(1)), SerializationError);
  CHECK_THROWS_AS(loaded(ones({1}), std::string("1")), SerializationError);

  // None leaves its target alone, and empties an optional.
  CHECK(loaded(5, Value{}) == 5);
  CHECK(loaded(std::string("x"), Value{}) == "x");
  CHECK(array_equal(loaded(ones({2}), Value{}), ones({2})));
  CHECK_FALSE(loaded(std::optional(2.0), Value{}).has_value());
  CHECK(loaded(std::optional<double>(), scalar(2)) == 2.0);

  // An array that is None takes shape and dtype of what is stored.
  CHECK(array_equal(loaded(Array(), arange(3)), arange(3)));
}

TEST_CASE("npz: loading does not share elements with the dictionary", "[npz]") {
  const Dictionary dictionary{{"x", ones({2})}};
  Field<Array> field;
  from_dictionary(dictionary, field);
  field.x.fill(5);
  CHECK(std::get<Array>(dictionary.at("x")).to("cpu").at<float>(0) == 1.f);
}

TEST_CASE("npz: parameters load in place, are initialised by the stored shape, and keep their dtype", "[npz]") {
  Field<Parameter> field{Parameter(zeros({2}))};
  const Array before = field.x.array();
  from_dictionary({{"x", array({1.5, 2.5})}}, field);
  CHECK(field.x.dtype() == float32);
  CHECK(before.shares_storage(field.x.array()));
  CHECK(array_equal(before, array({1.5f, 2.5f})));

  Field<Parameter> lazy;
  from_dictionary({{"x", Value{}}}, lazy);
  CHECK_FALSE(lazy.x.is_initialized());
  from_dictionary({{"x", array({1.5, 2.5})}}, lazy);
  CHECK(lazy.x.dtype() == float32);
  CHECK(array_equal(lazy.x.array(), array({1.5f, 2.5f})));
}

TEST_CASE("npz: a load that fails changes nothing it could know beforehand", "[npz]") {
  const files::TemporaryFolder folder;
  const auto file = folder / "a.npz";
  Object source = changed();
  Dictionary stored = to_dictionary(source);
  Object target, untouched;
  const auto fails = [&](std::string_view message) {
    CHECK_THROWS_WITH(load_npz(file, target), ContainsSubstring("a.npz") && ContainsSubstring(std::string(message)));
    check_equal(target, untouched);
  };
  SECTION("a shape that does not fit") {
    stored["layers/1/b"] = ones({4});
    save_npz(file, stored);
    fails("'layers/1/b': cannot put the stored shape (4,) into shape (3,)");
  }
  SECTION("a dtype that does not fit") {
    target.mean = zeros({2}, int32);
    untouched.mean = zeros({2}, int32);
    save_npz(file, stored);
    fails("'mean': cannot turn the stored float32 into int32");
  }
  SECTION("a missing parameter") {
    stored.erase("layers/1/b");
    save_npz(file, stored);
    fails("'layers/1/b' is missing");
  }
  SECTION("a damaged member") {
    save_npz(file, stored, {.compression = false});
    std::string bytes = files::read(file);
    const std::size_t last = bytes.find("layers/1/b.npy");
    bytes[bytes.find("NUMPY", last) + 130] ^= 1;
    files::write(file, bytes);
    fails("CRC");
  }
  SECTION("a truncated archive") {
    save_npz(file, stored);
    const std::string bytes = files::read(file);
    files::write(file, std::string_view(bytes).substr(0, bytes.size() - 1));
    fails("zip");
  }
  SECTION("no archive") { fails("No such file"); }
}

TEST_CASE("npz: a failed save leaves the old file", "[npz]") {
  const files::TemporaryFolder folder;
  save_npz(folder / "a.npz", {{"x", std::string("old")}});
  CHECK_THROWS_AS(save_npz(folder / "a.npz", {{"x", std::string("\xff")}}), SerializationError);
  CHECK(std::get<std::string>(load_npz(folder / "a.npz").at("x")) == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("npz: every array of Chainer's own files is as recorded", "[npz][chainer]") {
  const char* data = files::chainer_data();
  if (data == nullptr) {
    WARN("DNN_CHAINER_DATA is not set: Chainer's files are not read");
    return;
  }
  const auto folder = std::filesystem::path(data) / "files";
  int count = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (item.path().extension() != ".json") continue;
    const auto description = nlohmann::json::parse(files::read(item.path()));
    for (const auto& file : description.at("files")) {
      const Dictionary read = load_npz(folder / file.at("file").get<std::string>());
      CHECK(read.size() == file.at("arrays").size());
      for (const auto& expected : file.at("arrays")) {
        const auto key = expected.at("key").get<std::string>();
        INFO(file.at("file") << " " << key);
        REQUIRE(read.contains(key));
        const auto descr = expected.at("dtype").get<std::string>();
        if (descr == "|O") {
          CHECK(read.at(key).index() == 0);
        } else if (descr.starts_with("<U")) {
          CHECK(std::get<std::string>(read.at(key)) == expected.at("value").get<std::string>());
        } else {
          const auto& array = std::get<Array>(read.at(key));
          CHECK(array.shape() == Shape(expected.at("shape").get<std::vector<std::int64_t>>()));
          const std::span bytes(reinterpret_cast<const std::uint8_t*>(array.bytes()), array.nbytes());
          CHECK(datasets::sha256(bytes) == expected.at("sha256").get<std::string>());
        }
        ++count;
      }
    }
  }
  CHECK(count > 150);
}
