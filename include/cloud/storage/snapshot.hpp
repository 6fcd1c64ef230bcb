/// The files of a source directory that travel with a run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/sha256.hpp"
#include "cloud/core/text.hpp"
#include "cloud/storage/ignore.hpp"

namespace cloud::storage {

struct SnapshotFile {
  std::string name;  // relative, with /
  std::filesystem::path path;
  std::uint64_t size = 0;
  bool executable = false;
};

namespace detail {

inline void collect(const fs::path& folder, const std::string& prefix, const IgnoreRules& rules,
                    std::set<fs::path>& above, std::vector<SnapshotFile>& files) {
  std::error_code failed;
  const fs::path real = fs::canonical(folder, failed);
  if (failed) throw FileError("read " + folder.string(), failed.message());
  if (!above.insert(real).second)
    throw FileError("read " + folder.string(), "a symbolic link leads back to a folder above it");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = prefix + entry.path().filename().string();
    // Nobody runs a repository's history, and it is often bigger than the rest.
    if (name == ".git") continue;
    std::error_code gone;
    const fs::file_status status = entry.status(gone);  // follows links, as Azure's client does
    if (fs::is_directory(status)) {
      if (!rules.ignores_folder(name)) collect(entry.path(), name + "/", rules, above, files);
    } else if (fs::is_regular_file(status)) {
      if (rules.ignores(name)) continue;
      if (!is_safe_name(name))
        throw FileError("snapshot " + folder.string(), "a file's name cannot be stored: " + name);
      files.push_back(
          {name, entry.path(), entry.file_size(), (status.permissions() & fs::perms::owner_exec) != fs::perms::none});
    } else if (!fs::exists(status) && !rules.ignores(name)) {
      throw FileError("snapshot " + folder.string(), entry.path().string() + " is a link to nowhere");
    }
  }
  if (failed) throw FileError("read " + folder.string(), failed.message());
  above.erase(real);
}

}  // namespace detail

/// Every file below `folder` that its root's `.amlignore` - or, without one, `.gitignore` - does not leave out, sorted
/// by lower-cased name. `.git` is never part of it; links are followed; sockets and devices are passed over. Throws
/// ConfigError when the folder is none or nothing is left, FileError for what cannot be read.
inline std::vector<SnapshotFile> list_snapshot(const std::filesystem::path& folder) {
  const std::string tried = "take a snapshot of " + folder.string();
  if (!fs::is_directory(folder)) throw ConfigError(tried, "there is no such folder");
  IgnoreRules rules;
  for (const char* name : {".amlignore", ".gitignore"}) {
    if (fs::is_regular_file(folder / name)) {
      rules = IgnoreRules(read_file(folder / name));
      break;
    }
  }
  std::vector<SnapshotFile> files;
  std::set<fs::path> above;
  detail::collect(folder, "", rules, above, files);
  if (files.empty()) throw ConfigError(tried, "it holds no file, or all are left out by its ignore rules");
  std::vector<std::pair<std::string, std::size_t>> order;
  for (std::size_t i = 0; i < files.size(); ++i) order.emplace_back(lower(files[i].name) + '\0' + files[i].name, i);
  std::sort(order.begin(), order.end());
  std::vector<SnapshotFile> sorted;
  for (const auto& [key, i] : order) sorted.push_back(std::move(files[i]));
  return sorted;
}

/// SHA-256 over count, names, sizes and contents, as Azure's client computes its hash version 202208: the same folder
/// has the same hash there and here. `files` as list_snapshot returns them.
inline std::string snapshot_hash(const std::vector<SnapshotFile>& files) {
  Digest digest = Digest::sha256();
  digest.add(std::to_string(files.size()));
  for (const SnapshotFile& file : files) digest.add("#" + file.name + "#" + std::to_string(file.size));
  for (const SnapshotFile& file : files) add_file(digest, file.path);
  return digest.hex();
}

}  // namespace cloud::storage
