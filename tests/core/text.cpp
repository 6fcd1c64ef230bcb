#include "dnn/core/text.hpp"

#include <limits>
#include <string>

#include "catch.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/shape.hpp"

TEST_CASE("messages are joined from texts and numbers", "[core]") {
  CHECK(dnn::concat("a", std::string("b"), 1, ' ', -2L, true, 0.1, 0.1f, 1e100) == "ab1 -2true0.10.11e+100");
  CHECK(dnn::to_text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(dnn::to_text(-std::numeric_limits<float>::infinity()) == "-inf");
  CHECK(dnn::to_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(dnn::to_text(-std::numeric_limits<float>::quiet_NaN()) == "nan");
  CHECK(dnn::to_text(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(dnn::concat(std::numeric_limits<std::int64_t>::min(), " ", std::numeric_limits<std::uint64_t>::max(), " ",
                    0u) == "-9223372036854775808 18446744073709551615 0");
  CHECK(dnn::concat(static_cast<std::uint8_t>(200), short{-7}) == "200-7");
}

TEST_CASE("an error joins the texts of its arguments") {
  CHECK(std::string(dnn::ShapeError("[op] axis ", 3, " of ", dnn::Shape{2, 1}).what()) == "[op] axis 3 of (2, 1)");
  CHECK(std::string(dnn::ShapeError("[op] plain").what()) == "[op] plain");
}
