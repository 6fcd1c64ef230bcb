/// Which run this program is, as its environment says.
#pragma once

#include <unistd.h>

#include <algorithm>
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
#include "cloud/core/clock.hpp"
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

/// The run's own token, which run history replaces while it is good; once it is refused, one of Azure's usual ways to
/// sign in.
class JobToken {
 public:
  /// `expires`: 0 when it is not known. `renewal`: where run history gives a new one; empty when that is not known.
  JobToken(Secret token, Milliseconds expires, std::string renewal)
      : renewal_(std::move(renewal)), token_(std::move(token)) {
    set_renewal(expires);
  }

  Secret operator()(const http::Client& client, const Secret& rejected) {
    const std::scoped_lock lock(mutex_);
    if (!token_.empty() && !(rejected == token_)) {
      if (renew_at_ != 0 && now_ms() >= renew_at_) renew(client);
      return token_;
    }
    const auth::Cloud cloud = auth::Cloud::from_environment();
    if (!other_) other_ = std::make_unique<auth::TokenCache>(auth::default_credential(client, cloud));
    token_ = Secret();
    return other_->get(cloud.arm_scope(), rejected);
  }

 private:
  // Halfway through what is left of its life, and not more often than every second.
  void set_renewal(Milliseconds expires) {
    const Milliseconds now = now_ms();
    renew_at_ = renewal_.empty() || expires <= now ? 0 : now + std::max<Milliseconds>((expires - now) / 2, 1000);
  }
  void renew(const http::Client& client) {
    try {
      const rest::Service history(client, [this](const Secret&) { return token_; });
      const Json reply = history.get("renew the token of this run", renewal_);
      if (Secret fresh(json::text(reply, {"token"})); !fresh.empty()) token_ = std::move(fresh);
      set_renewal(parse_rfc3339(json::text(reply, {"expiryTimeUtc"})).value_or(0));
    } catch (const std::exception&) {
      renew_at_ = now_ms() + 30'000;  // the one at hand is still good
    }
  }

  const std::string renewal_;
  std::mutex mutex_;
  Secret token_;
  Milliseconds renew_at_ = 0;  // 0: never
  std::unique_ptr<auth::TokenCache> other_;
};

/// The token that a job of Azure finds in its environment, and where the next one is to be had.
inline std::shared_ptr<JobToken> job_token() {
  const std::string run = env_or("AZUREML_RUN_ID", env_or("MLFLOW_RUN_ID", ""));
  const std::string experiment = env_or("AZUREML_EXPERIMENT_ID", env_or("MLFLOW_EXPERIMENT_ID", ""));
  const std::string scope = env_or("AZUREML_WORKSPACE_SCOPE", "");
  std::string renewal = env_or("AZUREML_RUN_HISTORY_SERVICE_ENDPOINT", env_or("AZUREML_SERVICE_ENDPOINT", ""));
  if (run.empty() || experiment.empty() || scope.empty() || renewal.empty() || !rest::is_private(Url::parse(renewal))) {
    renewal.clear();
  } else {
    renewal += "/history/v1.0" + scope + "/experimentids/" + percent_encode(experiment) + "/runs/" +
               percent_encode(run) + "/token";
  }
  const auto expires = parse_number<std::int64_t>(env_or("AZUREML_RUN_TOKEN_EXPIRY", "")).value_or(0);
  return std::make_shared<JobToken>(Secret(env_or("MLFLOW_TRACKING_TOKEN", "")), expires * 1000, std::move(renewal));
}

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
  const bool azure = uri.starts_with("azureml://") || env("AZUREML_RUN_ID").has_value();
  if (uri.starts_with("azureml://")) uri.replace(0, 7, "https");
  if (!uri.starts_with("https://") && !uri.starts_with("http://")) {
    throw ConfigError(tried, "only http://, https:// and azureml:// are known, not " + uri.substr(0, uri.find(':')));
  }
  // A thread waits for the replies, and what fails is tried again later.
  http::ClientOptions options;
  options.connect_timeout = std::chrono::seconds(5);
  options.stall_timeout = std::chrono::seconds(20);
  const http::Client client(options);

  rest::TokenSource tokens;
  const std::optional<std::string> user = env("MLFLOW_TRACKING_USERNAME");
  if (user) {
    const Secret pair(base64(*user + ":" + env_or("MLFLOW_TRACKING_PASSWORD", "")));
    tokens = [pair](const Secret&) { return pair; };
  } else if (azure) {
    tokens = [client, job = job_token()](const Secret& rejected) { return (*job)(client, rejected); };
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
///   MLFLOW_TRACKING_TOKEN; in a job of Azure that token is renewed, and when it is refused or absent, as
///   auth/chain.hpp does;
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
