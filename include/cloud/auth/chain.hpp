/// The way to a token that fits where the program runs.
#pragma once

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cloud/auth/azure_cli.hpp"
#include "cloud/auth/clouds.hpp"
#include "cloud/auth/credential.hpp"
#include "cloud/auth/entra.hpp"
#include "cloud/auth/managed_identity.hpp"
#include "cloud/core/env.hpp"

namespace cloud::auth {

/// Tries one credential after the other. One that is not set up is passed over; one that is set up and refused ends the
/// search with its error. The first that works is kept.
class ChainedCredential : public Credential {
 public:
  explicit ChainedCredential(std::vector<std::unique_ptr<Credential>> links) : links_(std::move(links)) {}

  std::string name() const override { return chosen_ ? chosen_->name() : "ChainedCredential"; }
  std::optional<AccessToken> request(const std::string& scope, const CancelToken& cancel,
                                     std::string& why_not) override {
    for (const auto& link : links_) {
      if (chosen_ && link.get() != chosen_) continue;
      std::string why;
      if (std::optional<AccessToken> token = link->request(scope, cancel, why)) {
        chosen_ = link.get();
        return token;
      }
      why_not += (why_not.empty() ? "" : "; ") + link->name() + ": " + why;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::unique_ptr<Credential>> links_;
  Credential* chosen_ = nullptr;
};

/// Azure's own order: EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential, AzureCliCredential,
/// and, where a person sits at a terminal, DeviceCodeCredential. AZURE_TOKEN_CREDENTIALS narrows it: `prod` (the first
/// three), `dev` (the others), or one name. Throws ConfigError for another value.
inline std::shared_ptr<Credential> default_credential(const http::Client& client, const Cloud& cloud) {
  const std::string choice = env_or("AZURE_TOKEN_CREDENTIALS", "");
  std::vector<std::unique_ptr<Credential>> links;
  const auto offer = [&](std::unique_ptr<Credential> link, bool prod, bool by_default = true) {
    const bool wanted = choice.empty()                        ? by_default
                        : equal_ignoring_case(choice, "prod") ? prod
                        : equal_ignoring_case(choice, "dev")  ? !prod && by_default
                                                              : equal_ignoring_case(choice, link->name());
    if (wanted) links.push_back(std::move(link));
  };
  offer(std::make_unique<EnvironmentCredential>(client, cloud.authority), true);
  offer(std::make_unique<WorkloadIdentityCredential>(client, cloud.authority), true);
  offer(std::make_unique<ManagedIdentityCredential>(client), true);
  offer(std::make_unique<AzureCliCredential>(), false);
  offer(std::make_unique<DeviceCodeCredential>(client, cloud.authority, DeviceCodeCredential::Options{}), false,
        ::isatty(0) == 1 && ::isatty(2) == 1);
  if (links.empty()) {
    throw ConfigError("choose a credential", "AZURE_TOKEN_CREDENTIALS is '" + choice +
                                                 "', which is neither prod, dev nor the name of a credential");
  }
  return std::make_shared<ChainedCredential>(std::move(links));
}

}  // namespace cloud::auth
