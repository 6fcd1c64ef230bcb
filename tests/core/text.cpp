#include "dnn/core/text.hpp"

#include <limits>
#include <string>

#include "catch.hpp"

TEST_CASE("messages are joined from texts and numbers", "[core]") {
  CHECK(dnn::concat("a", std::string("b"), 1, ' ', -2L, true, 0.1, 0.1f, 1e100) == "ab1 -2true0.10.11e+100");
  CHECK(dnn::to_text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(dnn::to_text(-std::numeric_limits<float>::infinity()) == "-inf");
  CHECK(dnn::to_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(dnn::to_text(-std::numeric_limits<float>::quiet_NaN()) == "nan");
  CHECK(dnn::to_text(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
}
