#include "dnn/autograd/serializer.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace dnn;

namespace {

struct Leaf {
  Parameter w{ones({2})};
  std::int64_t count = 5;
  void serialize(Serializer& s) {
    s("w", w);
    s("count", count);
  }
};
struct Outer {
  Leaf a, b;
  Array mean = zeros({3});
  double rate = 0.5;
  bool on = true;
  std::string text = "t";
  std::optional<double> best;
  std::vector<Leaf> list = std::vector<Leaf>(2);
  void serialize(Serializer& s) {
    s("a", a);
    s("mean", mean);
    s("rate", rate);
    s("on", on);
    s("text", text);
    s("best", best);
    s("list", list);
    s("b", b);
  }
};

struct Keys final : Serializer {
  std::vector<std::string> keys;
  void on_parameter(Parameter&) override { keys.push_back("parameter " + path()); }
  void on_array(Array&) override { keys.push_back("array " + path()); }
  void on_integer(std::int64_t&) override { keys.push_back("integer " + path()); }
  void on_real(double& v) override {
    keys.push_back("real " + path());
    v += 1;
  }
  void on_bool(bool&) override { keys.push_back("bool " + path()); }
  void on_string(std::string&) override { keys.push_back("string " + path()); }
  bool on_optional(bool has) override {
    keys.push_back((has ? "some " : "none ") + path());
    return true;
  }
};

}  // namespace

TEST_CASE("a serializer sees every field under its path", "[autograd]") {
  Outer outer;
  Keys keys;
  outer.serialize(keys);
  CHECK(keys.keys == std::vector<std::string>{"parameter a/w", "integer a/count", "array mean", "real rate", "bool on",
                                              "string text", "none best", "real best", "parameter list/0/w",
                                              "integer list/0/count", "parameter list/1/w", "integer list/1/count",
                                              "parameter b/w", "integer b/count"});
  CHECK(outer.rate == 1.5);
  CHECK(outer.best == 1.0);
  CHECK(keys.path().empty());
}

TEST_CASE("an exception leaves the path as it was", "[autograd]") {
  struct Refuses final : Serializer {
    void on_parameter(Parameter&) override { throw SerializationError("no"); }
  } refuses;
  Outer outer;
  CHECK_THROWS_AS(refuses("outer", outer), SerializationError);
  CHECK(refuses.path().empty());
}

TEST_CASE("a reference to anything serializable", "[autograd]") {
  Leaf inner;
  const SerializableRef ref = inner;
  Keys keys;
  ref.serialize(keys);
  CHECK(keys.keys.size() == 2);
}

TEST_CASE("a stored integer that does not fit its field is an error", "[autograd]") {
  struct Stored final : Serializer {
    bool is_loading() const override { return true; }
    void on_integer(std::int64_t& value) override { value = std::int64_t{1} << 40; }
  } stored;
  int narrow = 7;
  std::uint64_t wide = 7;
  CHECK_THROWS_AS(stored("narrow", narrow), SerializationError);
  CHECK(narrow == 7);
  stored("wide", wide);
  CHECK(wide == std::uint64_t{1} << 40);
}

TEST_CASE("saving writes to nothing", "[autograd]") {
  struct Careless final : Serializer {
    void on_integer(std::int64_t& value) override { value = 5; }
    void on_real(double& value) override { value = 0.5; }
  } saver;
  struct Fields {
    std::int32_t n = 7;
    float x = 0.25f;
    void serialize(Serializer& s) {
      s("n", n);
      s("x", x);
    }
  } fields;
  SerializableRef(fields).serialize(saver);
  CHECK(fields.n == 7);
  CHECK(fields.x == 0.25f);
}
