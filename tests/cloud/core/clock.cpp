#include "cloud/core/clock.hpp"

#include "catch.hpp"
#include "cloud/core/backoff.hpp"
#include "cloud/core/cancel.hpp"

using namespace cloud;
using namespace std::chrono_literals;

// Expected values from `date -u -d … +%s`.
TEST_CASE("times are written and read as RFC 3339", "[cloud][clock]") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(1714564800250) == "2024-05-01T12:00:00.250Z");
  CHECK(rfc3339(951782399000) == "2000-02-28T23:59:59Z");
  CHECK(rfc3339(-1000) == "1969-12-31T23:59:59Z");
  CHECK(parse_rfc3339("2024-05-01T12:00:00.250Z") == 1714564800250);
  CHECK(parse_rfc3339("2024-05-01T12:00:00.2509999Z") == 1714564800250);
  CHECK(parse_rfc3339("2024-05-01T14:00:00+02:00") == 1714564800000);
  CHECK(parse_rfc3339("2024-05-01T07:30:00-0430") == 1714564800000);
  CHECK(parse_rfc3339("2024-05-01 12:00:00.000000") == 1714564800000);
  CHECK(parse_rfc3339("2000-02-28T23:59:59Z") == 951782399000);
  for (const char* text : {"", "2024", "2024-13-01T00:00:00Z", "2024-05-01T25:00:00Z", "2024-05-01T12:00:00Zx",
                           "2024-05-01T12:00:00.Z", "2024-05-01T12:00:00+", "2024-05-0aT12:00:00Z"}) {
    INFO(text);
    CHECK(!parse_rfc3339(text));
  }
}

TEST_CASE("Retry-After is seconds or a date", "[cloud][clock]") {
  CHECK(parse_http_date("Wed, 01 May 2024 12:00:00 GMT") == 1714564800000);
  CHECK(!parse_http_date("Wed, 01 Mai 2024 12:00:00 GMT"));
  CHECK(!parse_http_date("Wed, 01 May 2024 12:00:00 CET"));
  CHECK(!parse_http_date(""));
  CHECK(parse_retry_after("120") == 120s);
  CHECK(parse_retry_after(" 0.5 ") == 500ms);
  CHECK(parse_retry_after("Wed, 01 May 2024 12:00:00 GMT", 1714564790000) == 10s);
  CHECK(parse_retry_after("Wed, 01 May 2024 12:00:00 GMT", 1714564900000) == 0s);
  for (const char* text : {"", "-1", "soon", "1e99", "nan", "inf"}) {
    INFO(text);
    CHECK(!parse_retry_after(text));
  }
}

TEST_CASE("durations for services and for people", "[cloud][clock]") {
  CHECK(iso8601_duration(3600s) == "PT1H");
  CHECK(iso8601_duration(90s) == "PT1M30S");
  CHECK(iso8601_duration(0s) == "PT0S");
  CHECK(iso8601_duration(86400s + 61s) == "PT24H1M1S");
  CHECK(duration_text(12345) == "12.3 s");
  CHECK(duration_text(185000) == "3 min 05 s");
  CHECK(duration_text(7620000) == "2 h 07 min");
}

TEST_CASE("waiting grows, has a cap and is jittered", "[cloud][backoff]") {
  const Backoff backoff;
  for (int i = 0; i < 200; ++i) {
    CHECK(backoff.delay(1) >= 640ms);
    CHECK(backoff.delay(1) <= 1040ms);
    CHECK(backoff.delay(3) >= 2560ms);
    CHECK(backoff.delay(100) <= 78s);
    CHECK(backoff.delay(100) >= 48s);
  }
  CHECK(backoff.delay(1) != backoff.delay(1));
}

TEST_CASE("a raised token wakes and throws", "[cloud][cancel]") {
  CancelToken token;
  CancelToken copy = token;
  CHECK(token.sleep_for(1ms));
  copy.cancel();
  CHECK(!token.sleep_for(1h));
  CHECK_THROWS_AS(token.check("x"), CanceledError);
}
