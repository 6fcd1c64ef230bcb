#include "cloud/json/json.hpp"

#include <cmath>
#include <string>

#include "catch.hpp"

using namespace cloud;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("null, missing and odd members are read as absent", "[cloud][json]") {
  const Json j =
      json::parse("test", R"({"a":{"b":"x","n":null,"i":"3599","f":28800.0,"t":"True","big":18446744073709551615,
    "nan":"NaN","inf":"-Infinity","list":[1,null],"deep":1e300}})");
  CHECK(json::text(j, {"a", "b"}) == "x");
  CHECK(json::text(j, {"a", "n"}, "none") == "none");
  CHECK(json::text(j, {"a", "b", "c"}, "none") == "none");
  CHECK(json::text(j, {"z"}) == "");
  CHECK(json::text(j, {"a", "list"}, "none") == "none");
  CHECK(json::integer(j, {"a", "i"}) == 3599);
  CHECK(json::integer(j, {"a", "f"}) == 28800);
  CHECK(json::integer(j, {"a", "big"}, -1) == -1);
  CHECK(json::integer(j, {"a", "deep"}, -1) == -1);
  CHECK(json::integer(j, {"a", "b"}, -1) == -1);
  CHECK(json::integer(j, {"a", "nan"}, -1) == -1);
  CHECK(json::boolean(j, {"a", "t"}));
  CHECK(json::boolean(j, {"a", "n"}, true));
  CHECK(std::isnan(json::number(j, {"a", "nan"})));
  CHECK(json::number(j, {"a", "inf"}) == -HUGE_VAL);
  CHECK(json::array(j, {"a", "list"}).size() == 2);
  CHECK(json::array(j, {"a", "n"}).empty());
  CHECK(json::text_map(j, {"a", "none"}).empty());
  CHECK(json::text_map(j, {"a"}).at("f") == "28800.0");
  CHECK(!json::text_map(j, {"a"}).contains("n"));
  CHECK(json::number_value(std::nan("")) == "NaN");
  CHECK(json::number_value(0.5) == 0.5);
}

TEST_CASE("what is no JSON is an error that shows how it starts", "[cloud][json]") {
  CHECK_THROWS_WITH(json::parse("list runs", "<html>\n<body>Bad gateway"),
                    ContainsSubstring("[list runs]") && ContainsSubstring("<html> <body>"));
  CHECK_THROWS_AS(json::parse("x", ""), NetworkError);
  CHECK_THROWS_AS(json::parse("x", R"({"a":1)"), NetworkError);
  CHECK(json::parse("x", "\xEF\xBB\xBF{\"a\":1}")["a"] == 1);
  CHECK(json::parse_or_null("{").is_null());
  CHECK(json::dump(Json("\xff")) == "\"\xEF\xBF\xBD\"");
}
