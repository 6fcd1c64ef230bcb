/// URLs: taking apart, percent-encoding, adding a query, showing without secrets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cloud/core/error.hpp"
#include "cloud/core/text.hpp"

namespace cloud {

/// Everything but `A-Z a-z 0-9 - . _ ~` as %XX: right for one path segment and for a query's key or value.
inline std::string percent_encode(std::string_view text) {
  constexpr const char* kHex = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
        c == '_' || c == '~') {
      result += c;
    } else {
      result += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return result;
}

/// As percent_encode, segment by segment: slashes stay.
inline std::string percent_encode_path(std::string_view path) {
  std::string result;
  for (const std::string& segment : split(path, '/')) result += percent_encode(segment) + "/";
  result.pop_back();
  return result;
}

/// %XX decoded; a stray % stays as it is.
inline std::string percent_decode(std::string_view text) {
  const auto hex = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      result += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// An absolute URL in parts: `scheme://host[:port]path[?query]`. Path and query are kept byte for byte (still encoded);
/// a fragment is dropped. User names inside a URL are refused: they hide where a request really goes.
struct Url {
  std::string scheme;      // lower case
  std::string host;        // lower case; an IPv6 address keeps its brackets
  std::uint16_t port = 0;  // 0: the scheme's own
  std::string path;        // empty or starting with /
  std::string query;       // without the ?

  /// Throws ConfigError, without quoting the text (it may hold a signature).
  static Url parse(std::string_view text) {
    const auto bad = [](const char* why) { return ConfigError("parse a URL", why); };
    for (const char c : text) {
      if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '\\')
        throw bad("it holds a blank, control character or backslash");
    }
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos || scheme_end == 0) throw bad("it has no scheme such as https://");
    Url url;
    url.scheme = lower(text.substr(0, scheme_end));
    text.remove_prefix(scheme_end + 3);
    text = text.substr(0, text.find('#'));
    const std::size_t authority_end = text.find_first_of("/?");
    std::string_view authority = text.substr(0, authority_end);
    if (authority.find('@') != std::string_view::npos) throw bad("it holds a user name");
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
      const auto port = parse_number<std::uint16_t>(authority.substr(colon + 1));
      if (!port) throw bad("its port is not a number from 0 to 65535");
      url.port = *port;
      authority = authority.substr(0, colon);
    }
    if (authority.empty()) throw bad("it has no host");
    url.host = lower(authority);
    if (authority_end != std::string_view::npos) {
      text.remove_prefix(authority_end);
      const std::size_t question = text.find('?');
      url.path = text.substr(0, question);
      if (question != std::string_view::npos) url.query = text.substr(question + 1);
    }
    return url;
  }

  std::uint16_t effective_port() const {
    if (port != 0) return port;
    return scheme == "https" ? 443 : scheme == "http" ? 80 : 0;
  }
  /// scheme://host[:port]
  std::string origin() const { return scheme + "://" + host + (port == 0 ? "" : ":" + std::to_string(port)); }
  std::string text() const { return origin() + path + (query.empty() ? "" : "?" + query); }
  /// For logs and errors: no query, since that is where signatures are.
  std::string shown() const { return origin() + path; }

  friend bool same_origin(const Url& a, const Url& b) {
    return a.scheme == b.scheme && a.host == b.host && a.effective_port() == b.effective_port();
  }
};

/// `url` with `key=value` added to its query; both are encoded here.
inline std::string add_query(std::string url, std::string_view key, std::string_view value) {
  if (url.find('?') == std::string::npos) {
    url += '?';
  } else if (url.back() != '?' && url.back() != '&') {
    url += '&';
  }
  return url + percent_encode(key) + "=" + percent_encode(value);
}

/// `url` with `/path` added to its path, before the query, which stays byte for byte (a SAS URL of a container becomes
/// one of a blob). The segments of `path` are encoded here.
inline std::string add_path(std::string_view url, std::string_view path) {
  const std::size_t question = url.find('?');
  std::string result(url.substr(0, question));
  while (!result.empty() && result.back() == '/') result.pop_back();
  result += "/" + percent_encode_path(path);
  if (question != std::string_view::npos) result += url.substr(question);
  return result;
}

/// A URL for people: without its query, or `(unreadable URL)`.
inline std::string shown_url(std::string_view url) {
  try {
    return Url::parse(url).shown();
  } catch (const Error&) {
    return "(unreadable URL)";
  }
}

}  // namespace cloud
