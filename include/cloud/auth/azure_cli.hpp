/// Tokens of the person who has signed in with `az login`.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cloud/auth/credential.hpp"
#include "cloud/core/env.hpp"
#include "cloud/core/process.hpp"

namespace cloud::auth {

/// Asks the program `az`, without a shell. Not installed or not signed in: not set up.
class AzureCliCredential : public Credential {
 public:
  /// `tenant` empty: the CLI's own choice.
  explicit AzureCliCredential(std::string tenant = {}) : tenant_(std::move(tenant)) {}

  std::string name() const override { return "AzureCliCredential"; }

  std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                     std::string& why_not) override {
    const std::string tried = "get a token from az";
    std::vector<std::string> arguments = {"az", "account", "get-access-token", "--output", "json", "--scope", scope};
    if (!tenant_.empty()) arguments.insert(arguments.end(), {"--tenant", tenant_});
    for (const std::string& argument : arguments) {
      for (const char c : argument) {
        const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view(".-:/_").find(c) != std::string_view::npos;
        if (!good) throw ConfigError(tried, "the argument '" + argument + "' holds a character that az must not see");
      }
    }
    const ProgramResult result = run_program(arguments, std::chrono::seconds(60), cancel);
    cancel.check(tried);
    if (!result.found || result.exit_code == 127) {
      why_not = "the program az is not installed";
      return std::nullopt;
    }
    if (result.timed_out) throw AuthenticationError(tried, "az did not answer within a minute");
    if (result.exit_code != 0) {
      if (result.err.find("az login") != std::string::npos || result.err.find("az account set") != std::string::npos) {
        why_not = "az is not signed in (az login)";
        return std::nullopt;
      }
      throw AuthenticationError(tried, rest::presentable(result.err, 500));
    }
    const Json reply = json::parse_or_null(result.out);
    AccessToken token{.token = Secret(json::text(reply, {"accessToken"}))};
    if (token.token.empty()) throw AuthenticationError(tried, "its answer holds no accessToken");
    // expiresOn of old versions is local time without a zone: a token is then asked for again after five minutes.
    const std::int64_t on = json::integer(reply, {"expires_on"});
    token.expires = on > 0 ? on * 1000 : now_ms() + 5 * 60'000;
    token.renew = on > 0 ? token.expires - 120'000 : token.expires;
    return token;
  }

 private:
  std::string tenant_;
};

}  // namespace cloud::auth
