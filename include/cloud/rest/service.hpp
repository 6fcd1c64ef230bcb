/// Calls of a JSON service: authorised, checked, paged.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "cloud/core/cancel.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/secret.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/error.hpp"

namespace cloud::rest {

/// A token for the service. `rejected` is one that the service has just refused, or empty: a source that still holds
/// that one gets a new one.
using TokenSource = std::function<Secret(const Secret& rejected)>;

/// Whether a secret may be sent there: over TLS, or to this machine itself.
inline bool is_private(const Url& url) {
  return url.scheme == "https" || url.host == "localhost" || url.host == "[::1]" || url.host.substr(0, 4) == "127.";
}

/// The URL in the text of a reply: absolute, or relative to the request's.
inline std::string absolute(const std::string& base, const std::string& link) {
  if (link.find("://") != std::string::npos) return link;
  const Url url = Url::parse(base);
  if (!link.empty() && link[0] == '/') return url.origin() + link;
  return url.origin() + url.path.substr(0, url.path.rfind('/') + 1) + link;
}

/// A service that takes bearer tokens (see `basic` for the other kind). A 401 makes it ask the source for a new token
/// and try once more. Thread-safe if the source is.
class Service {
 public:
  Service(http::Client client, TokenSource tokens, CancelToken cancel = {})
      : client_(std::move(client)), tokens_(std::move(tokens)), cancel_(std::move(cancel)) {}

  /// The same, but giving up later: for following something that takes hours, through minutes without network.
  Service patient() const {
    Service other = *this;
    other.attempts_ = 12;
    return other;
  }

  /// The same, but giving up soon: for what is tried again later anyway.
  Service brief() const {
    Service other = *this;
    other.attempts_ = 2;
    return other;
  }

  /// The same for a service that takes HTTP's basic authentication: the "token" is base64("user:password").
  Service basic() const {
    Service other = *this;
    other.scheme_ = "Basic ";
    return other;
  }

  const http::Client& client() const { return client_; }
  const CancelToken& cancel() const { return cancel_; }

  /// Adds the token and sends. Any status is a value.
  http::Response send(http::Request request) const {
    if (tokens_ && !is_private(Url::parse(request.url))) {
      throw ConfigError(request.tried, "a token is sent only over https, not to " + shown_url(request.url));
    }
    if (!request.max_attempts) request.max_attempts = attempts_;
    if (!request.headers.has("Accept")) request.headers.set("Accept", "application/json");
    if (!request.headers.has("x-ms-client-request-id")) request.headers.set("x-ms-client-request-id", guid());
    if (!tokens_) return client_.send(request, cancel_);
    Secret token = tokens_(Secret());
    for (bool again = false;; again = true) {
      request.secret_headers.erase("Authorization");
      request.secret_headers.emplace("Authorization", Secret(scheme_ + token.reveal()));
      http::Response response = client_.send(request, cancel_);
      if (response.status != 401 || again) return response;
      Secret other = tokens_(token);
      if (other == token) return response;
      token = std::move(other);
    }
  }

  /// A success whose body is no JSON (cut short, or a gateway's page) is asked for once more, as far as the request may
  /// be repeated.
  Json get(const std::string& tried, const std::string& url) const {
    return ask({.tried = tried, .url = url, .repeatable = true}, false);
  }
  /// Null instead of the error for 404.
  Json find(const std::string& tried, const std::string& url) const {
    try {
      return get(tried, url);
    } catch (const NotFoundError&) {
      return {};
    }
  }
  Json put(const std::string& tried, const std::string& url, const Json& body) const {
    http::Request request = with_json(tried, "PUT", url, body);
    request.repeatable = true;
    return ask(request, true);
  }
  /// PUT of what never changes once it is made. Where it exists already - made by somebody else, or by a request of
  /// ours whose reply was lost - the answer is what is there.
  Json make(const std::string& tried, const std::string& url, const Json& body) const {
    try {
      return put(tried, url, body);
    } catch (const ConflictError&) {
      if (Json there = find(tried, url); !there.is_null()) return there;
      throw;
    }
  }
  /// `repeatable`: asking twice does no harm.
  Json post(const std::string& tried, const std::string& url, const Json& body, bool repeatable) const {
    http::Request request = with_json(tried, "POST", url, body);
    request.repeatable = repeatable;
    return ask(request, true);
  }

  static http::Request with_json(const std::string& tried, const std::string& method, const std::string& url,
                                 const Json& body) {
    http::Request request{.tried = tried, .method = method, .url = url};
    if (!body.is_null()) {
      request.headers.set("Content-Type", "application/json");
      request.body = json::dump(body);
    }
    return request;
  }

  /// One page of a list: its items, and the URL of the next page (empty: that was the last one). A link to another host
  /// is an error, since the token would go there; a continuation token is put into our own URL.
  struct Page {
    Json items = Json::array();
    std::string next{};
  };
  Page page(const std::string& tried, const std::string& url) const {
    const Json reply = get(tried, url);
    Page page{.items = json::array(reply, {"value"})};
    const std::string token = json::text(reply, {"continuationToken"});
    const std::string link = json::text(reply, {"nextLink"});
    if (!token.empty()) {
      page.next = add_query(without_query(url, "continuationToken"), "continuationToken", token);
    } else if (!link.empty()) {
      page.next = absolute(url, link);
      if (!same_origin(Url::parse(page.next), Url::parse(url))) {
        throw NetworkError(
            tried, "the next page is said to be on another host, " + shown_url(page.next) + "; it is not fetched");
      }
    }
    return page;
  }

  /// Calls `take` with every item of all pages, each once (by id), until it returns false. A service that leads in a
  /// circle is an error.
  void each(const std::string& tried, std::string url, const std::function<bool(const Json&)>& take) const {
    std::set<std::string> seen;
    std::map<std::string, int> visits;
    while (!url.empty()) {
      if (++visits[url] > 3) throw NetworkError(tried, "the pages of the list lead in a circle");
      const Page one = page(tried, url);
      for (const Json& item : one.items) {
        std::string id = json::text(item, {"id"});
        for (const char* name : {"artifactId", "runId"}) {
          if (id.empty()) id = json::text(item, {name});
        }
        if (!id.empty() && !seen.insert(std::move(id)).second) continue;
        if (!take(item)) return;
      }
      url = one.next;
    }
  }

 private:
  Json ask(const http::Request& request, bool may_be_empty) const {
    http::Response response = send(request);
    const bool empty = may_be_empty && trim(response.body).empty();
    const bool broken = response.ok() && !empty && json::parse_or_null(response.body).is_null();
    if (broken && request.repeatable.value_or(false)) response = send(request);
    return json_of(response, may_be_empty);
  }

  static std::string without_query(const std::string& url, std::string_view key) {
    const std::size_t question = url.find('?');
    if (question == std::string::npos) return url;
    std::string result = url.substr(0, question);
    char separator = '?';
    for (const std::string& item : split(std::string_view(url).substr(question + 1), '&')) {
      if (item.substr(0, item.find('=')) == key) continue;
      result += separator + item;
      separator = '&';
    }
    return result;
  }

  http::Client client_;
  TokenSource tokens_;
  CancelToken cancel_;
  std::optional<int> attempts_;
  std::string scheme_ = "Bearer ";
};

}  // namespace cloud::rest
