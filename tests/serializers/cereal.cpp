#include "dnn/serializers/cereal.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "files.hpp"

using namespace dnn;
using namespace dnn::serializers;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Model {
  Parameter W{array({{1.f, 2.f}, {3.f, 4.f}})}, b;
  std::int64_t t = 3;
  double lr = 0.1;
  bool flag = true;
  std::string log = "\"quoted\"\n\xc3\xa9";
  std::optional<double> best;

  void serialize(Serializer& s) {
    s("l1/W", W);
    s("l1/b", b);
    s("t", t);
    s("lr", lr);
    s("flag", flag);
    s("log", log);
    s("best", best);
  }
};

Dictionary extremes() {
  using limits = std::numeric_limits<double>;
  return {{"double", array({limits::max(), limits::denorm_min(), -0.0, 0.1, 1e22})},
          {"special", array({limits::infinity(), -limits::infinity()})},
          {"float", array({std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), 0.1f})},
          {"int64", array({std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})},
          {"int32", array({std::numeric_limits<int>::max(), std::numeric_limits<int>::min()})},
          {"uint8", arange(256).to(uint8).reshape({16, 16})},
          {"bool", array({true, false})},
          {"half", array({1.5f, -65504.f, 6e-8f}).to(DType::float16)},
          {"bfloat16", array({1.5f, 3e38f}).to(DType::bfloat16)},
          {"scalar", scalar(1.5)},
          {"empty", zeros({2, 0, 3})},
          {"none", std::monostate{}},
          {"text", std::string("\xf0\x9f\x98\x80 \\ / \t")},
          {"", std::string()}};
}

std::string binary(const Dictionary& dictionary) {
  std::ostringstream stream;
  write_binary(stream, dictionary);
  return stream.str();
}
std::string json(const Dictionary& dictionary) {
  std::ostringstream stream;
  write_json(stream, dictionary);
  return stream.str();
}

}  // namespace

TEST_CASE("cereal: binary and JSON give every value back, bit by bit", "[cereal]") {
  const Dictionary original = extremes();
  const std::string bytes = binary(original);
  CHECK(binary(parse_binary(bytes, "memory")) == bytes);
  CHECK(binary(parse_json(json(original), "memory")) == bytes);
  const auto nan = parse_json(json({{"x", array({std::nan("")})}}), "memory");
  CHECK(std::isnan(std::get<Array>(nan.at("x")).to("cpu").at<double>(0)));
  CHECK(parse_json(json({}), "memory").empty());
  CHECK(parse_binary(binary({}), "memory").empty());
}

TEST_CASE("cereal: the same serialize drives both archives", "[cereal]") {
  const files::TemporaryFolder folder;
  Model original;
  original.t = 12;
  original.W.array().fill(7);
  original.best = 2.5;
  const auto check = [&](const Model& loaded) {
    CHECK(array_equal(loaded.W.array(), full({2, 2}, 7)));
    CHECK_FALSE(loaded.b.is_initialized());
    CHECK(loaded.t == 12);
    CHECK(loaded.best == 2.5);
    CHECK(loaded.log == original.log);
  };
  Model from_binary, from_json;
  save_binary(folder / "model.bin", original);
  load_binary(folder / "model.bin", from_binary);
  check(from_binary);
  save_json(folder / "model.json", original);
  load_json(folder / "model.json", from_json);
  check(from_json);
  CHECK(folder.count() == 2);
}

TEST_CASE("cereal: JSON can be written by hand", "[cereal]") {
  const auto read = parse_json(
      " {\"b\": {\"type\": \"float32\", \"shape\": [2], \"data\": [1, 0.5]}, \"t\": "
      "{\"type\":\"text\",\"text\":\"[[[\"}}\n",
      "x");
  CHECK(array_equal(std::get<Array>(read.at("b")), array({1.f, 0.5f})));
  CHECK(std::get<std::string>(read.at("t")) == "[[[");
}

TEST_CASE("cereal: JSON numbers in any form", "[cereal]") {
  const auto number = [](const std::string& text) {
    const auto read = parse_json("{\"x\": {\"type\": \"float64\", \"shape\": [], \"data\": [" + text + "]}}", "x");
    return std::get<Array>(read.at("x")).item();
  };
  CHECK(number("0e99") == 0.0);
  CHECK(number("0." + std::string(100, '0')) == 0.0);
  CHECK(std::signbit(number("-0.0")));
  CHECK(number("1E+2") == 100.0);
  CHECK(number("0.1000000000000000055511151231257827021181583404541015625") == 0.1);
  CHECK(number("123456789012345678901234567890") == 123456789012345678901234567890.0);
  CHECK(number("-Infinity") == -std::numeric_limits<double>::infinity());
}

TEST_CASE("cereal: malformed JSON is a named error", "[cereal]") {
  const auto rejected = [](const std::string& text, const std::string& reason) {
    INFO(text);
    CHECK_THROWS_AS(parse_json(text, "f.json"), FileError);
    CHECK_THROWS_WITH(parse_json(text, "f.json"), ContainsSubstring("f.json") && ContainsSubstring(reason));
  };
  const auto entry = [](const std::string& body) { return "{\"l1/W\": " + body + "}"; };
  for (const char* text : {"", " ", "null", "[]", "[1, 2]", "7", "\"text\""}) rejected(text, "not a JSON object");
  for (const char* text : {"{", "{\"a\"", "{\"a\":", "{\"a\": {}", "{} {}", "{\"a\": tru}", "{,}"})
    rejected(text, "not valid JSON");
  for (const char* body :
       {"1", "\"x\"", "[]", "{}", "null", "{\"type\": 3}", "{\"type\": \"float32\"}",
        "{\"type\": \"float32\", \"shape\": 2, \"data\": [1, 2]}",
        "{\"type\": \"float32\", \"shape\": [2], \"data\": [1]}",
        "{\"type\": \"float32\", \"shape\": [2], \"data\": [1, \"x\"]}",
        "{\"type\": \"float32\", \"shape\": [-1], \"data\": []}",
        "{\"type\": \"float32\", \"shape\": [1.5], \"data\": []}",
        "{\"type\": \"int32\", \"shape\": [1], \"data\": [2147483648]}",
        "{\"type\": \"uint8\", \"shape\": [1], \"data\": [-1]}", "{\"type\": \"bool\", \"shape\": [1], \"data\": [2]}",
        "{\"type\": \"complex64\", \"shape\": [1], \"data\": [2]}", "{\"type\": \"text\", \"text\": 5}"}) {
    rejected(entry(body), "'l1/W'");
  }
  rejected("{\"x\": 1e999}", "not a number");
  rejected("{\"x\": 0.0-}", "not a number");
  rejected(entry(std::string(1'000'000, '[')), "nested too deeply");
}

TEST_CASE("cereal: malformed binary archives are named errors", "[cereal]") {
  const std::string whole = binary(extremes());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_THROWS_AS(parse_binary(whole.substr(0, size), "f.bin"), FileError);
  }
  CHECK_THROWS_WITH(parse_binary(whole + "x", "f.bin"),
                    ContainsSubstring("f.bin") && ContainsSubstring("1 bytes are left"));
  CHECK_THROWS_WITH(parse_binary(std::string("\1") + std::string(100, 'x'), "f.bin"),
                    ContainsSubstring("ends too early"));

  // A length that nothing in the file justifies must not be allocated.
  std::string huge = binary({{"key", zeros({3})}});
  const std::size_t size = huge.find("float32") + 7 + 8;
  huge[size + 6] = 1;
  CHECK_THROWS_WITH(parse_binary(huge, "f.bin"), ContainsSubstring("'key'") && ContainsSubstring("ends too early"));
}

TEST_CASE("cereal: files that cannot be read or written are named", "[cereal]") {
  const files::TemporaryFolder folder;
  Model model;
  CHECK_THROWS_WITH(load_json(folder / "missing.json", model), ContainsSubstring("missing.json"));
  CHECK_THROWS_WITH(load_binary(folder / "missing.bin", model), ContainsSubstring("missing.bin"));
  CHECK_THROWS_AS(save_json(folder / "no" / "folder.json", model), FileError);
  CHECK_THROWS_AS(save_binary(folder / "no" / "folder.bin", model), FileError);
}
