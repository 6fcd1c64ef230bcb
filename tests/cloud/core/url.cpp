#include "cloud/core/url.hpp"

#include "catch.hpp"

using namespace cloud;

TEST_CASE("a URL in parts is the same text again", "[cloud][url]") {
  const Url url = Url::parse("HTTPS://Example.COM:8443/a%20b/c?x=1&sig=a%2Fb#frag");
  CHECK(url.scheme == "https");
  CHECK(url.host == "example.com");
  CHECK(url.effective_port() == 8443);
  CHECK(url.path == "/a%20b/c");
  CHECK(url.query == "x=1&sig=a%2Fb");
  CHECK(url.text() == "https://example.com:8443/a%20b/c?x=1&sig=a%2Fb");
  CHECK(url.shown() == "https://example.com:8443/a%20b/c");
  CHECK(Url::parse("http://h").effective_port() == 80);
  CHECK(Url::parse("http://h?q").query == "q");
  CHECK(Url::parse("http://[::1]:90/x").host == "[::1]");
  CHECK(Url::parse("http://[::1]/x").port == 0);
}

TEST_CASE("what is no URL, or hides where it goes, is refused without being quoted", "[cloud][url]") {
  for (const char* text : {"", "a", "://h", "http://", "http:///p", "https://user@h/", "https://h:99999/",
                           "https://h:/", "https://a b/", "https://h\\@evil/", "https://h/\r\nX: 1"}) {
    INFO(text);
    CHECK_THROWS_AS(Url::parse(text), ConfigError);
  }
  try {
    Url::parse("https://h:port/?sig=SECRET");
    FAIL("no error");
  } catch (const ConfigError& error) {
    CHECK(std::string(error.what()).find("SECRET") == std::string::npos);
  }
  CHECK(shown_url("https://h/p?sig=SECRET") == "https://h/p");
  CHECK(shown_url("nonsense SECRET") == "(unreadable URL)");
}

TEST_CASE("origins are compared with their ports", "[cloud][url]") {
  CHECK(same_origin(Url::parse("https://h/a"), Url::parse("https://H:443/b?c")));
  CHECK(!same_origin(Url::parse("https://h"), Url::parse("http://h")));
  CHECK(!same_origin(Url::parse("https://h"), Url::parse("https://h:444")));
  CHECK(!same_origin(Url::parse("https://h"), Url::parse("https://h.evil")));
}

TEST_CASE("percent-encoding there and back", "[cloud][url]") {
  CHECK(percent_encode("a b/+&=~é") == "a%20b%2F%2B%26%3D~%C3%A9");
  CHECK(percent_encode_path("a b/c+d//") == "a%20b/c%2Bd//");
  CHECK(percent_encode_path("") == "");
  CHECK(percent_decode("a%20b%2f%C3%A9%") == "a b/é%");
  CHECK(percent_decode("%zz%4") == "%zz%4");
}

TEST_CASE("paths and queries are added without touching a signature", "[cloud][url]") {
  CHECK(add_path("https://h/c?sig=a%2Bb&x", "d e/f") == "https://h/c/d%20e/f?sig=a%2Bb&x");
  CHECK(add_path("https://h/c/", "f") == "https://h/c/f");
  CHECK(add_query("https://h/c", "k", "v w") == "https://h/c?k=v%20w");
  CHECK(add_query("https://h/c?a=b", "k", "v") == "https://h/c?a=b&k=v");
  CHECK(add_query("https://h/c?", "k", "v") == "https://h/c?k=v");
}
