/// npz archives: save_npz and load_npz.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/serializers/dictionary.hpp"
#include "dnn/serializers/npy.hpp"
#include "dnn/serializers/zip.hpp"

namespace dnn::inline DNN_ABI::serializers {

struct SaveNpzOptions {
  bool compression = true;  ///< deflate; false stores the members as they are
};

/// Writes every value of `dictionary` as the member `<key>.npy`, in alphabetical order; the arrays are not copied. The
/// file gets exactly the name `path` and is replaced only once complete. Throws FileError.
inline void save_npz(const std::filesystem::path& path, const Dictionary& dictionary, const SaveNpzOptions& options = {}) {
  std::vector<ZipEntry> entries;
  entries.reserve(dictionary.size());
  for (const auto& [key, value] : dictionary) {
    ZipEntry& entry = entries.emplace_back();
    entry.name = key + ".npy";
    if (const auto* array = std::get_if<Array>(&value)) {
      const bool bfloat = array->dtype() == DType::bfloat16;
      const auto owner = std::make_shared<const Array>((bfloat ? array->to(float32) : *array).to(Device{}));
      entry.head = npy_header(*owner);
      entry.body = {owner->bytes(), owner->nbytes()};
      entry.owner = owner;
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      entry.head = npy_of_text(*text);
    } else {
      entry.head = npy_of_none();
    }
  }
  write_zip(path, entries, options.compression);
}

/// An npz archive that is open for reading. Throws FileError.
class NpzReader {
 public:
  explicit NpzReader(const std::filesystem::path& path) : NpzReader(ZipReader(path)) {}
  explicit NpzReader(ZipReader archive) : archive_(std::move(archive)) {}

  const std::string& name() const noexcept { return archive_.name(); }
  bool contains(std::string_view key) const { return archive_.contains(concat(key, ".npy")); }
  /// Throws FileError when the key is missing or its member is malformed.
  Value read(std::string_view key) const { return read_npy(*archive_.open(concat(key, ".npy"))); }
  /// Every member whose name ends in `.npy`, without that ending.
  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const auto& [name, place] : archive_.members()) {
      if (name.ends_with(".npy")) out.push_back(name.substr(0, name.size() - 4));
    }
    return out;
  }

 private:
  ZipReader archive_;
};

/// All values of an npz archive. Throws FileError.
inline Dictionary read_npz(const std::filesystem::path& path) {
  const NpzReader archive(path);
  Dictionary out;
  for (const std::string& key : archive.keys()) out.emplace(key, archive.read(key));
  return out;
}

}  // namespace dnn::inline DNN_ABI::serializers
