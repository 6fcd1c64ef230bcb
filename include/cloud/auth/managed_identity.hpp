/// Tokens of the machine: App Service, Azure ML compute, Cloud Shell, virtual machines.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "cloud/auth/credential.hpp"
#include "cloud/core/env.hpp"

namespace cloud::auth {

/// Chooses its source as Azure's SDKs do: IDENTITY_ENDPOINT and IDENTITY_HEADER (App Service), MSI_ENDPOINT and
/// MSI_SECRET (Azure ML compute), MSI_ENDPOINT alone (Cloud Shell), else the metadata service of virtual machines. That
/// one is looked for with a short patience the first time; where it is absent, this way is not set up. None of them is
/// ever asked through a proxy.
class ManagedIdentityCredential : public Credential {
 public:
  /// `client_id`: a user-assigned identity. Empty: DEFAULT_IDENTITY_CLIENT_ID (Azure ML compute), else AZURE_CLIENT_ID,
  /// else the system-assigned one.
  explicit ManagedIdentityCredential(http::Client client, std::string client_id = {})
      : client_(std::move(client)), client_id_(std::move(client_id)) {
    if (client_id_.empty()) client_id_ = env_or("DEFAULT_IDENTITY_CLIENT_ID", env_or("AZURE_CLIENT_ID", ""));
  }

  std::string name() const override { return "ManagedIdentityCredential"; }

  std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                     std::string& why_not) override {
    const std::string resource = resource_of(scope);
    const auto identity = env("IDENTITY_ENDPOINT");
    const auto identity_header = env("IDENTITY_HEADER");
    const auto msi = env("MSI_ENDPOINT");
    const auto msi_secret = env("MSI_SECRET");
    http::Request request{.tried = "get a token of the managed identity", .use_proxy = false};
    if (identity && identity_header) {
      request.url = query(*identity, "2019-08-01", resource, "client_id");
      request.secret_headers.emplace("X-IDENTITY-HEADER", Secret(*identity_header));
    } else if (msi && msi_secret) {
      request.url = query(*msi, "2017-09-01", resource, "clientid");
      request.secret_headers.emplace("secret", Secret(*msi_secret));
    } else if (msi) {
      request.method = "POST";
      request.url = *msi;
      request.headers = {{"Metadata", "true"}, {"Content-Type", "application/x-www-form-urlencoded"}};
      request.body = "resource=" + percent_encode(resource);
      request.repeatable = true;
    } else if (identity && env("IMDS_ENDPOINT")) {
      why_not = "Azure Arc is not supported";
      return std::nullopt;
    } else {
      return from_metadata_service(std::move(request), resource, cancel, why_not);
    }
    return read(client_.send(request, cancel));
  }

 private:
  std::string query(const std::string& endpoint, const char* version, const std::string& resource,
                    const char* id_name) const {
    std::string url = add_query(add_query(endpoint, "api-version", version), "resource", resource);
    return client_id_.empty() ? url : add_query(std::move(url), id_name, client_id_);
  }

  std::optional<AccessToken> from_metadata_service(http::Request request, const std::string& resource,
                                                   const CancelToken& cancel, std::string& why_not) {
    std::string host = env_or("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254");
    while (!host.empty() && host.back() == '/') host.pop_back();
    request.url = query(host + "/metadata/identity/oauth2/token", "2018-02-01", resource, "client_id");
    request.headers = {{"Metadata", "true"}};
    if (!found_) {
      request.max_attempts = 1;
      request.connect_timeout = std::chrono::seconds(1);
    }
    http::Response response;
    try {
      response = client_.send(request, cancel);
    } catch (const NetworkError&) {
      if (found_) throw;
      why_not = "no metadata service answers at " + host;
      return std::nullopt;
    }
    const bool is_metadata_service = json::parse_or_null(response.body).is_object();
    if (!found_ && (!is_metadata_service || response.status == 400 || response.status == 404)) {
      why_not = !is_metadata_service ? "what answers at " + host + " is no metadata service"
                                     : "the machine has no such identity: " + rest::describe(response).message;
      return std::nullopt;
    }
    found_ = true;
    return read(response);
  }

  static AccessToken read(const http::Response& response) {
    if (response.status >= 400 && response.status < 500) throw AuthenticationError(rest::describe(response));
    return token_of(response, true);
  }

  http::Client client_;
  std::string client_id_;
  bool found_ = false;
};

}  // namespace cloud::auth
