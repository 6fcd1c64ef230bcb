/// One workspace of Azure Machine Learning: its addresses, and authorised ways to its services.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "cloud/auth/chain.hpp"
#include "cloud/auth/clouds.hpp"
#include "cloud/backend/config.hpp"
#include "cloud/core/cancel.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/service.hpp"
#include "cloud/storage/blob.hpp"

namespace cloud::azure {

/// Thread-safe. Nothing is asked before it is needed: making one costs nothing.
class Connection {
 public:
  /// `credential`: null for the default one.
  Connection(WorkspaceConfig config, http::Client client, std::shared_ptr<auth::Credential> credential = nullptr)
      : config_(std::move(config)), client_(std::move(client)), cloud_(auth::Cloud::from_environment()) {
    if (!config_.arm_url.empty()) cloud_.arm = config_.arm_url;
    if (!config_.authority_host.empty()) cloud_.authority = config_.authority_host;
    while (!cloud_.arm.empty() && cloud_.arm.back() == '/') cloud_.arm.pop_back();
    if (!credential) credential = auth::default_credential(client_, cloud_);
    tokens_ = std::make_shared<auth::TokenCache>(std::move(credential));
    path_ = "/subscriptions/" + percent_encode(config_.subscription_id) + "/resourceGroups/" +
            percent_encode(config_.resource_group) + "/providers/Microsoft.MachineLearningServices/workspaces/" +
            percent_encode(config_.workspace_name);
  }

  const WorkspaceConfig& config() const { return config_; }
  const auth::Cloud& cloud() const { return cloud_; }
  const http::Client& client() const { return client_; }

  /// The resource manager and the data plane take the same token.
  rest::Service service(CancelToken cancel = {}) const {
    return {client_, auth::TokenCache::source(tokens_, cloud_.arm_scope()), std::move(cancel)};
  }
  rest::TokenSource token_source() const { return auth::TokenCache::source(tokens_, cloud_.arm_scope()); }
  storage::BlobClient blobs(CancelToken cancel = {}) const { return {client_, std::move(cancel)}; }
  /// For blobs of the workspace's storage account that come without a signature.
  storage::BlobClient blobs_with_token(CancelToken cancel = {}) const {
    return {client_, std::move(cancel), {}, auth::TokenCache::source(tokens_, auth::Cloud::storage_scope())};
  }

  /// The workspace's resource id; other resources' ids begin with it.
  const std::string& id() const { return path_; }
  /// `{resource manager}{workspace}{rest}?api-version=…`. `rest` starts with `/` and is encoded.
  std::string arm(const std::string& rest = {}) const { return cloud_.arm + path_ + rest + "?api-version=2024-04-01"; }

  /// The workspace as the resource manager describes it; asked for once.
  Json workspace() {
    const std::scoped_lock lock(mutex_);
    if (workspace_.is_null()) workspace_ = service().get("get workspace " + config_.workspace_name, arm());
    return workspace_;
  }
  std::string location() { return json::text(workspace(), {"location"}); }
  /// The address of MLflow's REST API, below which `/api/2.0/mlflow/…` lies.
  std::string mlflow() {
    std::string uri = json::text(workspace(), {"properties", "mlFlowTrackingUri"});
    if (uri.substr(0, 10) == "azureml://") uri.replace(0, 7, "https");
    return uri.substr(0, uri.find('?'));
  }

  /// `{data plane}/artifact/v2.0{workspace}{rest}`; the data plane's host comes from discovery, asked for once.
  std::string artifact(const std::string& rest) { return api() + "/artifact/v2.0" + path_ + rest; }
  std::string history(const std::string& rest) { return api() + "/history/v1.0" + path_ + rest; }

 private:
  std::string api() {
    const std::string tried = "find the services of workspace " + config_.workspace_name;
    const std::string discovery = json::text(workspace(), {"properties", "discoveryUrl"});
    const std::scoped_lock lock(mutex_);
    if (api_.empty()) {
      if (discovery.empty()) throw NetworkError(tried, "the workspace tells no discoveryUrl");
      const rest::Service open(client_, nullptr);  // discovery takes no token
      std::string api = json::text(open.get(tried, discovery), {"api"});
      while (!api.empty() && api.back() == '/') api.pop_back();
      if (api.empty()) throw NetworkError(tried, "discovery tells no api");
      if (!rest::is_private(Url::parse(api))) throw NetworkError(tried, "the api of discovery is no https:// address");
      api_ = std::move(api);
    }
    return api_;
  }

  WorkspaceConfig config_;
  http::Client client_;
  auth::Cloud cloud_;
  std::shared_ptr<auth::TokenCache> tokens_;
  std::string path_;
  std::mutex mutex_;
  Json workspace_;
  std::string api_;
};

}  // namespace cloud::azure
