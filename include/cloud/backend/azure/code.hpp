/// Uploading folders: the snapshot of a run's sources, the context of an image.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/backend/azure/connection.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/core/base64.hpp"
#include "cloud/core/parallel.hpp"
#include "cloud/core/sha256.hpp"
#include "cloud/storage/blob.hpp"
#include "cloud/storage/snapshot.hpp"

namespace cloud::azure {

/// A code asset of the workspace.
struct CodeAsset {
  std::string id{};   // for a job
  std::string uri{};  // the folder in storage, without a signature
};

/// The first 32 digits of a hash in the form of a GUID.
inline std::string guid_of(const std::string& hash) {
  return hash.substr(0, 8) + "-" + hash.substr(8, 4) + "-" + hash.substr(12, 4) + "-" + hash.substr(16, 4) + "-" +
         hash.substr(20, 12);
}

/// The storage that the workspace gives to a code asset before it exists. The same name leads to the same place again:
/// that is how an upload goes on after it broke off, and how a signature is renewed.
class PendingUpload {
 public:
  PendingUpload(Connection& connection, std::string name, CancelToken cancel)
      : connection_(connection),
        name_(std::move(name)),
        cancel_(std::move(cancel)),
        container_([this] { return start(); }) {}

  storage::SasUrl& container() { return container_; }
  /// The container's address without a signature.
  const std::string& uri() {
    container_.get();
    return uri_;
  }

 private:
  std::string start() {
    const Json reply = connection_.service(cancel_).post(
        "start an upload", connection_.arm("/codes/" + name_ + "/versions/1/startPendingUpload"),
        {{"pendingUploadType", "TemporaryBlobReference"}, {"pendingUploadId", name_}}, true);
    const Json& reference = json::at(reply, {"blobReferenceForConsumption"});
    std::string uri = json::text(reference, {"blobUri"});
    const std::string sas = json::text(reference, {"credential", "sasUri"});
    if (sas.empty()) throw NetworkError("start an upload", "the reply holds no SAS");
    if (uri.empty()) uri = sas;
    uri = uri.substr(0, uri.find('?'));
    while (uri.back() == '/') uri.pop_back();
    if (!uri_.empty() && uri != uri_)
      throw NetworkError("start an upload", "the workspace gave another place this time");
    uri_ = uri;
    return sas;
  }

  Connection& connection_;
  std::string name_;
  CancelToken cancel_;
  std::string uri_;
  storage::SasUrl container_;
};

/// Uploads files as `{container}/{folder}/{name}` and returns the folder's address. What is there already, with this
/// size and MD5, is not sent again. Small files go side by side, the blocks of a big one too.
inline std::string upload_files(Connection& connection, PendingUpload& place, const std::string& folder,
                                const std::vector<storage::SnapshotFile>& files, const SubmitOptions& options) {
  const storage::BlobClient blobs = connection.blobs(options.cancel);
  std::map<std::string, storage::BlobProperties> present;
  try {
    for (storage::BlobProperties& blob : blobs.list("look at what is uploaded", place.container(), folder + "/")) {
      present.emplace(blob.name, std::move(blob));
    }
  } catch (const AuthenticationError&) {
    // this signature does not allow to look: everything is sent
  }
  std::uint64_t total = 0;
  for (const storage::SnapshotFile& file : files) total += file.size;
  std::mutex mutex;
  std::uint64_t done = 0;
  const storage::Moved moved = [&](std::uint64_t bytes) {
    if (!options.progress) return;
    const std::scoped_lock lock(mutex);
    done += bytes;
    options.progress("upload", done, total);
  };
  const auto upload = [&](const storage::SnapshotFile& file) {
    options.cancel.check("upload " + file.name);
    const std::string name = folder + "/" + file.name;
    const auto found = present.find(name);
    if (found != present.end() && found->second.size == file.size && !found->second.md5.empty()) {
      Digest digest = Digest::md5();
      add_file(digest, file.path);
      if (base64(digest.raw()) == found->second.md5) {
        moved(file.size);
        return;
      }
    }
    blobs.upload(place.container(), name, file.path, moved);
  };
  std::vector<const storage::SnapshotFile*> small;
  for (const storage::SnapshotFile& file : files) {
    if (file.size <= blobs.options().single_upload) small.push_back(&file);
  }
  parallel_each(small.size(), blobs.options().parallel, [&](std::size_t i) { upload(*small[i]); });
  for (const storage::SnapshotFile& file : files) {
    if (file.size > blobs.options().single_upload) upload(file);
  }
  return place.uri() + "/" + percent_encode_path(folder);
}

/// The name of a folder in storage: that of the folder here, if it is a plain one.
inline std::string storage_folder(const fs::path& folder) {
  const std::string name = fs::absolute(folder).lexically_normal().parent_path().filename().string();
  std::string base = fs::absolute(folder).lexically_normal().filename().string();
  if (base.empty() || base == ".") base = name;
  const bool plain = !base.empty() && base[0] != '.' && std::all_of(base.begin(), base.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  return plain && base.size() <= 100 ? base : "src";
}

/// The code asset with the content of these files: one that anybody has made before, or a new one. Its name comes from
/// the content, so a second try, also of another process, finds what the first has left.
inline CodeAsset upload_code(Connection& connection, const std::string& folder,
                             const std::vector<storage::SnapshotFile>& files, const SubmitOptions& options) {
  const std::string hash = storage::snapshot_hash(files);
  const rest::Service service = connection.service(options.cancel);
  const std::string name = guid_of(sha256(hash + "/" + folder));
  const std::string by_hash =
      add_query(add_query(connection.arm("/codes/" + name + "/versions"), "hash", hash), "hashVersion", "202208");
  Json found;
  try {
    service.each("look for uploaded code", by_hash, [&](const Json& item) {
      found = item;
      return false;
    });
  } catch (const NotFoundError&) {
    // nobody has uploaded it yet, and this service says so with 404
  }
  const auto asset = [](const Json& code) {
    return CodeAsset{.id = json::text(code, {"id"}), .uri = json::text(code, {"properties", "codeUri"})};
  };
  if (const CodeAsset code = asset(found); !code.id.empty() && !code.uri.empty()) {
    if (options.progress) options.progress("upload", 0, 0);
    return code;
  }
  PendingUpload place(connection, name, options.cancel);
  const std::string uri = upload_files(connection, place, folder, files, options);
  CodeAsset code = asset(service.make("register code", connection.arm("/codes/" + name + "/versions/1"),
                                      {{"properties",
                                        {{"codeUri", uri},
                                         {"isAnonymous", true},
                                         {"properties", {{"hash_sha256", hash}, {"hash_version", "202208"}}}}}}));
  if (code.id.empty()) code.id = connection.id() + "/codes/" + name + "/versions/1";
  if (code.uri.empty()) code.uri = uri;
  return code;
}

}  // namespace cloud::azure
