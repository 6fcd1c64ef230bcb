/// Tokens from Entra ID's token endpoint: with a client secret, with a federated assertion, with a code that a person
/// enters in a browser.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/auth/credential.hpp"
#include "cloud/core/env.hpp"
#include "cloud/core/file.hpp"

namespace cloud::auth {

/// `{authority}/{tenant}/oauth2/v2.0/token` and its neighbours.
class Entra {
 public:
  using Form = std::vector<std::pair<std::string, Secret>>;

  Entra(http::Client client, std::string authority, std::string tenant)
      : client_(std::move(client)), authority_(std::move(authority)), tenant_(std::move(tenant)) {
    while (!authority_.empty() && authority_.back() == '/') authority_.pop_back();
    const std::string tried = "use the authority " + shown_url(authority_);
    if (!rest::is_private(Url::parse(authority_))) throw ConfigError(tried, "it must be an https:// address");
    for (const char c : tenant_) {
      const bool good =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      if (!good) throw ConfigError("use the tenant " + tenant_, "only letters, digits, '-' and '.' are allowed in it");
    }
  }

  /// Any status is a value; secrets of the form are taken out of what comes back.
  http::Response post(const std::string& tried, const std::string& what, const Form& form,
                      const CancelToken& cancel) const {
    http::Request request{
        .tried = tried,
        .method = "POST",
        .url = authority_ + "/" + percent_encode(tenant_) + "/oauth2/v2.0/" + what,
        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
        .repeatable = true};
    for (const auto& [key, value] : form) {
      request.body += (request.body.empty() ? "" : "&") + percent_encode(key) + "=" + percent_encode(value.reveal());
    }
    http::Response response = client_.send(request, cancel);
    const Secret whole(std::move(request.body));  // wiped on return
    if (!response.ok()) {
      for (const auto& [key, value] : form) {
        if (key == "client_secret" || key == "client_assertion" || key == "refresh_token" || key == "device_code") {
          response.body = value.redact(std::move(response.body));
        }
      }
    }
    return response;
  }

  /// As post to the token endpoint; every 4xx is an AuthenticationError.
  AccessToken token(const std::string& tried, const Form& form, const CancelToken& cancel) const {
    http::Response response = post(tried, "token", form, cancel);
    if (response.ok() && json::parse_or_null(response.body).is_null()) response = post(tried, "token", form, cancel);
    if (response.status >= 400 && response.status < 500 && response.status != 408 && response.status != 429) {
      throw AuthenticationError(rest::describe(response));
    }
    return token_of(response, false);
  }

 private:
  http::Client client_;
  std::string authority_;
  std::string tenant_;
};

/// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.
class EnvironmentCredential : public Credential {
 public:
  EnvironmentCredential(http::Client client, std::string authority)
      : client_(std::move(client)), authority_(std::move(authority)) {}

  std::string name() const override { return "EnvironmentCredential"; }
  std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                     std::string& why_not) override {
    const auto tenant = env("AZURE_TENANT_ID");
    const auto id = env("AZURE_CLIENT_ID");
    const auto secret = env("AZURE_CLIENT_SECRET");
    if (!tenant || !id || !secret) {
      why_not = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not all set";
      if (env("AZURE_CLIENT_CERTIFICATE_PATH"))
        why_not +=
            " (certificates are not supported: use AZURE_CLIENT_SECRET, "
            "AZURE_FEDERATED_TOKEN_FILE or az login)";
      return std::nullopt;
    }
    return Entra(client_, authority_, *tenant)
        .token("get a token with AZURE_CLIENT_SECRET",
               {{"grant_type", Secret("client_credentials")},
                {"client_id", Secret(*id)},
                {"client_secret", Secret(*secret)},
                {"scope", Secret(scope)}},
               cancel);
  }

 private:
  http::Client client_;
  std::string authority_;
};

/// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE, whose content is read anew every time (it rotates).
class WorkloadIdentityCredential : public Credential {
 public:
  WorkloadIdentityCredential(http::Client client, std::string authority)
      : client_(std::move(client)), authority_(std::move(authority)) {}

  std::string name() const override { return "WorkloadIdentityCredential"; }
  std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                     std::string& why_not) override {
    const auto tenant = env("AZURE_TENANT_ID");
    const auto id = env("AZURE_CLIENT_ID");
    const auto file = env("AZURE_FEDERATED_TOKEN_FILE");
    if (!tenant || !id || !file) {
      why_not = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE are not all set";
      return std::nullopt;
    }
    const Secret assertion{std::string(trim(read_file(*file)))};
    return Entra(client_, authority_, *tenant)
        .token("get a token with AZURE_FEDERATED_TOKEN_FILE",
               {{"grant_type", Secret("client_credentials")},
                {"client_id", Secret(*id)},
                {"client_assertion_type", Secret("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")},
                {"client_assertion", assertion},
                {"scope", Secret(scope)}},
               cancel);
  }

 private:
  http::Client client_;
  std::string authority_;
};

/// A person opens a page and enters a code. The refresh token that comes with the first token saves doing it again
/// while this program runs.
class DeviceCodeCredential : public Credential {
 public:
  struct Options {
    /// Empty: AZURE_TENANT_ID, else "organizations".
    std::string tenant{};
    /// Empty: AZURE_CLIENT_ID, else the public client of Azure's developer tools.
    std::string client_id{};
    /// Tells the person what to do; default: standard error.
    std::function<void(const std::string& message)> prompt{};
  };
  DeviceCodeCredential(http::Client client, std::string authority, Options options)
      : client_(std::move(client)), authority_(std::move(authority)), options_(std::move(options)) {
    if (options_.tenant.empty()) options_.tenant = env_or("AZURE_TENANT_ID", "organizations");
    if (options_.client_id.empty()) {
      options_.client_id = env_or("AZURE_CLIENT_ID", "04b07795-8ddb-461a-bbee-02f9e1bf7b46");
    }
    if (!options_.prompt) {
      options_.prompt = [](const std::string& message) { std::fprintf(stderr, "%s\n", message.c_str()); };
    }
  }

  std::string name() const override { return "DeviceCodeCredential"; }
  std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                     std::string& /*why_not*/) override {
    const Entra entra(client_, authority_, options_.tenant);
    const Secret id(options_.client_id);
    const Secret scopes(scope + " offline_access");
    if (!refresh_.empty()) {
      const http::Response renewed = entra.post(
          "renew a token", "token",
          {{"grant_type", Secret("refresh_token")}, {"client_id", id}, {"refresh_token", refresh_}, {"scope", scopes}},
          cancel);
      if (renewed.ok()) return keep(renewed);
      refresh_ = Secret();  // used up or revoked: the person is asked again
    }
    const std::string tried = "sign in with a device code";
    const http::Response started = entra.post(tried, "devicecode", {{"client_id", id}, {"scope", scopes}}, cancel);
    if (!started.ok()) throw AuthenticationError(rest::describe(started));
    const Json start = rest::json_of(started);
    const Secret code(json::text(start, {"device_code"}));
    std::string message = json::text(start, {"message"});
    if (message.empty()) {
      message = "To sign in, open " + json::text(start, {"verification_uri"}) + " and enter the code " +
                json::text(start, {"user_code"}) + ".";
    }
    options_.prompt(rest::presentable(message));
    auto interval = std::chrono::seconds(std::max<std::int64_t>(1, json::integer(start, {"interval"}, 5)));
    const Milliseconds end = now_ms() + json::integer(start, {"expires_in"}, 900) * 1000;
    while (now_ms() < end) {
      if (!cancel.sleep_for(interval)) cancel.check(tried);
      const http::Response reply = entra.post(tried, "token",
                                              {{"grant_type", Secret("urn:ietf:params:oauth:grant-type:device_code")},
                                               {"client_id", id},
                                               {"device_code", code}},
                                              cancel);
      if (reply.ok()) return keep(reply);
      const ErrorDetails why = rest::describe(reply);
      if (why.code == "slow_down") {
        interval += std::chrono::seconds(5);
      } else if (why.code != "authorization_pending") {
        throw AuthenticationError(why);
      }
    }
    throw AuthenticationError(tried, "the code was not entered in time");
  }

 private:
  AccessToken keep(const http::Response& reply) {
    if (const std::string refresh = json::text(rest::json_of(reply), {"refresh_token"}); !refresh.empty()) {
      refresh_ = Secret(refresh);
    }
    return token_of(reply, false);
  }

  http::Client client_;
  std::string authority_;
  Options options_;
  Secret refresh_;
};

}  // namespace cloud::auth
