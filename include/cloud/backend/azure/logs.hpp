/// Following the logs of a run: only what is new is fetched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cloud/backend/azure/connection.hpp"
#include "cloud/core/url.hpp"
#include "cloud/json/json.hpp"
#include "cloud/storage/blob.hpp"

namespace cloud::azure {

/// The logs of one run. A log may begin anew (a preempted node, a run that is tried again): each read asks for a few
/// bytes that are known already, and when they are other ones now, the new log is read from its start. Offsets of the
/// caller go on as if the new log were written behind the old one.
class RunLogs {
 public:
  RunLogs(Connection& connection, std::string run_id) : connection_(connection), run_id_(std::move(run_id)) {}

  /// `logFiles` of the newest details.
  void update(const Json& details) {
    const std::scoped_lock lock(mutex_);
    urls_ = json::text_map(details, {"logFiles"});
  }

  std::string read(const std::string& file, std::uint64_t offset, std::size_t max_bytes) {
    const std::shared_ptr<Log> log = find(file);
    if (!log) return {};
    const std::scoped_lock lock(log->mutex);
    if (offset != log->read) {  // another reader: nothing is known about what lies before
      log->read = log->at = offset;
      log->tail.clear();
    }
    const storage::BlobClient blobs(connection_.client(), {}, {.attempts = 12});
    const std::string tried = "read " + file + " of run " + run_id_;
    storage::BlobClient::Piece piece =
        blobs.read(tried, log->url, "", log->at - log->tail.size(), max_bytes + log->tail.size());
    if (!piece.bytes.starts_with(log->tail)) {
      // Less than what is known: the blob is gone for the moment, or the reply broke off early.
      const bool shrunk = piece.size && *piece.size < log->at;
      if (log->tail.starts_with(piece.bytes) && !shrunk) return {};
      log->at = 0;
      log->tail.clear();
      piece = blobs.read(tried, log->url, "", 0, max_bytes);
    }
    std::string bytes = piece.bytes.substr(log->tail.size());
    if (bytes.size() > max_bytes) bytes.resize(max_bytes);
    log->read += bytes.size();
    log->at += bytes.size();
    log->tail += bytes;
    if (log->tail.size() > kOverlap) log->tail.erase(0, log->tail.size() - kOverlap);
    return bytes;
  }

  /// The run's details, newly fetched.
  Json details() {
    Json reply = connection_.service().patient().get(
        "get run " + run_id_, connection_.history("/runs/" + percent_encode(run_id_) + "/details"));
    update(reply);
    return reply;
  }

 private:
  static constexpr std::size_t kOverlap = 64;

  struct Log {
    explicit Log(std::function<std::string()> fetch) : url(std::move(fetch)) {}
    std::mutex mutex;
    storage::SasUrl url;
    std::uint64_t read = 0;  // what the caller has, counted over all beginnings
    std::uint64_t at = 0;    // where that is in the blob
    std::string tail;        // the last bytes before it
  };

  std::shared_ptr<Log> find(const std::string& file) {
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = logs_.find(file); found != logs_.end()) return found->second;
    }
    if (url_of(file).empty()) details();
    if (url_of(file).empty()) return nullptr;
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<Log>& log = logs_[file];
    // The first URL comes from the details at hand; when it is refused, from new ones.
    if (!log) {
      log = std::make_shared<Log>([this, file, first = true]() mutable {
        if (!std::exchange(first, false)) details();
        std::string url = url_of(file);
        if (url.empty()) throw NotFoundError("read " + file + " of run " + run_id_, "the run has no such log any more");
        return url;
      });
    }
    return log;
  }

  std::string url_of(const std::string& file) {
    const std::scoped_lock lock(mutex_);
    const auto found = urls_.find(file);
    return found == urls_.end() ? std::string() : found->second;
  }

  Connection& connection_;
  std::string run_id_;
  std::mutex mutex_;
  std::map<std::string, std::string> urls_;
  std::map<std::string, std::shared_ptr<Log>> logs_;
};

}  // namespace cloud::azure
