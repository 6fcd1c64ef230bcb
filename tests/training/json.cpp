#include "dnn/training/json.hpp"

#include <limits>
#include <string>

#include "catch.hpp"

using namespace dnn;
namespace json = dnn::training::json;

TEST_CASE("numbers are written as Python's repr writes them", "[json]") {
  const std::pair<double, const char*> cases[] = {{0.0, "0.0"},
                                                  {-0.0, "-0.0"},
                                                  {1e-5, "1e-05"},
                                                  {1e-4, "0.0001"},
                                                  {0.1, "0.1"},
                                                  {100000.0, "100000.0"},
                                                  {123.456, "123.456"},
                                                  {1e15, "1000000000000000.0"},
                                                  {1e16, "1e+16"},
                                                  {1.5e-7, "1.5e-07"},
                                                  {12345678.9, "12345678.9"},
                                                  {5e-324, "5e-324"},
                                                  {-1234.5, "-1234.5"},
                                                  {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                  {0.30000000000000004, "0.30000000000000004"},
                                                  {1.0 / 3, "0.3333333333333333"}};
  for (const auto& [value, text] : cases) CHECK(json::number_text(value) == text);
  CHECK(json::number_text(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  CHECK(json::number_text(-std::numeric_limits<double>::infinity()) == "-Infinity");
}

TEST_CASE("JSON is written as Python's json.dumps writes it", "[json]") {
  const json::Object object = {
      {"a", 1}, {"b \"\\\n\x7f\x01", 2.5}, {"é😀", json::Array{true, nullptr, "x"}}, {"none", json::Array{}}};
  CHECK(json::dump(object) ==
        R"({"a": 1, "b \"\\\n\u007f\u0001": 2.5, "\u00e9\ud83d\ude00": [true, null, "x"], "none": []})");
  CHECK(json::dump(json::Array{json::Object{{"a", 1}}, 2}, 4) == "[\n    {\n        \"a\": 1\n    },\n    2\n]");
  CHECK(json::dump(json::Array{}, 4) == "[]");
}

TEST_CASE("what was written reads back the same", "[json]") {
  const std::string text = R"([{"a": -1, "b": NaN, "c": -Infinity, "d": "\u00e9\ud83d\ude00\"\\", "e": {}, )"
                           R"("f": [1e-05, 9007199254740993]}])";
  CHECK(json::dump(json::parse(text, "test")) == text);
  const json::Value spaced = json::parse(" [ 1 , 2.0e3 , -0.5 ] ", "test");
  CHECK(spaced.array()[1].number() == 2000);
  CHECK(json::parse("123456789012345678901234567890", "test").number() == Approx(1.2345678901234568e29));
  CHECK(std::isinf(json::parse("1e999", "test").number()));
}

TEST_CASE("malformed JSON is an error that names source and place", "[json]") {
  for (const char* text : {"", "[1,", "[1 2]", "{\"a\" 1}", "{a: 1}", "01", "1 2", "nul", "-", "1.", "1e", "[1,]",
                           "\"abc", "\"\\x\"", "\"\\u12g4\"", "\"\\ud83d\\u0041\"", "\"\n\""}) {
    CHECK_THROWS_AS(json::parse(text, "log"), SerializationError);
  }
  CHECK_THROWS_WITH(json::parse("[1, x]", "log"), "[json] log: no value at character 4");
  CHECK_THROWS_AS(json::parse(std::string(100000, '['), "log"), SerializationError);
  CHECK_THROWS_AS(json::parse("[]", "log").number(), SerializationError);
}
