/// From a reply that is no success to a cloud::Error: Azure's resource manager, its data plane, Blob storage, Entra ID
/// and MLflow all say in their own way what went wrong; a gateway in front of them answers HTML, or nothing.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "cloud/core/error.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/message.hpp"
#include "cloud/json/json.hpp"

namespace cloud::rest {

/// `text` with the values of SAS signatures and bearer tokens replaced by ***, cut to a length that fits an error.
inline std::string presentable(std::string text, std::size_t longest = 2000) {
  for (const std::string_view mark : {"sig=", "Bearer ", "client_secret=", "client_assertion="}) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + mark.size() + 3)) {
      const std::size_t from = at + mark.size();
      const std::size_t to = text.find_first_of("& \t\r\n\"'<>,;", from);
      text.replace(from, (to == std::string::npos ? text.size() : to) - from, "***");
    }
  }
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
  }
  if (text.size() > longest) text = text.substr(0, longest) + " ...";
  return std::string(trim(text));
}

/// The text between <name> and </name>, with the five entities of XML decoded; empty when there is none.
inline std::string xml_text(std::string_view xml, const std::string& name, std::size_t from = 0) {
  const std::size_t open = xml.find("<" + name + ">", from);
  if (open == std::string_view::npos) return {};
  const std::size_t start = open + name.size() + 2;
  const std::size_t end = xml.find("</" + name + ">", start);
  if (end == std::string_view::npos) return {};
  std::string text;
  for (std::size_t i = start; i < end; ++i) {
    bool decoded = false;
    for (const auto& [entity, letter] : {std::pair<std::string_view, char>{"&lt;", '<'},
                                         {"&gt;", '>'},
                                         {"&quot;", '"'},
                                         {"&apos;", '\''},
                                         {"&amp;", '&'}}) {
      if (xml.substr(i, entity.size()) == entity) {
        text += letter;
        i += entity.size() - 1;
        decoded = true;
        break;
      }
    }
    if (!decoded) text += xml[i];
  }
  return text;
}

/// `message (Detail: message; …)` of an error object of Azure, at most a few details deep.
inline std::string message_of(const Json& error) {
  std::string message = json::text(error, {"message"});
  int shown = 0;
  for (const Json& detail : json::array(error, {"details"})) {
    const std::string more = json::text(detail, {"message"});
    if (more.empty() || message.find(more) != std::string::npos || ++shown > 5) continue;
    message += (message.empty() ? "" : "; ") + more;
  }
  return message;
}

/// What a reply says about its failure.
inline ErrorDetails describe(const http::Response& response) {
  ErrorDetails d{.tried = response.tried, .status = response.status, .attempts = response.attempts};
  for (const char* name : {"x-ms-request-id", "x-ms-correlation-request-id", "request-id"}) {
    if (d.request_id.empty()) d.request_id = presentable(response.headers.get(name), 100);
  }
  d.code = response.headers.get("x-ms-error-code");
  const std::string location = response.headers.get("Location");
  const Json body = json::parse_or_null(response.body);
  const Json& error = json::at(body, {"error"});
  if (error.is_object()) {  // ARM, data plane
    d.code = json::text(error, {"code"}, d.code);
    d.message = message_of(error);
    const std::string inner = json::text(error, {"innerError", "code"});
    if (!inner.empty()) d.code += "/" + inner;
  } else if (error.is_string()) {  // Entra ID, managed identity
    d.code = json::text(error);
    d.message = json::text(body, {"error_description"}, json::text(body, {"message"}));
    if (d.request_id.empty()) d.request_id = json::text(body, {"correlation_id"});
  } else if (body.is_object()) {  // MLflow, App Service
    d.code = json::text(body, {"error_code"}, json::text(body, {"code"}, d.code));
    d.message = json::text(body, {"message"});
  } else if (response.body.find("<Error>") != std::string::npos) {  // Blob
    d.code = xml_text(response.body, "Code");
    d.message = xml_text(response.body, "Message");
    d.message = d.message.substr(0, d.message.find('\n'));
    const std::string why = xml_text(response.body, "AuthenticationErrorDetail");
    if (!why.empty()) d.message += " " + why;
  } else if (response.status >= 300 && response.status < 400 && !location.empty()) {
    d.message = "the server wants to send this on to " + shown_url(location) + "; that is not followed";
  } else if (!trim(response.body).empty()) {
    std::string text;  // HTML: only what a reader would see
    int depth = 0;
    for (const char c : response.body.substr(0, 4000)) {
      if (c == '<') ++depth;
      if (depth == 0) text += c;
      if (c == '>' && depth > 0) {
        --depth;
        text += ' ';
      }
    }
    d.message = "no JSON but " + response.headers.get("Content-Type") + ": " + presentable(text, 200);
  } else {
    const std::string challenge = response.headers.get("WWW-Authenticate");
    d.message = challenge.empty() ? "an empty reply" : "an empty reply, wanting " + challenge;
  }
  d.code = presentable(d.code, 100);
  d.message = presentable(d.message);
  if (d.message.empty()) d.message = "no further message";
  return d;
}

/// Throws the kind of error that fits the status: 401 and 403 AuthenticationError, 404 NotFoundError, 409 and 412
/// ConflictError, 408 and 504 TimeoutError, 3xx NetworkError, else Error.
[[noreturn]] inline void fail(const http::Response& response) {
  ErrorDetails d = describe(response);
  switch (response.status) {
    case 401:
    case 403: throw AuthenticationError(std::move(d));
    case 404: throw NotFoundError(std::move(d));
    case 409:
    case 412: throw ConflictError(std::move(d));
    case 408:
    case 504: throw TimeoutError(std::move(d));
    default:
      if (response.status >= 300 && response.status < 400) throw NetworkError(std::move(d));
      throw Error(std::move(d));
  }
}

/// The reply when it is a success, else its error.
inline const http::Response& check(const http::Response& response) {
  if (!response.ok()) fail(response);
  return response;
}

/// The JSON of a success; null for an empty body where that is allowed.
inline Json json_of(const http::Response& response, bool may_be_empty = false) {
  check(response);
  if (may_be_empty && trim(response.body).empty()) return {};
  return json::parse(response.tried, response.body);
}

}  // namespace cloud::rest
