/// Which run this program is, as its environment says.
#pragma once

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "cloud/auth/chain.hpp"
#include "cloud/auth/clouds.hpp"
#include "cloud/auth/credential.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/backend/local/history.hpp"
#include "cloud/backend/mlflow.hpp"
#include "cloud/backend/offline.hpp"
#include "cloud/core/base64.hpp"
#include "cloud/core/env.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/secret.hpp"
#include "cloud/core/sha256.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/rest/service.hpp"
#include "cloud/tracking/writer.hpp"

namespace cloud {

struct Context {
  std::shared_ptr<Backend> backend;
  std::string run_id;
  tracking::WriterOptions logging{};
};

namespace detail {

/// The run's own token as long as it is taken, then one of Azure's usual ways to sign in.
class JobToken {
 public:
  explicit JobToken(Secret token) : token_(std::move(token)) {}

  Secret operator()(const http::Client& client, const Secret& rejected) {
    const std::scoped_lock lock(mutex_);
    if (!token_.empty() && !(rejected == token_)) return token_;
    const auth::Cloud cloud = auth::Cloud::from_environment();
    if (!other_) other_ = std::make_unique<auth::TokenCache>(auth::default_credential(client, cloud));
    token_ = Secret();
    return other_->get(cloud.arm_scope(), rejected);
  }

 private:
  std::mutex mutex_;
  Secret token_;
  std::unique_ptr<auth::TokenCache> other_;
};

/// Where values wait that could not be sent to that server: `$CLOUD_SPOOL`, else below `$XDG_STATE_HOME`,
/// `~/.local/state` or the folder for temporary files.
inline std::filesystem::path spool_folder(const std::string& server) {
  std::filesystem::path root;
  if (const auto folder = env("CLOUD_SPOOL")) {
    root = *folder;
  } else if (const auto state = env("XDG_STATE_HOME")) {
    root = std::filesystem::path(*state) / "dnn" / "spool";
  } else if (const auto home = env("HOME")) {
    root = std::filesystem::path(*home) / ".local" / "state" / "dnn" / "spool";
  } else {
    root = std::filesystem::temp_directory_path() / ("dnn-spool-" + std::to_string(::getuid()));
  }
  return root / sha256(server).substr(0, 16);
}

inline Context mlflow_context(const std::string& tracking_uri) {
  const std::string tried = "use MLFLOW_TRACKING_URI";
  std::string uri = tracking_uri.substr(0, tracking_uri.find('?'));  // jobs have ?is-remote=True
  const bool azure = uri.starts_with("azureml://");
  if (azure) uri.replace(0, 7, "https");
  if (!uri.starts_with("https://") && !uri.starts_with("http://")) {
    throw ConfigError(tried, "only http://, https:// and azureml:// are known, not " + uri.substr(0, uri.find(':')));
  }
  // A thread waits for the replies, and what fails is tried again later: give up soon.
  http::ClientOptions options;
  options.connect_timeout = std::chrono::seconds(5);
  options.stall_timeout = std::chrono::seconds(20);
  options.backoff.max_attempts = 2;
  const http::Client client(options);

  rest::TokenSource tokens;
  const std::optional<std::string> user = env("MLFLOW_TRACKING_USERNAME");
  if (user) {
    const Secret pair(base64(*user + ":" + env_or("MLFLOW_TRACKING_PASSWORD", "")));
    tokens = [pair](const Secret&) { return pair; };
  } else if (azure) {
    tokens = [client, job = std::make_shared<JobToken>(Secret(env_or("MLFLOW_TRACKING_TOKEN", "")))](
                 const Secret& rejected) { return (*job)(client, rejected); };
  } else if (const auto token = env("MLFLOW_TRACKING_TOKEN")) {
    tokens = [secret = Secret(*token)](const Secret&) { return secret; };
  }
  if (tokens && !rest::is_private(Url::parse(uri))) {
    throw ConfigError(tried, "a password or token is sent only over https, not to " + shown_url(uri));
  }
  const rest::Service service(client, tokens);
  auto backend = std::make_shared<MlflowBackend>(user ? service.basic() : service, uri);
  std::string run = env_or("MLFLOW_RUN_ID", env_or("AZUREML_RUN_ID", ""));
  if (run.empty()) {
    run = backend->start_run(env_or("MLFLOW_EXPERIMENT_NAME", "Default"), env_or("MLFLOW_RUN_NAME", "")).id;
  }
  return {backend, run, {.interval = std::chrono::seconds(1), .spool = spool_folder(uri)}};
}

}  // namespace detail

/// The first that fits:
/// - CLOUD_WORKSPACE (a folder) and CLOUD_RUN_ID: a run of a local workspace, which sets them;
/// - MLFLOW_TRACKING_URI: an MLflow server (http://, https://), or in a job of Azure its endpoint (azureml://). The run
///   is MLFLOW_RUN_ID or AZUREML_RUN_ID; with neither a new one of the experiment MLFLOW_EXPERIMENT_NAME ("Default"),
///   named MLFLOW_RUN_NAME. Signs in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the token
///   MLFLOW_TRACKING_TOKEN; on Azure, when that token is refused or absent, as auth/chain.hpp does;
/// - offline.
inline Context find_context() {
  const std::optional<std::string> workspace = env("CLOUD_WORKSPACE");
  const std::optional<std::string> run = env("CLOUD_RUN_ID");
  if (workspace && run) {
    auto history = std::make_shared<local::LocalHistory>(*workspace);
    history->get_run(*run);  // throws NotFoundError
    return {history, *run};
  }
  if (const auto uri = env("MLFLOW_TRACKING_URI")) return detail::mlflow_context(*uri);
  return {std::make_shared<OfflineBackend>(), "offline", {.interval = std::chrono::milliseconds(0)}};
}

}  // namespace cloud
