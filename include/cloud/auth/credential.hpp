/// What every way to get a token has in common, and the cache in front of it.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cloud/core/cancel.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/secret.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/error.hpp"
#include "cloud/rest/service.hpp"

namespace cloud::auth {

struct AccessToken {
  Secret token{};
  Milliseconds expires = 0;
  Milliseconds renew = 0;  // when to ask for the next one
};

/// A way to get tokens. Objects are used through TokenCache, from one thread at a time.
class Credential {
 public:
  Credential() = default;
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;
  virtual ~Credential() = default;

  /// As Azure's SDKs call it: "EnvironmentCredential".
  virtual std::string name() const = 0;
  /// A new token for `scope` ("https://management.azure.com/.default"). Nothing, and why, when this way is not set up
  /// here; throws AuthenticationError when it is and was refused, NetworkError when nobody answered.
  virtual std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                             std::string& why_not) = 0;
};

/// The v1 form of a scope: without its last part.
inline std::string resource_of(std::string_view scope) {
  constexpr std::string_view kDefault = "/.default";
  if (scope.size() > kDefault.size() && scope.substr(scope.size() - kDefault.size()) == kDefault) {
    scope.remove_suffix(kDefault.size());
  }
  return std::string(scope);
}

/// Reads `access_token`, `expires_in`, `expires_on`, `refresh_in` (numbers or text) of a token reply. A token is
/// renewed when refresh_in says so, one that lives two hours or more at half its life if `half_life`, else two minutes
/// before it ends, or halfway through a life that is too short for that.
inline AccessToken token_of(const http::Response& response, bool half_life) {
  const Json body = rest::json_of(response);
  AccessToken token{.token = Secret(json::text(body, {"access_token"}))};
  if (token.token.empty()) throw AuthenticationError(response.tried, "the reply holds no access_token");
  const Milliseconds now = now_ms();
  const std::int64_t on = json::integer(body, {"expires_on"});
  const std::int64_t in = json::integer(body, {"expires_in"}, on > 0 ? on - now / 1000 : 3600);
  token.expires = now + in * 1000;
  const std::int64_t refresh = json::integer(body, {"refresh_in"});
  token.renew = refresh > 0 && refresh < in      ? now + refresh * 1000
                : half_life && in >= 2 * 60 * 60 ? now + in * 500
                                                 : std::max(token.expires - 120'000, now + in * 500);
  return token;
}

/// Keeps the tokens of one credential, one per scope, until they should be renewed. Thread-safe: while a token is being
/// fetched, others wait for it instead of asking too.
class TokenCache {
 public:
  explicit TokenCache(std::shared_ptr<Credential> credential, CancelToken cancel = {})
      : credential_(std::move(credential)), cancel_(std::move(cancel)) {}

  const Credential& credential() const { return *credential_; }

  /// `rejected`: a token that the service refused; it is forgotten if it is the one kept.
  Secret get(const std::string& scope, const Secret& rejected = {}) {
    const std::scoped_lock lock(mutex_);
    AccessToken& kept = tokens_[scope];
    if (!rejected.empty() && kept.token == rejected) kept = {};
    const Milliseconds now = now_ms();
    if (!kept.token.empty() && now < kept.renew) return kept.token;
    std::string why_not;
    try {
      if (std::optional<AccessToken> fresh = credential_->request(scope, cancel_, why_not)) {
        kept = std::move(*fresh);
        return kept.token;
      }
    } catch (const NetworkError&) {
      // Early renewal: the token at hand is still good, so the next call may try again.
      if (!kept.token.empty() && now + 10'000 < kept.expires) return kept.token;
      throw;
    }
    throw AuthenticationError("get a token for " + resource_of(scope),
                              "no way to sign in is set up here. Tried: " + why_not);
  }

  /// For rest::Service.
  static rest::TokenSource source(std::shared_ptr<TokenCache> cache, std::string scope) {
    return [cache = std::move(cache), scope = std::move(scope)](const Secret& rejected) {
      return cache->get(scope, rejected);
    };
  }

 private:
  std::shared_ptr<Credential> credential_;
  CancelToken cancel_;
  std::mutex mutex_;
  std::map<std::string, AccessToken> tokens_;
};

}  // namespace cloud::auth
