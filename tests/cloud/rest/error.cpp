#include "cloud/rest/error.hpp"

#include <string>

#include "catch.hpp"

using namespace cloud;

namespace {

http::Response reply(int status, const std::string& body, http::Headers headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = body, .tried = "do it", .attempts = 2};
}
std::string text_of(const http::Response& response) {
  try {
    rest::fail(response);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("every service's way to say what went wrong is understood", "[cloud][rest]") {
  CHECK(
      text_of(reply(
          400,
          R"({"error":{"code":"Bad","message":"not so","details":[{"code":"x","message":"field a"},{"message":"field b"}],
                       "additionalInfo":null}})",
          {{"x-ms-request-id", "r1"}})) ==
      "[do it] HTTP 400 Bad: not so; field a; field b (request id r1, 2 attempts)");
  CHECK(
      text_of(reply(
          404,
          R"({"error":{"code":"UserError","message":"no run","details":[],"innerError":{"code":"NotFoundError","innerError":null}}})")) ==
      "[do it] HTTP 404 UserError/NotFoundError: no run (2 attempts)");
  CHECK(text_of(reply(
            401, R"({"error":"invalid_client","error_description":"AADSTS7000215: wrong","correlation_id":"c1"})")) ==
        "[do it] HTTP 401 invalid_client: AADSTS7000215: wrong (request id c1, 2 attempts)");
  CHECK(text_of(reply(400, R"({"error_code":"INVALID_PARAMETER_VALUE","message":"bad key"})")) ==
        "[do it] HTTP 400 INVALID_PARAMETER_VALUE: bad key (2 attempts)");
  CHECK(text_of(reply(403,
                      "\xEF\xBB\xBF<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>no "
                      "&lt;entry&gt;\nRequestId:1</Message></Error>",
                      {{"x-ms-error-code", "AuthenticationFailed"}})) ==
        "[do it] HTTP 403 AuthenticationFailed: no <entry> (2 attempts)");
  CHECK(text_of(reply(502, "<html><head><title>502</title></head><body>Bad\n Gateway</body></html>",
                      {{"Content-Type", "text/html"}}))
            .find("no JSON but text/html:") != std::string::npos);
  CHECK(text_of(reply(500, "")) == "[do it] HTTP 500: an empty reply (2 attempts)");
  CHECK(text_of(reply(307, "", {{"Location", "https://elsewhere/x?sig=secret"}})).find("https://elsewhere/x;") !=
        std::string::npos);
  CHECK(text_of(reply(500, R"({"error":null,"message":null})")) == "[do it] HTTP 500: no further message (2 attempts)");
  CHECK(text_of(reply(500, R"([1,2])")).find("no JSON but") != std::string::npos);
}

TEST_CASE("the kind of an error follows the status", "[cloud][rest]") {
  CHECK_THROWS_AS(rest::fail(reply(401, "")), AuthenticationError);
  CHECK_THROWS_AS(rest::fail(reply(403, "")), AuthenticationError);
  CHECK_THROWS_AS(rest::fail(reply(404, "")), NotFoundError);
  CHECK_THROWS_AS(rest::fail(reply(409, "")), ConflictError);
  CHECK_THROWS_AS(rest::fail(reply(412, "")), ConflictError);
  CHECK_THROWS_AS(rest::fail(reply(504, "")), TimeoutError);
  CHECK_THROWS_AS(rest::fail(reply(301, "")), NetworkError);
  CHECK_THROWS_AS(rest::fail(reply(418, "")), Error);
  CHECK(rest::json_of(reply(200, "{\"a\":1}")).size() == 1);
  CHECK(rest::json_of(reply(204, " "), true).is_null());
  CHECK_THROWS_AS(rest::json_of(reply(200, "")), NetworkError);
  CHECK_THROWS_AS(rest::json_of(reply(200, "{\"a\":")), NetworkError);
}

TEST_CASE("secrets are taken out of what is shown", "[cloud][rest]") {
  CHECK(rest::presentable("GET https://a/b?sv=1&sig=abc%2B&se=2 failed") == "GET https://a/b?sv=1&sig=***&se=2 failed");
  CHECK(rest::presentable("Authorization: Bearer eyJ.a.b, sig=x sig=y") ==
        "Authorization: Bearer ***, sig=*** sig=***");
  CHECK(rest::presentable("a\r\nb\x1b[31m") == "a  b [31m");
  CHECK(rest::presentable(std::string(5000, 'x'), 10) == "xxxxxxxxxx ...");
  CHECK(rest::presentable("sig=") == "sig=***");
}

TEST_CASE("texts are read from XML", "[cloud][rest]") {
  CHECK(rest::xml_text("<a><b>1 &amp;lt; 2</b><b>3</b></a>", "b") == "1 &lt; 2");
  CHECK(rest::xml_text("<a>", "a").empty());
  CHECK(rest::xml_text("", "a").empty());
}
